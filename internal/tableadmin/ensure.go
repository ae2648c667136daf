package tableadmin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/record"
)

// Ensure creates whatever is missing (the table, TTL, the index of users) and waits until the table
// can be used, for as long as ctx allows.
//
//   - What exists is not changed.
//   - TTL of an existing table is turned on only if the table is empty.
//   - A table whose key or index does not fit is not changed at all.
//
// It returns the result of Check on the finished table.
func (a *Admin) Ensure(ctx context.Context) error {
	client, ok := a.client.(creator)
	if !ok {
		return a.unsupported("DescribeTable, DescribeTimeToLive, CreateTable, UpdateTable, UpdateTimeToLive, Scan")
	}
	created := false
	table, err := a.describeTable(ctx, client)
	if record.IsMissing(err) {
		created, err = a.createTable(ctx, client)
	}
	if err == nil && (table == nil || table.TableStatus == types.TableStatusCreating) {
		table, err = a.awaitTable(ctx, client)
	}
	if err == nil {
		err = a.statusProblem(table)
	}
	if err != nil {
		return err
	}
	if a.keyProblems(table) != nil || a.indexShapeProblem(table) != nil {
		return a.Check(ctx)
	}
	if table, err = a.ensureIndex(ctx, client, table); err != nil {
		return err
	}
	ttl, err := a.ensureTTL(ctx, client, created)
	if err != nil {
		return err
	}
	return errors.Join(a.tableProblems(table), a.ttlProblem(ttl))
}

// createTable creates the table with its index. It returns false if another instance did.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
func (a *Admin) createTable(ctx context.Context, client creator) (bool, error) {
	in := &dynamodb.CreateTableInput{
		TableName:   &a.schema.Table,
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   keySchema(a.schema.Key, a.schema.SortKey),
	}
	for _, e := range in.KeySchema {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: e.AttributeName, AttributeType: types.ScalarAttributeTypeS,
		})
	}
	if a.schema.Index != "" {
		in.AttributeDefinitions = append(in.AttributeDefinitions, a.indexAttributes()...)
		index := a.index()
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{IndexName: index.IndexName, KeySchema: index.KeySchema, Projection: index.Projection}}
	}
	_, err := send(ctx, request{a, "create", "CreateTable"}, client.CreateTable, in)
	if isInUse(err) {
		return false, nil // another instance created it
	}
	return err == nil, err
}

// keySchema returns the key of a table or an index. sort may be empty.
func keySchema(partition, sort string) []types.KeySchemaElement {
	key := []types.KeySchemaElement{{AttributeName: &partition, KeyType: types.KeyTypeHash}}
	if sort != "" {
		key = append(key, types.KeySchemaElement{AttributeName: &sort, KeyType: types.KeyTypeRange})
	}
	return key
}

// indexAttributes returns the attributes in the key of the index.
func (a *Admin) indexAttributes() []types.AttributeDefinition {
	return []types.AttributeDefinition{
		{AttributeName: aws.String(record.UserAttribute), AttributeType: types.ScalarAttributeTypeS},
		{AttributeName: &a.schema.Expires, AttributeType: types.ScalarAttributeTypeN},
	}
}

// index returns the index of users. Besides keys, it holds what listings return, including the
// creation time, which shows whether MaxLifetime has ended the session.
func (a *Admin) index() *types.CreateGlobalSecondaryIndexAction {
	return &types.CreateGlobalSecondaryIndexAction{
		IndexName:  &a.schema.Index,
		KeySchema:  keySchema(record.UserAttribute, a.schema.Expires),
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: record.ProjectedAttributes()},
	}
}

// awaitTable waits until the table is created. For a moment, DescribeTable may not find it.
func (a *Admin) awaitTable(ctx context.Context, client creator) (table *types.TableDescription, err error) {
	err = a.poll(ctx, "is created", func() (done bool, err error) {
		table, err = a.describeTable(ctx, client)
		return err == nil && table.TableStatus != types.TableStatusCreating, err
	})
	return table, err
}

// ensureIndex adds the index of users if it is missing, waits until it can be used, and returns the
// table's new description.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
func (a *Admin) ensureIndex(ctx context.Context, client creator, table *types.TableDescription) (*types.TableDescription, error) {
	isCreating := func(index *types.GlobalSecondaryIndexDescription) bool {
		return index == nil || index.IndexStatus == types.IndexStatusCreating
	}
	index := a.findIndex(table)
	if a.schema.Index == "" || !isCreating(index) {
		return table, nil
	}
	isMissing := index == nil // as far as the last description shows
	err := a.poll(ctx, fmt.Sprintf("has the index %q", a.schema.Index), func() (done bool, err error) {
		var addErr error
		if isMissing {
			addErr = a.addIndex(ctx, client, table)
			isMissing = false
		}
		latest, err := a.describeTable(ctx, client)
		if err != nil {
			return false, errors.Join(addErr, err)
		}
		table, index = latest, a.findIndex(latest)
		isMissing = index == nil
		if isMissing && !isChanging(table) && addErr != nil {
			return false, addErr
		}
		return !isCreating(index), nil
	})
	return table, err
}

// isChanging reports whether DynamoDB is changing the table or an index. It makes one such change
// at a time.
func isChanging(table *types.TableDescription) bool {
	return table.TableStatus == types.TableStatusUpdating ||
		slices.ContainsFunc(table.GlobalSecondaryIndexes, func(index types.GlobalSecondaryIndexDescription) bool {
			return index.IndexStatus != types.IndexStatusActive && index.IndexStatus != ""
		})
}

// addIndex adds the index of users. In a table with provisioned capacity, the index gets the same
// capacity as the table.
func (a *Admin) addIndex(ctx context.Context, client creator, table *types.TableDescription) error {
	create := a.index()
	if p := table.ProvisionedThroughput; p != nil && aws.ToInt64(p.ReadCapacityUnits) > 0 && aws.ToInt64(p.WriteCapacityUnits) > 0 {
		create.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: p.ReadCapacityUnits, WriteCapacityUnits: p.WriteCapacityUnits}
	}
	r := request{a, fmt.Sprintf("add the index %q to", a.schema.Index), "UpdateTable"}
	_, err := send(ctx, r, client.UpdateTable, &dynamodb.UpdateTableInput{
		TableName:                   &a.schema.Table,
		AttributeDefinitions:        a.indexAttributes(),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: create}},
	})
	return err
}

// ensureTTL turns TTL on if it is off and the table is new or empty, and returns the TTL settings.
func (a *Admin) ensureTTL(ctx context.Context, client creator, created bool) (*types.TimeToLiveDescription, error) {
	if !created {
		ttl, err := a.describeTTL(ctx, client)
		if err != nil || ttl.TimeToLiveStatus != types.TimeToLiveStatusDisabled {
			return ttl, err
		}
		if empty, err := a.isEmpty(ctx, client); err != nil || !empty {
			return ttl, err
		}
	}
	enableErr := a.enableTTL(ctx, client)
	var ttl *types.TimeToLiveDescription
	err := a.poll(ctx, "has TTL", func() (done bool, err error) {
		ttl, err = a.describeTTL(ctx, client)
		switch {
		case err != nil:
			return false, errors.Join(enableErr, err)
		case ttl.TimeToLiveStatus == types.TimeToLiveStatusDisabled:
			return false, enableErr
		}
		return true, nil // by this call, or by another instance
	})
	return ttl, err
}

// enableTTL asks DynamoDB to turn TTL on.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
func (a *Admin) enableTTL(ctx context.Context, client creator) error {
	_, err := send(ctx, request{a, "turn on TTL of", "UpdateTimeToLive"}, client.UpdateTimeToLive, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &a.schema.Table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &a.schema.Expires, Enabled: aws.Bool(true)},
	})
	return err
}

// isEmpty reports whether the table has no items.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
func (a *Admin) isEmpty(ctx context.Context, client creator) (bool, error) {
	out, err := send(ctx, request{a, "look for items in", "Scan"}, client.Scan, &dynamodb.ScanInput{
		TableName:      &a.schema.Table,
		ConsistentRead: aws.Bool(true),
		Limit:          aws.Int32(1),
	})
	return err == nil && len(out.Items) == 0 && len(out.LastEvaluatedKey) == 0, err
}

// maxFailures is how many failures in a row poll tolerates. The pauses between them add up to about
// 10 s.
const maxFailures = 10

// poll calls look, with pauses, until it is done or fails, for as long as ctx allows. It tolerates
// failures that may pass: no response in time, a table that is being changed, and a new table that
// is not found yet. goal says what poll waits for.
func (a *Admin) poll(ctx context.Context, goal string, look func() (done bool, err error)) error {
	backoff := record.Backoff{Min: 100 * time.Millisecond, Max: 2 * time.Second}
	for failures := 0; ; {
		done, err := look()
		switch {
		case err == nil && done:
			return nil
		case err == nil:
			failures = 0
		case failures < maxFailures && (errors.Is(err, context.DeadlineExceeded) || isInUse(err) || record.IsMissing(err)):
			failures++
		default:
			return err
		}
		if ended := backoff.Pause(ctx); ended != nil {
			return errors.Join(fmt.Errorf("dynamostore: wait until table %q %s: DynamoDB is not done yet; call EnsureTable again: %w", a.schema.Table, goal, ended), err)
		}
	}
}

// isInUse reports whether the table exists already, or is being changed.
func isInUse(err error) bool {
	var inUse *types.ResourceInUseException
	return errors.As(err, &inUse)
}
