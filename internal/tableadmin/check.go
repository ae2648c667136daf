package tableadmin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/record"
)

// Check compares the table with the configuration. It only reads. It returns an error that joins
// every problem found; each names the table and suggests a fix.
func (a *Admin) Check(ctx context.Context) error {
	client, ok := a.client.(describer)
	if !ok {
		return a.unsupported("DescribeTable, DescribeTimeToLive")
	}
	table, tableErr := a.describeTable(ctx, client)
	switch {
	case tableErr == nil:
		tableErr = a.tableProblems(table)
	case record.IsMissing(tableErr):
		return a.missingTable()
	case !record.IsDenied(tableErr): // TTL can be checked without that permission
		return tableErr
	}
	ttl, err := a.describeTTL(ctx, client)
	switch {
	case err == nil:
		err = a.ttlProblem(ttl)
	case record.IsMissing(err):
		err = a.missingTable()
	}
	return errors.Join(tableErr, err)
}

func (a *Admin) missingTable() error { return a.problem("%s", a.table.MissingTable()) }

// tableProblems checks everything that DescribeTable returns.
func (a *Admin) tableProblems(table *types.TableDescription) error {
	return errors.Join(a.keyProblems(table), a.statusProblem(table), a.indexProblem(table))
}

// keyProblems checks the table's key, which cannot be changed.
func (a *Admin) keyProblems(table *types.TableDescription) error {
	partition, sort := keyOf(table.KeySchema, table.AttributeDefinitions)
	if partition.name == "" {
		return a.emptyResponse("DescribeTable")
	}
	err := a.attributeProblem("partition key", partition, "KeyAttribute", a.schema.Key)
	switch want := a.schema.SortKey; {
	case want == "" && sort.name == "":
		return err
	case sort.name == "":
		return errors.Join(err, a.problem("there is no sort key, but Config.SortKeyAttribute is %q; leave SortKeyAttribute and SortKeyValue empty, or use another table", want))
	case want == "" && sort.isType(types.ScalarAttributeTypeS):
		return errors.Join(err, a.problem("there is a sort key, %q, but Config.SortKeyAttribute is empty; set it to %[1]q and SortKeyValue to the value that marks a session, or use another table", sort.name))
	default:
		return errors.Join(err, a.attributeProblem("sort key", sort, "SortKeyAttribute", want))
	}
}

// attributeProblem checks one attribute of the table's key.
func (a *Admin) attributeProblem(role string, got attribute, field, want string) error {
	switch {
	case !got.isType(types.ScalarAttributeTypeS):
		return a.problem("the %s, %v, is not a string (S); use another table, since keys cannot be changed", role, got)
	case got.name != want:
		return a.problem("the %s is %q, but Config.%s is %q; set Config.%[3]s to %[2]q, or use another table", role, got.name, field, want)
	}
	return nil
}

// attribute is an attribute of a key.
type attribute struct {
	name string                    // empty: there is no such attribute
	typ  types.ScalarAttributeType // empty if unknown
}

func (a attribute) isType(want types.ScalarAttributeType) bool { return a.typ == "" || a.typ == want }

// String returns the attribute's name and type, as in "id" (S).
func (a attribute) String() string {
	if a.typ == "" {
		return fmt.Sprintf("%q", a.name)
	}
	return fmt.Sprintf("%q (%s)", a.name, a.typ)
}

// keyOf returns the key of a table or an index.
func keyOf(schema []types.KeySchemaElement, definitions []types.AttributeDefinition) (partition, sort attribute) {
	for _, e := range schema {
		attr := attribute{aws.ToString(e.AttributeName), typeOf(definitions, e.AttributeName)}
		if e.KeyType == types.KeyTypeHash {
			partition = attr
		} else {
			sort = attr
		}
	}
	return partition, sort
}

func typeOf(definitions []types.AttributeDefinition, name *string) types.ScalarAttributeType {
	for _, d := range definitions {
		if aws.ToString(d.AttributeName) == aws.ToString(name) {
			return d.AttributeType
		}
	}
	return ""
}

// statusProblem checks whether the table can be used. A missing status is no problem: other
// implementations of DynamoDB's API may not return one.
func (a *Admin) statusProblem(table *types.TableDescription) error {
	switch status := table.TableStatus; status {
	case types.TableStatusActive, types.TableStatusUpdating, "":
		return nil
	case types.TableStatusCreating:
		return a.problem("the table is being created (CREATING); wait, as EnsureTable does")
	case types.TableStatusDeleting:
		return a.problem("the table is being deleted (DELETING); wait until it is gone, then create it with EnsureTable")
	case types.TableStatusInaccessibleEncryptionCredentials:
		return a.problem("the table's KMS key cannot be used (%s); enable the key, and let DynamoDB use it", status)
	case types.TableStatusArchiving, types.TableStatusArchived:
		return a.problem("the table was archived, because its KMS key could not be used for a week (%s); restore the backup that DynamoDB made", status)
	default:
		return a.problem("the table's status is %s; wait until it is ACTIVE, or ask AWS", status)
	}
}

// indexProblem checks the index of users.
func (a *Admin) indexProblem(table *types.TableDescription) error {
	if problem := a.indexShapeProblem(table); problem != nil || a.schema.Index == "" {
		return problem
	}
	index := a.findIndex(table)
	if index == nil {
		return a.problem("there is no index %q, but Config.UserKey is set; add the index with EnsureTable, or set Config.UserIndex to one with the partition key %q and the sort key %q",
			a.schema.Index, record.UserAttribute, a.schema.Expires)
	}
	switch status := index.IndexStatus; status {
	case types.IndexStatusActive, types.IndexStatusUpdating, "":
		return nil
	case types.IndexStatusCreating:
		return a.problem("the index %q is being created (CREATING), so UserSessions and DestroyUser fail; wait, as EnsureTable does", a.schema.Index)
	case types.IndexStatusDeleting:
		return a.problem("the index %q is being deleted (DELETING); wait until it is gone, then add it with EnsureTable", a.schema.Index)
	default:
		return a.problem("the status of the index %q is %s; wait until it is ACTIVE, or ask AWS", a.schema.Index, status)
	}
}

// findIndex returns the index of users, or nil if the table has none.
func (a *Admin) findIndex(table *types.TableDescription) *types.GlobalSecondaryIndexDescription {
	for _, index := range table.GlobalSecondaryIndexes {
		if aws.ToString(index.IndexName) == a.schema.Index {
			return &index
		}
	}
	return nil
}

// indexShapeProblem checks what cannot be changed: the key and the projection of the index, or, if
// there is no index, whether it can be added.
func (a *Admin) indexShapeProblem(table *types.TableDescription) error {
	if a.schema.Index == "" {
		return nil
	}
	index := a.findIndex(table)
	if index == nil {
		return a.indexObstacle(table)
	}
	const fix = "delete the index and add it with EnsureTable, or set Config.UserIndex to another name"
	partition, sort := keyOf(index.KeySchema, table.AttributeDefinitions)
	if partition.name != record.UserAttribute || !partition.isType(types.ScalarAttributeTypeS) ||
		sort.name != a.schema.Expires || !sort.isType(types.ScalarAttributeTypeN) {
		got := "no sort key"
		if sort.name != "" {
			got = fmt.Sprintf("the sort key %v", sort)
		}
		return a.problem("the index %q has the partition key %v and %s, but needs %q (S) and %q (N); %s",
			a.schema.Index, partition, got, record.UserAttribute, a.schema.Expires, fix)
	}
	projection := index.Projection
	if projection == nil || projection.ProjectionType == "" || projection.ProjectionType == types.ProjectionTypeAll {
		return nil
	}
	missing := slices.DeleteFunc(record.ProjectedAttributes(), func(name string) bool {
		return slices.Contains(projection.NonKeyAttributes, name)
	})
	if len(missing) == 0 {
		return nil
	}
	return a.problem("the index %q does not project %q; %s", a.schema.Index, missing, fix)
}

// indexObstacle checks whether the index can be added: an attribute must have the same type in all
// keys of a table and its indexes.
func (a *Admin) indexObstacle(table *types.TableDescription) error {
	for _, want := range a.indexAttributes() {
		got := attribute{*want.AttributeName, typeOf(table.AttributeDefinitions, want.AttributeName)}
		if !got.isType(want.AttributeType) {
			return a.problem("there is no index %q, but Config.UserKey is set, and the index cannot be added, because the attribute %v in the key of another index is not of type %s; delete that index, or use another table",
				a.schema.Index, got, want.AttributeType)
		}
	}
	return nil
}

// ttlProblem checks the TTL settings. TTL that is being enabled is no problem.
func (a *Admin) ttlProblem(ttl *types.TimeToLiveDescription) error {
	attribute, want := aws.ToString(ttl.AttributeName), a.schema.Expires
	switch status := ttl.TimeToLiveStatus; status {
	case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
		if attribute == want {
			return nil
		}
		return a.problem("TTL is on for the attribute %q (%s), but Config.ExpiresAttribute is %q; set Config.ExpiresAttribute to %[1]q, or turn TTL off and, up to an hour later, on for %[3]q", attribute, status, want)
	case types.TimeToLiveStatusDisabling:
		return a.problem("TTL is being turned off (DISABLING), which takes up to an hour; turn it on for the attribute %q after that, or delete expired sessions with PurgeExpired", want)
	case types.TimeToLiveStatusDisabled, "":
		if status == "" && attribute == want {
			return nil
		}
		return a.problem("TTL is off, so expired sessions stay in the table and cost money; make sure that TTL would delete nothing else, then turn it on for the attribute %q, or delete expired sessions with PurgeExpired", want)
	default:
		return a.problem("the status of TTL is %s; wait until it is ENABLED, or ask AWS", status)
	}
}
