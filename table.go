package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/record"
)

// tableMaker is what EnsureTable needs of a Client.
type tableMaker interface {
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	UpdateTimeToLive(context.Context, *dynamodb.UpdateTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error)
}

// EnsureTable creates the Store's table if there is none, on demand (PAY_PER_REQUEST), with TTL
// on Config.ExpiresAttribute and, with Config.UserKey, the index of users, and waits until it serves, as long as ctx allows. A table that
// exists is left as it is. It needs the permissions dynamodb:CreateTable, dynamodb:DescribeTable
// and dynamodb:UpdateTimeToLive.
func (s *Store) EnsureTable(ctx context.Context) error {
	client, ok := s.client.(tableMaker)
	if !ok {
		return fmt.Errorf("dynamostore: create table %q: the client %T lacks CreateTable, DescribeTable or UpdateTimeToLive: use a *dynamodb.Client, as NewClient makes it", s.cfg.Table, s.client)
	}
	created, err := s.createTable(ctx, client)
	if err != nil {
		return fmt.Errorf("dynamostore: look for table %q and create it: %w", s.cfg.Table, record.Clean(err))
	}
	if err := s.awaitTable(ctx, client); err != nil {
		return fmt.Errorf("dynamostore: wait for table %q: %w", s.cfg.Table, record.Clean(err))
	}
	if !created {
		return nil
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &s.cfg.Table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: &s.cfg.ExpiresAttribute,
			Enabled:       aws.Bool(true),
		},
	})
	if err != nil {
		return fmt.Errorf("dynamostore: turn on TTL of table %q: %w", s.cfg.Table, record.Clean(err))
	}
	return nil
}

// createTable reports whether it was this call that created the table.
func (s *Store) createTable(ctx context.Context, client tableMaker) (bool, error) {
	_, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.cfg.Table})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		return false, err
	}
	input := &dynamodb.CreateTableInput{
		TableName:   &s.cfg.Table,
		BillingMode: types.BillingModePayPerRequest,
	}
	key := func(name string, kind types.KeyType) {
		input.KeySchema = append(input.KeySchema, types.KeySchemaElement{AttributeName: &name, KeyType: kind})
		input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: &name, AttributeType: types.ScalarAttributeTypeS,
		})
	}
	key(s.cfg.KeyAttribute, types.KeyTypeHash)
	if s.cfg.SortKeyAttribute != "" {
		key(s.cfg.SortKeyAttribute, types.KeyTypeRange)
	}
	if s.cfg.UserKey != "" {
		input.AttributeDefinitions = append(input.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: aws.String(record.UserAttribute), AttributeType: types.ScalarAttributeTypeS},
			types.AttributeDefinition{AttributeName: &s.cfg.ExpiresAttribute, AttributeType: types.ScalarAttributeTypeN})
		input.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: &s.cfg.UserIndex,
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String(record.UserAttribute), KeyType: types.KeyTypeHash},
				{AttributeName: &s.cfg.ExpiresAttribute, KeyType: types.KeyTypeRange},
			},
			// The keys, and what tells whether MaxLifetime has ended the session.
			Projection: &types.Projection{
				ProjectionType:   types.ProjectionTypeInclude,
				NonKeyAttributes: []string{record.CreatedAttribute},
			},
		}}
	}
	_, err = client.CreateTable(ctx, input)
	var exists *types.ResourceInUseException
	if errors.As(err, &exists) {
		return false, nil // another instance was faster
	}
	return err == nil, err
}

// awaitTable waits until the table is active.
func (s *Store) awaitTable(ctx context.Context, client tableMaker) error {
	for {
		out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.cfg.Table})
		var missing *types.ResourceNotFoundException // a moment after CreateTable, at times
		switch {
		case err == nil && out.Table == nil:
			return errors.New("the answer describes no table: is the endpoint DynamoDB?")
		case err == nil && out.Table.TableStatus == types.TableStatusActive:
			return nil
		case err != nil && !errors.As(err, &missing):
			return err
		}
		if err := record.Pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}
