package dynamostore

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

// EnsureTable creates what is missing of the Store's table, and waits until it serves, for as long as ctx
// allows: the table itself, on demand (PAY_PER_REQUEST), TTL on Config.ExpiresAttribute, and, with
// Config.UserKey, the index of users. What is there already is left as it is, so it may be called at every
// start, by several instances at once.
//
// To a table that exists it adds the index, and TTL only if the table is empty: TTL deletes, and the table
// may hold what others put there. A table of the wrong shape it does not change at all. In the end, it
// returns what [Store.CheckTable] says of the table as it then is.
//
// DynamoDB turns TTL on within up to an hour. EnsureTable waits until that is under way, not until it is
// done: a session that has expired is not returned in the meantime either.
//
// Each request is bounded by Config.Timeout. On a table that is as it should be, EnsureTable needs the
// permissions dynamodb:DescribeTable and dynamodb:DescribeTimeToLive, and to make it so
// dynamodb:CreateTable, dynamodb:UpdateTable (for the index of a table that exists),
// dynamodb:UpdateTimeToLive, and dynamodb:Scan (to see whether a table that exists is empty). Of the client it
// needs the methods of these names.
func (s *Store) EnsureTable(ctx context.Context) error {
	client, ok := s.client.(tableMaker)
	if !ok {
		return s.lacks([]method{
			{"DescribeTable", has[tableDescriber](s.client)},
			{"DescribeTimeToLive", has[ttlDescriber](s.client)},
			{"CreateTable", has[tableCreator](s.client)},
			{"UpdateTable", has[tableUpdater](s.client)},
			{"UpdateTimeToLive", has[ttlUpdater](s.client)},
			{"Scan", has[tableScanner](s.client)},
		})
	}
	table, err := s.describeTable(ctx, client)
	created := false
	if record.IsMissing(err) {
		if created, err = s.createTable(ctx, client); err != nil {
			return err
		}
		table = nil
	} else if err != nil {
		return err
	}
	if table, err = s.awaitTable(ctx, client, table); err != nil {
		return err
	}
	if s.misshapen(table) {
		return s.CheckTable(ctx)
	}
	if s.cfg.UserKey != "" {
		if table, err = s.ensureIndex(ctx, client, table); err != nil {
			return err
		}
	}
	ttl, err := s.ensureTTL(ctx, client, created)
	if err != nil {
		return err
	}
	return errors.Join(s.tableProblems(table), s.ttlProblem(ttl))
}

// tableMaker is what EnsureTable needs of a Client.
type (
	tableMaker interface {
		tableReader
		tableCreator
		tableUpdater
		ttlUpdater
		tableScanner
	}
	tableCreator interface {
		CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	}
	tableUpdater interface {
		UpdateTable(context.Context, *dynamodb.UpdateTableInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateTableOutput, error)
	}
	ttlUpdater interface {
		UpdateTimeToLive(context.Context, *dynamodb.UpdateTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error)
	}
	tableScanner interface {
		Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	}
)

// misshapen reports whether the table is one that only its owner may change.
func (s *Store) misshapen(table *types.TableDescription) bool {
	if s.keyProblems(table) != nil {
		return true
	}
	if s.cfg.UserKey == "" {
		return false
	}
	if index := s.findIndex(table); index != nil {
		return s.indexShape(table, index) != nil
	}
	return s.indexObstacle(table) != nil
}

// createTable reports whether it was this call that created the table.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
func (s *Store) createTable(ctx context.Context, client tableCreator) (bool, error) {
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
		input.AttributeDefinitions = append(input.AttributeDefinitions, s.indexAttributes()...)
		input.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName:  &s.cfg.UserIndex,
			KeySchema:  s.indexKey(),
			Projection: indexProjection(),
		}}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	_, err := client.CreateTable(ctx, input)
	switch {
	case isInUse(err):
		return false, nil // another instance was faster
	case err != nil:
		return false, s.tableError("create", "CreateTable", err)
	}
	return true, nil
}

func (s *Store) indexAttributes() []types.AttributeDefinition {
	return []types.AttributeDefinition{
		{AttributeName: aws.String(record.UserAttribute), AttributeType: types.ScalarAttributeTypeS},
		{AttributeName: &s.cfg.ExpiresAttribute, AttributeType: types.ScalarAttributeTypeN},
	}
}

func (s *Store) indexKey() []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: aws.String(record.UserAttribute), KeyType: types.KeyTypeHash},
		{AttributeName: &s.cfg.ExpiresAttribute, KeyType: types.KeyTypeRange},
	}
}

// indexProjection is, beside the keys, what tells whether MaxLifetime has ended the session.
func indexProjection() *types.Projection {
	return &types.Projection{
		ProjectionType:   types.ProjectionTypeInclude,
		NonKeyAttributes: []string{record.CreatedAttribute},
	}
}

// awaitTable waits until the table has been created, and returns it, or why it does not serve. table is what
// is known of it, nil for nothing.
func (s *Store) awaitTable(ctx context.Context, client tableDescriber, table *types.TableDescription) (*types.TableDescription, error) {
	waiting := newWait(ctx)
	for {
		if table != nil && table.TableStatus != types.TableStatusCreating {
			return table, s.statusProblem(table)
		}
		if table != nil {
			if err := waiting.pause(); err != nil {
				return nil, s.gaveUp("the table to be created", err)
			}
		}
		var err error
		table, err = lookAgain(ctx, func() (*types.TableDescription, error) { return s.describeTable(ctx, client) })
		if record.IsMissing(err) { // a moment after CreateTable, at times
			table = &types.TableDescription{TableStatus: types.TableStatusCreating}
		} else if err != nil {
			return nil, err
		}
	}
}

// lookAgain is look for who waits: an answer that does not come in time is waited for like anything else.
func lookAgain[T any](ctx context.Context, look func() (T, error)) (T, error) {
	for waiting := newWait(ctx); ; {
		found, err := look()
		if !errors.Is(err, context.DeadlineExceeded) || waiting.pause() != nil {
			return found, err
		}
	}
}

// ensureIndex adds the index of users if it is missing, waits until it serves, and returns the table as it
// then is.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
func (s *Store) ensureIndex(ctx context.Context, client tableMaker, table *types.TableDescription) (*types.TableDescription, error) {
	waiting := newWait(ctx)
	for {
		var refused error
		switch index := s.findIndex(table); {
		case index == nil:
			refused = s.addIndex(ctx, client, table)
		case index.IndexStatus != types.IndexStatusCreating:
			return table, nil // what may be wrong with it, indexProblem says
		default:
			if err := waiting.pause(); err != nil {
				return nil, s.gaveUp(fmt.Sprintf("the index %q to be created", s.cfg.UserIndex), err)
			}
		}
		var err error
		table, err = lookAgain(ctx, func() (*types.TableDescription, error) { return s.describeTable(ctx, client) })
		if err != nil {
			return nil, errors.Join(refused, err)
		}
		if s.findIndex(table) != nil {
			continue // by another instance, perhaps, which was faster
		}
		if refused != nil && !isInUse(refused) && !changing(table) {
			return nil, refused
		}
		// The table is being changed in another way, or does not show the index yet.
		if err := waiting.pause(); err != nil {
			return nil, s.gaveUp(fmt.Sprintf("the index %q to be added", s.cfg.UserIndex), err)
		}
	}
}

// changing reports whether DynamoDB is about to change the table or an index. It makes one such change
// of a table at a time.
func changing(table *types.TableDescription) bool {
	return table.TableStatus == types.TableStatusUpdating ||
		slices.ContainsFunc(table.GlobalSecondaryIndexes, func(index types.GlobalSecondaryIndexDescription) bool {
			return index.IndexStatus != types.IndexStatusActive && index.IndexStatus != ""
		})
}

func (s *Store) addIndex(ctx context.Context, client tableUpdater, table *types.TableDescription) error {
	create := &types.CreateGlobalSecondaryIndexAction{
		IndexName:  &s.cfg.UserIndex,
		KeySchema:  s.indexKey(),
		Projection: indexProjection(),
	}
	// An index of a table with provisioned capacity has capacity of its own: here, as much as the table.
	if p := table.ProvisionedThroughput; p != nil && aws.ToInt64(p.ReadCapacityUnits) > 0 && aws.ToInt64(p.WriteCapacityUnits) > 0 {
		create.ProvisionedThroughput = &types.ProvisionedThroughput{
			ReadCapacityUnits:  p.ReadCapacityUnits,
			WriteCapacityUnits: p.WriteCapacityUnits,
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	_, err := client.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName:                   &s.cfg.Table,
		AttributeDefinitions:        s.indexAttributes(),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: create}},
	})
	if err != nil {
		return s.tableError(fmt.Sprintf("add the index %q to", s.cfg.UserIndex), "UpdateTable", err)
	}
	return nil
}

// ensureTTL turns TTL on if it is off, and the table is new or empty. It returns how TTL then is.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
func (s *Store) ensureTTL(ctx context.Context, client tableMaker, created bool) (*types.TimeToLiveDescription, error) {
	if !created {
		ttl, err := s.describeTTL(ctx, client)
		if err != nil || ttl.TimeToLiveStatus != types.TimeToLiveStatusDisabled {
			return ttl, err // whether that is right, ttlProblem says
		}
		if empty, err := s.isEmpty(ctx, client); err != nil || !empty {
			return ttl, err
		}
	}
	refused := s.turnOnTTL(ctx, client)
	waiting := newWait(ctx)
	for {
		ttl, err := lookAgain(ctx, func() (*types.TimeToLiveDescription, error) { return s.describeTTL(ctx, client) })
		switch {
		case err != nil:
			return nil, errors.Join(refused, err)
		case ttl.TimeToLiveStatus != types.TimeToLiveStatusDisabled:
			return ttl, nil // by another instance, perhaps, which was faster
		case refused != nil:
			return nil, refused
		}
		if err := waiting.pause(); err != nil {
			return nil, s.gaveUp("TTL to be turned on", err)
		}
	}
}

func (s *Store) turnOnTTL(ctx context.Context, client ttlUpdater) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	_, err := client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &s.cfg.Table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: &s.cfg.ExpiresAttribute,
			Enabled:       aws.Bool(true),
		},
	})
	if err != nil {
		return s.tableError("turn on TTL of", "UpdateTimeToLive", err)
	}
	return nil
}

// isEmpty reports whether the table holds nothing at all, of whomever.
func (s *Store) isEmpty(ctx context.Context, client tableScanner) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	out, err := client.Scan(ctx, &dynamodb.ScanInput{
		TableName:      &s.cfg.Table,
		ConsistentRead: aws.Bool(true),
		Limit:          aws.Int32(1),
	})
	if err != nil {
		return false, s.tableError("see whether there is anything in", "Scan", err)
	}
	return len(out.Items) == 0 && len(out.LastEvaluatedKey) == 0, nil
}

// A wait is a series of pauses, each longer than the one before.
type wait struct {
	ctx  context.Context
	next time.Duration
}

func newWait(ctx context.Context) *wait { return &wait{ctx, 100 * time.Millisecond} }

func (w *wait) pause() error {
	d := w.next
	w.next = min(2*w.next, 2*time.Second)
	return record.Pause(w.ctx, d)
}

func (s *Store) gaveUp(awaited string, err error) error {
	return fmt.Errorf("dynamostore: wait for table %q: while waiting for %s: %w", s.cfg.Table, awaited, err)
}
