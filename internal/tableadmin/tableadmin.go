// Package tableadmin creates and checks the table of sessions, and deletes expired items from it.
package tableadmin

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/record"
)

// Admin takes care of one table.
type Admin struct {
	client  any // has the methods of describer or creator if they are needed
	table   *record.Table
	schema  record.Schema
	timeout time.Duration
}

// New returns the Admin of a table. Check needs a client with the methods DescribeTable and
// DescribeTimeToLive; Ensure also needs CreateTable, UpdateTable, UpdateTimeToLive and Scan. Each
// request ends after timeout.
func New(client any, table *record.Table, timeout time.Duration) *Admin {
	return &Admin{client: client, table: table, schema: table.Schema(), timeout: timeout}
}

type options = func(*dynamodb.Options)

// describer has the client methods that Check needs, and creator those that Ensure needs.
type (
	describer interface {
		DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...options) (*dynamodb.DescribeTableOutput, error)
		DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...options) (*dynamodb.DescribeTimeToLiveOutput, error)
	}
	creator interface {
		describer
		CreateTable(context.Context, *dynamodb.CreateTableInput, ...options) (*dynamodb.CreateTableOutput, error)
		UpdateTable(context.Context, *dynamodb.UpdateTableInput, ...options) (*dynamodb.UpdateTableOutput, error)
		UpdateTimeToLive(context.Context, *dynamodb.UpdateTimeToLiveInput, ...options) (*dynamodb.UpdateTimeToLiveOutput, error)
		Scan(context.Context, *dynamodb.ScanInput, ...options) (*dynamodb.ScanOutput, error)
	}
)

// unsupported returns the error for a client that lacks a method.
func (a *Admin) unsupported(methods string) error {
	return a.problem("the client %T does not have all of the methods %s; use a *dynamodb.Client, or a wrapper that has them", a.client, methods)
}

// problem returns an error about the table.
func (a *Admin) problem(format string, args ...any) error {
	return fmt.Errorf("dynamostore: table %q: %s", a.schema.Table, fmt.Sprintf(format, args...))
}

// request describes a request for its error: what it does to the table, and its operation.
type request struct {
	*Admin
	doing, operation string
}

// send sends a request within Config.Timeout.
func send[In, Out any](ctx context.Context, r request, call func(context.Context, *In, ...options) (*Out, error), in *In) (*Out, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, record.ErrTimeout)
	defer cancel()
	out, err := call(ctx, in)
	if err != nil {
		return nil, r.table.Error(ctx, r.doing, r.operation, err)
	}
	return out, nil
}

// describeTable returns the table's description. Any part of it may be missing.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
func (a *Admin) describeTable(ctx context.Context, client describer) (*types.TableDescription, error) {
	r := request{a, "describe", "DescribeTable"}
	out, err := send(ctx, r, client.DescribeTable, &dynamodb.DescribeTableInput{TableName: &a.schema.Table})
	if err == nil && (out == nil || out.Table == nil) {
		err = a.emptyResponse(r.operation)
	}
	if err != nil {
		return nil, err
	}
	return out.Table, nil
}

// describeTTL returns the table's TTL settings.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html
func (a *Admin) describeTTL(ctx context.Context, client describer) (*types.TimeToLiveDescription, error) {
	r := request{a, "describe TTL of", "DescribeTimeToLive"}
	out, err := send(ctx, r, client.DescribeTimeToLive, &dynamodb.DescribeTimeToLiveInput{TableName: &a.schema.Table})
	if err == nil && (out == nil || out.TimeToLiveDescription == nil) {
		err = a.emptyResponse(r.operation)
	}
	if err != nil {
		return nil, err
	}
	return out.TimeToLiveDescription, nil
}

// emptyResponse returns the error for a response without content, which the SDK returns for any
// JSON.
func (a *Admin) emptyResponse(operation string) error {
	return a.problem("the response to %s does not describe the table; check that the endpoint is DynamoDB", operation)
}
