package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/record"
)

// CheckTable compares the table with what Config says of it, for the start of a program and for
// deploys. It only reads. It returns nil if the table is as it should be; else every problem that it
// found, joined as by [errors.Join], each a sentence that names the table and says what mends it:
//
//   - the table is missing, or not one that serves;
//   - its partition key or its sort key is of another name or type than Config says, or there is a sort
//     key and there should be none, or the other way round;
//   - TTL is off, being turned off, or on another attribute than Config.ExpiresAttribute. One that is
//     being turned on is fine;
//   - with Config.UserKey: the index is missing, has another key, does not project what it should, or is
//     not ready.
//
// What keeps it from looking is told apart from a table that is wrong: no permission, for each of the
// two requests; no credentials, or such as AWS does not take; no region, or none of that name; an
// endpoint where nothing listens, or that is not DynamoDB.
//
// Each request is bounded by Config.Timeout. CheckTable needs the permissions dynamodb:DescribeTable
// and dynamodb:DescribeTimeToLive, of the client the methods of these names.
func (s *Store) CheckTable(ctx context.Context) error {
	client, ok := s.client.(tableReader)
	if !ok {
		return s.lacks([]method{
			{"DescribeTable", has[tableDescriber](s.client)},
			{"DescribeTimeToLive", has[ttlDescriber](s.client)},
		})
	}
	var problems []error
	table, err := s.describeTable(ctx, client)
	switch {
	case record.IsMissing(err):
		return s.missingTable()
	case record.IsDenied(err): // what can be seen without it is still told
		problems = append(problems, err)
	case err != nil:
		return err
	default:
		problems = append(problems, s.tableProblems(table))
	}
	ttl, err := s.describeTTL(ctx, client)
	if record.IsMissing(err) {
		err = s.missingTable()
	}
	if err != nil {
		return errors.Join(append(problems, err)...)
	}
	return errors.Join(append(problems, s.ttlProblem(ttl))...)
}

// tableReader is what CheckTable needs of a Client.
type (
	tableReader interface {
		tableDescriber
		ttlDescriber
	}
	tableDescriber interface {
		DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	}
	ttlDescriber interface {
		DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
	}
)

type method struct {
	name string
	has  bool
}

func has[Interface any](client Client) bool {
	_, ok := client.(Interface)
	return ok
}

// lacks is the error for a client without some of the methods.
func (s *Store) lacks(methods []method) error {
	var names []string
	for _, m := range methods {
		if !m.has {
			names = append(names, m.name)
		}
	}
	return fmt.Errorf("dynamostore: table %q: the client %T lacks %s: use a *dynamodb.Client, as NewClient makes it, or a wrapper that has it", s.cfg.Table, s.client, strings.Join(names, ", "))
}

// describeTable returns what DynamoDB tells of the table. Any part of it may be missing.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
func (s *Store) describeTable(ctx context.Context, client tableDescriber) (*types.TableDescription, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.cfg.Table})
	if err != nil {
		return nil, s.tableError("look at", "DescribeTable", err)
	}
	if out == nil || out.Table == nil {
		return nil, s.noAnswer("DescribeTable")
	}
	return out.Table, nil
}

// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html
func (s *Store) describeTTL(ctx context.Context, client ttlDescriber) (*types.TimeToLiveDescription, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.cfg.Table})
	if err != nil {
		return nil, s.tableError("look at TTL of", "DescribeTimeToLive", err)
	}
	if out == nil || out.TimeToLiveDescription == nil {
		return nil, s.noAnswer("DescribeTimeToLive")
	}
	return out.TimeToLiveDescription, nil
}

// noAnswer is the error for an answer that says nothing. The SDK reads one so out of any JSON.
func (s *Store) noAnswer(operation string) error {
	return fmt.Errorf("dynamostore: table %q: the answer to %s says nothing of the table: is the endpoint DynamoDB?", s.cfg.Table, operation)
}

// wrong is a problem of the table's.
func (s *Store) wrong(format string, args ...any) error {
	return fmt.Errorf("dynamostore: table %q: %s", s.cfg.Table, fmt.Sprintf(format, args...))
}

func (s *Store) missingTable() error {
	return s.wrong("%s", s.table.Missing())
}

// tableProblems compares all that DescribeTable tells.
func (s *Store) tableProblems(table *types.TableDescription) error {
	return errors.Join(s.keyProblems(table), s.statusProblem(table), s.indexProblem(table))
}

// keyProblems compares the table's keys, which cannot be changed.
func (s *Store) keyProblems(table *types.TableDescription) error {
	key := newKey(table.KeySchema, table.AttributeDefinitions)
	var problems []error
	switch want := s.cfg.KeyAttribute; {
	case key.partition == "":
		problems = append(problems, s.noAnswer("DescribeTable"))
	case !key.partitionKind.is(types.ScalarAttributeTypeS):
		problems = append(problems, s.wrong("its partition key %s is not a string (S), as session IDs are: use another table, since keys cannot be changed", describeKey(key.partition, key.partitionKind)))
	case key.partition != want:
		problems = append(problems, s.wrong("its partition key is %q, and Config.KeyAttribute is %q: set Config.KeyAttribute to %[1]q, or use another table", key.partition, want))
	}
	switch want := s.cfg.SortKeyAttribute; {
	case want == "" && key.sort == "":
	case key.sort == "":
		problems = append(problems, s.wrong("it has no sort key, and Config.SortKeyAttribute is %q: leave SortKeyAttribute and SortKeyValue empty, or use another table", want))
	case !key.sortKind.is(types.ScalarAttributeTypeS):
		problems = append(problems, s.wrong("its sort key %s is not a string (S), as Config.SortKeyValue is: use another table, since keys cannot be changed", describeKey(key.sort, key.sortKind)))
	case want == "":
		problems = append(problems, s.wrong("it has a sort key, %q, and Config.SortKeyAttribute is empty: set Config.SortKeyAttribute to %[1]q and SortKeyValue to the value that marks a session, or use another table", key.sort))
	case key.sort != want:
		problems = append(problems, s.wrong("its sort key is %q, and Config.SortKeyAttribute is %q: set Config.SortKeyAttribute to %[1]q, or use another table", key.sort, want))
	}
	return errors.Join(problems...)
}

// tableKey is the key of a table or an index.
type tableKey struct {
	partition, sort         string // "": none
	partitionKind, sortKind kind
}

// A kind is the type of a key; "" where DynamoDB does not tell.
type kind string

func (k kind) is(want types.ScalarAttributeType) bool { return k == "" || k == kind(want) }

func newKey(schema []types.KeySchemaElement, definitions []types.AttributeDefinition) (k tableKey) {
	for _, e := range schema {
		name := aws.ToString(e.AttributeName)
		switch e.KeyType {
		case types.KeyTypeHash:
			k.partition, k.partitionKind = name, kindOf(definitions, name)
		case types.KeyTypeRange:
			k.sort, k.sortKind = name, kindOf(definitions, name)
		}
	}
	return k
}

func kindOf(definitions []types.AttributeDefinition, name string) kind {
	for _, d := range definitions {
		if aws.ToString(d.AttributeName) == name {
			return kind(d.AttributeType)
		}
	}
	return ""
}

// describeKey is an attribute and its type for a message, as in "id" (S).
func describeKey(name string, k kind) string {
	if k == "" {
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("%q (%s)", name, k)
}

// statusProblem tells why the table does not serve. A status that is not told counts as one that
// serves, as other implementations of DynamoDB's API need not tell it.
func (s *Store) statusProblem(table *types.TableDescription) error {
	switch status := table.TableStatus; status {
	case types.TableStatusActive, types.TableStatusUpdating, "":
		return nil
	case types.TableStatusCreating:
		return s.wrong("it is being created (CREATING): wait, as EnsureTable does")
	case types.TableStatusDeleting:
		return s.wrong("it is being deleted (DELETING): wait until it is gone, and create it anew")
	case types.TableStatusInaccessibleEncryptionCredentials:
		return s.wrong("it does not serve, since its KMS key cannot be used (%s): enable the key, and let DynamoDB use it", status)
	case types.TableStatusArchiving, types.TableStatusArchived:
		return s.wrong("it was archived, since its KMS key could not be used for a week (%s): restore the backup that DynamoDB made", status)
	default:
		return s.wrong("its status is %s: wait, or ask AWS, until it is ACTIVE", status)
	}
}

// indexProblem compares the index of users.
func (s *Store) indexProblem(table *types.TableDescription) error {
	if s.cfg.UserKey == "" {
		return nil
	}
	index := s.findIndex(table)
	if index == nil {
		if problem := s.indexObstacle(table); problem != nil {
			return problem
		}
		return s.wrong("it has no index %q, while Config.UserKey is set: add it, as EnsureTable does, or set Config.UserIndex to the index with partition key %q and sort key %q", s.cfg.UserIndex, record.UserAttribute, s.cfg.ExpiresAttribute)
	}
	if problem := s.indexShape(table, index); problem != nil {
		return problem
	}
	switch status := index.IndexStatus; status {
	case types.IndexStatusActive, types.IndexStatusUpdating, "":
		return nil
	case types.IndexStatusCreating:
		return s.wrong("its index %q is being created (CREATING), so UserSessions and DestroyUser fail: wait, as EnsureTable does", s.cfg.UserIndex)
	case types.IndexStatusDeleting:
		return s.wrong("its index %q is being deleted (DELETING): wait until it is gone, and add it anew, as EnsureTable does", s.cfg.UserIndex)
	default:
		return s.wrong("the status of its index %q is %s: wait, or ask AWS, until it is ACTIVE", s.cfg.UserIndex, status)
	}
}

func (s *Store) findIndex(table *types.TableDescription) *types.GlobalSecondaryIndexDescription {
	for i, index := range table.GlobalSecondaryIndexes {
		if aws.ToString(index.IndexName) == s.cfg.UserIndex {
			return &table.GlobalSecondaryIndexes[i]
		}
	}
	return nil
}

// indexObstacle tells why the index cannot be added: an attribute has one type in all keys of a table
// and its indexes.
func (s *Store) indexObstacle(table *types.TableDescription) error {
	for _, want := range s.indexAttributes() {
		name := aws.ToString(want.AttributeName)
		if k := kindOf(table.AttributeDefinitions, name); !k.is(want.AttributeType) {
			return s.wrong("it has no index %q, while Config.UserKey is set, and none can be added, since the attribute %s is a key of another index, and would have to be of type %s: delete that index, or use another table", s.cfg.UserIndex, describeKey(name, k), want.AttributeType)
		}
	}
	return nil
}

// indexShape compares what cannot be changed of the index.
func (s *Store) indexShape(table *types.TableDescription, index *types.GlobalSecondaryIndexDescription) error {
	const mend = "delete the index and add it anew, as EnsureTable does, or set Config.UserIndex to another name"
	key := newKey(index.KeySchema, table.AttributeDefinitions)
	if key.partition != record.UserAttribute || !key.partitionKind.is(types.ScalarAttributeTypeS) ||
		key.sort != s.cfg.ExpiresAttribute || !key.sortKind.is(types.ScalarAttributeTypeN) {
		sort := "no sort key"
		if key.sort != "" {
			sort = "the sort key " + describeKey(key.sort, key.sortKind)
		}
		return s.wrong("its index %q has the partition key %s and %s, and should have %q (S) and %q (N): %s",
			s.cfg.UserIndex, describeKey(key.partition, key.partitionKind), sort, record.UserAttribute, s.cfg.ExpiresAttribute, mend)
	}
	var projection types.Projection
	if index.Projection != nil {
		projection = *index.Projection
	}
	switch {
	case projection.ProjectionType == types.ProjectionTypeAll || projection.ProjectionType == "":
		return nil
	case slices.Contains(projection.NonKeyAttributes, record.CreatedAttribute):
		return nil
	}
	projected := ""
	if projection.ProjectionType == types.ProjectionTypeInclude {
		projected = fmt.Sprintf(" of %q", projection.NonKeyAttributes)
	}
	return s.wrong("its index %q has the projection %s%s, which lacks %q: %s", s.cfg.UserIndex, projection.ProjectionType, projected, record.CreatedAttribute, mend)
}

// ttlProblem compares what TTL is set to. It is good while DynamoDB turns it on.
func (s *Store) ttlProblem(ttl *types.TimeToLiveDescription) error {
	attribute, want := aws.ToString(ttl.AttributeName), s.cfg.ExpiresAttribute
	switch status := ttl.TimeToLiveStatus; status {
	case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
		if attribute == want {
			return nil
		}
		return s.wrong("TTL is on for the attribute %q (%s), and Config.ExpiresAttribute is %q: set Config.ExpiresAttribute to %[1]q, or turn TTL off and, up to an hour later, on for %[3]q", attribute, status, want)
	case types.TimeToLiveStatusDisabling:
		return s.wrong("TTL is being turned off (DISABLING), which takes DynamoDB up to an hour: turn it on for the attribute %q after that, or have PurgeExpired delete what has expired", want)
	case types.TimeToLiveStatusDisabled, "":
		if status == "" && attribute == want {
			return nil
		}
		return s.wrong("TTL is off, so that expired sessions stay and are paid for: turn it on for the attribute %q, after a look at what else lies in the table and would be deleted, or have PurgeExpired delete what has expired", want)
	default:
		return s.wrong("the status of TTL is %s: wait, or ask AWS, until it is ENABLED", status)
	}
}
