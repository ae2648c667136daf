package memdynamo

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// CreateTable, DescribeTable, DeleteTable, UpdateTable, ListTables, UpdateTimeToLive,
// DescribeTimeToLive.

const maxIndexes = 20

type createTableRequest struct {
	tableRequest
	AttributeDefinitions      []definition
	KeySchema                 keySchema
	BillingMode               string
	ProvisionedThroughput     *throughput
	GlobalSecondaryIndexes    []index
	DeletionProtectionEnabled bool

	// Parameters that only affect the table's description.
	TableClass       string
	SSESpecification *struct {
		Enabled                 bool
		SSEType, KMSMasterKeyId string
	}
	StreamSpecification *struct{ StreamEnabled *bool }
	Tags                []struct{ Key, Value *string }
}

type definition struct {
	AttributeName string
	AttributeType kind
}

func (e *Engine) createTable(in createTableRequest) map[string]any {
	checkName(in.TableName)
	t := &table{name: in.TableName, created: e.now(), indexes: map[string]*index{}, protected: in.DeletionProtectionEnabled}
	kinds := checkDefinitions(in.AttributeDefinitions)
	checkEnum("BillingMode", in.BillingMode, "PROVISIONED", "PAY_PER_REQUEST")
	t.onDemand = in.BillingMode == "PAY_PER_REQUEST"
	t.ProvisionedThroughput = t.checkThroughput(in.ProvisionedThroughput, "table")
	t.KeySchema, t.items = in.KeySchema, map[string]*item{}
	t.KeySchema.check(kinds, "%s Key not specified in Attribute Definitions.  Type unknown.", "Hash", "Range")
	for i := range in.GlobalSecondaryIndexes {
		t.addIndex(&in.GlobalSecondaryIndexes[i], kinds, "Two global secondary indices have the same name")
	}
	refuseIf(in.GlobalSecondaryIndexes != nil && len(t.indexes) == 0, "GSI list is empty/invalid")
	refuseIf(len(t.keyKinds()) != len(kinds), "The number of attributes in key schema must match the number of attributes defined in attribute definitions.")
	t.details = in.details()
	failIf(e.tables[t.name] != nil, exception+"ResourceInUseException", "Cannot create preexisting table")
	e.tables[t.name] = t
	return map[string]any{"TableDescription": t.describe()}
}

// details checks the parameters that only affect the table's description, and returns its members.
func (in createTableRequest) details() map[string]any {
	details := map[string]any{"TableId": newUUID()}
	checkEnum("TableClass", in.TableClass, "STANDARD", "STANDARD_INFREQUENT_ACCESS")
	if in.TableClass != "" {
		details["TableClassSummary"] = map[string]any{"TableClass": in.TableClass}
	}
	if spec := in.SSESpecification; spec != nil {
		checkEnum("SSEType", spec.SSEType, "AES256", "KMS")
		key := cmp.Or(spec.KMSMasterKeyId, "alias/aws/dynamodb")
		if !strings.HasPrefix(key, "arn:") {
			key = "arn:aws:kms:ddblocal:000000000000:" + key
		}
		if spec.Enabled {
			details["SSEDescription"] = map[string]any{"Status": "ENABLED", "SSEType": cmp.Or(spec.SSEType, "KMS"), "KMSMasterKeyArn": key}
		}
	}
	if spec := in.StreamSpecification; spec != nil {
		refuseIf(spec.StreamEnabled == nil, "Stream StreamEnabled was null")
		unimplementedIf(*spec.StreamEnabled, "StreamSpecification")
	}
	for _, tag := range in.Tags {
		refuseIf(tag.Key == nil || tag.Value == nil, "One or more parameter values were invalid: a tag must have a Key and a Value")
	}
	return details
}

// newUUID returns a random UUID: version 4 of RFC 9562.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// checkDefinitions returns the types of the attributes.
func checkDefinitions(definitions []definition) map[string]kind {
	kinds := map[string]kind{}
	for _, d := range definitions {
		refuseIf(!(value{kind: d.AttributeType}).isScalar(), "Member must satisfy enum value set: [B, N, S]")
		checkAttributeName(d.AttributeName)
		refuseIf(kinds[d.AttributeName] != "", "Cannot have two attributes with the same name")
		kinds[d.AttributeName] = d.AttributeType
	}
	return kinds
}

func checkAttributeName(name string) {
	refuseIf(len(name) < 1 || len(name) > 255, "Names of key attributes and attributes projected into an index must be between 1 and 255 characters, inclusive")
}

// check checks a KeySchema, and sets its types. undefined is the error's text for a key whose type
// is not defined, with a verb for that one of roles, the names of HASH and RANGE in it.
func (s keySchema) check(kinds map[string]kind, undefined string, roles ...string) {
	refuseIf(s == nil, "No defined key schema.  A key schema containing at least a hash key must be defined for all tables")
	refuseIf(len(s) > 2, "Key Schema too big.  Key Schema must at most consist of the hash and range key of a table")
	refuseIf(len(s) == 0 || s[0].KeyType != "HASH", "No Hash Key specified in schema.  All Dynamo DB tables must have exactly one hash key")
	for _, k := range s[1:] {
		refuseIf(k.KeyType == "HASH", "Too many hash keys specified.  All Dynamo DB tables must have exactly one hash key")
		refuseIf(k.KeyType != "RANGE", "Member must satisfy enum value set: [HASH, RANGE]")
		refuseIf(k.AttributeName == s[0].AttributeName, "Two keys can not have the same name")
	}
	for i, k := range s {
		s[i].kind = kinds[k.AttributeName]
		refuseIf(s[i].kind == "", undefined, roles[i])
	}
}

// checkThroughput checks a ProvisionedThroughput, which must be there unless the table is on
// demand. what names its owner in the error.
func (t *table) checkThroughput(p *throughput, what string) *throughput {
	refuseIf(p == nil && !t.onDemand, "No provisioned throughput specified for the %s", what)
	if p == nil {
		return &throughput{}
	}
	refuseIf(t.onDemand, "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	refuseIf(p.ReadCapacityUnits < 1 || p.WriteCapacityUnits < 1, "Table read and write throughput must be at least 1, and cannot be null")
	return p
}

// addIndex checks the definition of a global secondary index, and builds it from the table's items.
// duplicate is the error's text if there is one of that name.
func (t *table) addIndex(ix *index, kinds map[string]kind, duplicate string) {
	checkName(ix.IndexName)
	ix.KeySchema.check(kinds, "Global Secondary Index %s key not specified in Attribute Definitions.Type unknown.", "hash", "range")
	p := ix.Projection
	included := p.NonKeyAttributes
	refuseIf(p.ProjectionType == nil, "Indexes must have a projection specified")
	typ := *p.ProjectionType
	refuseIf(!slices.Contains([]string{"INCLUDE", "ALL", "KEYS_ONLY"}, typ), "Projection type must be INCLUDE, ALL, or KEYS_ONLY")
	refuseIf(typ == "INCLUDE" && len(included) == 0, "If Projection type INCLUDE is specified, some non-key attributes to include in the projection must be specified as well")
	refuseIf(typ != "INCLUDE" && included != nil, "No attributes should be specified to be projected unless projection type is INCLUDE")
	if typ != "ALL" {
		ix.projected = map[string]bool{}
		for _, name := range included {
			ix.projected[name] = true
		}
		refuseIf(len(ix.projected) != len(included), "Cannot have two attributes with the same name")
		for _, k := range slices.Concat(t.KeySchema, ix.KeySchema) {
			ix.projected[k.AttributeName] = true
		}
	}
	ix.ProvisionedThroughput = t.checkThroughput(ix.ProvisionedThroughput, "global secondary index")
	refuseIf(t.indexes[ix.IndexName] != nil, "%s", duplicate)
	refuseIf(len(t.indexes) == maxIndexes, "One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table limit of %d", maxIndexes)
	t.indexes[ix.IndexName] = ix
	ix.items = map[string]*item{}
	for position, it := range t.items {
		if at, held := ix.entry(position, it); held != nil {
			ix.items[at] = it
		}
	}
}

// keyKinds returns the attributes that are keys of the table or an index, which are those that a
// table has definitions of.
func (t *table) keyKinds() map[string]kind {
	kinds := map[string]kind{}
	keys := slices.Clone(t.KeySchema)
	for _, ix := range t.indexes {
		keys = append(keys, ix.KeySchema...)
	}
	for _, k := range keys {
		kinds[k.AttributeName] = k.kind
	}
	return kinds
}

func (e *Engine) describeTable(in tableRequest) map[string]any {
	return map[string]any{"Table": e.table(in.TableName, true).describe()}
}

// deleteTable deletes the table at once, although the response says that it is being deleted.
func (e *Engine) deleteTable(in tableRequest) map[string]any {
	t := e.table(in.TableName, true)
	refuseIf(t.protected, "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	delete(e.tables, t.name)
	description := t.describe()
	description["TableStatus"] = "DELETING"
	for _, name := range []string{"AttributeDefinitions", "KeySchema", "CreationDateTime", "GlobalSecondaryIndexes"} {
		delete(description, name)
	}
	return map[string]any{"TableDescription": description}
}

type updateTableRequest struct {
	tableRequest
	AttributeDefinitions        []definition
	GlobalSecondaryIndexUpdates []indexUpdate
	DeletionProtectionEnabled   *bool
}

type indexUpdate struct {
	Create *index
	Delete *struct{ IndexName string }
}

// updateTable adds or deletes one index, or switches deletion protection.
func (e *Engine) updateTable(in updateTableRequest) map[string]any {
	t := e.table(in.TableName, true)
	kinds := checkDefinitions(in.AttributeDefinitions)
	updates := in.GlobalSecondaryIndexUpdates
	var update indexUpdate
	if len(updates) > 0 {
		update = updates[0]
		refuseIf(update == indexUpdate{}, "Update global secondary index action is null")
	}
	failIf(len(updates) > 1 || update.Create != nil && update.Delete != nil, exception+"LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	refuseIf(len(updates) == 0 && in.DeletionProtectionEnabled == nil, "Nothing to update")
	if update.Create != nil {
		refuseIf(len(kinds) == 0, "No Attribute Schema Defined")
		for name, k := range t.keyKinds() {
			refuseIf(kinds[name] != "" && kinds[name] != k, "invalid attribute, SchemaElement redefined should be of same type as previously defined")
			kinds[name] = k
		}
		t.addIndex(update.Create, kinds, "Attempting to create an index which already exists")
	}
	if del := update.Delete; del != nil {
		refuseIf(del.IndexName == "", "Invalid global secondary index name")
		failIf(t.indexes[del.IndexName] == nil, exception+"ResourceNotFoundException", "Requested resource not found")
		delete(t.indexes, del.IndexName)
	}
	if in.DeletionProtectionEnabled != nil {
		t.protected = *in.DeletionProtectionEnabled
	}
	return map[string]any{"TableDescription": t.describe()}
}

type listTablesRequest struct {
	Limit                   *int
	ExclusiveStartTableName string
}

func (e *Engine) listTables(in listTablesRequest) map[string]any {
	limit, start := 100, in.ExclusiveStartTableName
	if in.Limit != nil {
		limit = *in.Limit
	}
	refuseIf(limit < 1, "Limit must be greater than or equal to 1")
	refuseIf(limit > 100, "Limit in ListTables must be <= 100")
	if start != "" {
		checkName(start)
	}
	names := slices.Sorted(maps.Keys(e.tables))
	names = slices.DeleteFunc(names, func(name string) bool { return name <= start })
	out := map[string]any{"TableNames": names}
	if len(names) > limit {
		out["TableNames"] = names[:limit]
		out["LastEvaluatedTableName"] = names[limit-1]
	}
	return out
}

// describe returns the table's TableDescription.
func (t *table) describe() map[string]any {
	definitions := []definition{}
	kinds := t.keyKinds()
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		definitions = append(definitions, definition{name, kinds[name]})
	}
	arn := "arn:aws:dynamodb:ddblocal:000000000000:table/" + t.name
	created := float64(t.created.UnixMilli()) / 1000
	out := map[string]any{
		"TableName":            t.name,
		"TableStatus":          "ACTIVE",
		"TableArn":             arn,
		"CreationDateTime":     created,
		"AttributeDefinitions": definitions,
		"KeySchema":            t.KeySchema,
		"ProvisionedThroughput": struct {
			*throughput
			NumberOfDecreasesToday int
		}{t.ProvisionedThroughput, 0},
		"ItemCount":                 len(t.items),
		"TableSizeBytes":            t.size(),
		"DeletionProtectionEnabled": t.protected,
	}
	maps.Copy(out, t.details)
	if t.onDemand {
		out["BillingModeSummary"] = map[string]any{"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": created}
	}
	var indexes []any
	for _, name := range slices.Sorted(maps.Keys(t.indexes)) {
		ix := t.indexes[name]
		indexes = append(indexes, map[string]any{
			"IndexName":             name,
			"IndexStatus":           "ACTIVE",
			"IndexArn":              arn + "/index/" + name,
			"KeySchema":             ix.KeySchema,
			"Projection":            ix.Projection,
			"ProvisionedThroughput": ix.ProvisionedThroughput,
			"ItemCount":             len(ix.items),
			"IndexSizeBytes":        ix.size(),
		})
	}
	if indexes != nil {
		out["GlobalSecondaryIndexes"] = indexes
	}
	return out
}

// size returns the size of what the index holds.
func (ix *index) size() int {
	size := 0
	for _, it := range ix.items {
		size += ix.project(it).size
	}
	return size
}

type updateTimeToLiveRequest struct {
	tableRequest
	TimeToLiveSpecification *struct {
		AttributeName *string
		Enabled       *bool
	}
}

func (e *Engine) updateTimeToLive(in updateTimeToLiveRequest) map[string]any {
	t := e.table(in.TableName, true)
	spec := in.TimeToLiveSpecification
	refuseIf(spec == nil, "TimeToLiveSpecification cannot be null")
	refuseIf(spec.AttributeName == nil || spec.Enabled == nil, "AttributeName cannot be null when time to live is being enabled")
	attribute, enabled := *spec.AttributeName, *spec.Enabled
	checkAttributeName(attribute)
	refuseIf(t.ttl == "" && !enabled, "TimeToLive is already disabled")
	refuseIf(t.ttl != "" && t.ttl != attribute, "TimeToLive is active on a different AttributeName")
	refuseIf(t.ttl != "" && enabled, "TimeToLive is already enabled")
	t.ttl = ""
	if enabled {
		t.ttl, t.swept = attribute, e.now()
	}
	return map[string]any{"TimeToLiveSpecification": spec}
}

func (e *Engine) describeTimeToLive(in tableRequest) map[string]any {
	t := e.table(in.TableName, true)
	description := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if t.ttl != "" {
		description["TimeToLiveStatus"] = "ENABLED"
		description["AttributeName"] = t.ttl
	}
	return map[string]any{"TimeToLiveDescription": description}
}

// sweepEvery is the time between two deletions of a table's expired items.
const sweepEvery = 10 * time.Second

// An item that expired longer ago than this is not deleted, since its attribute is probably not a
// time.
const oldestExpiry = 5 * 365 * 24 * time.Hour

// sweep deletes the expired items, if that is due.
func (t *table) sweep(now time.Time) {
	if t.ttl == "" || now.Sub(t.swept) < sweepEvery {
		return
	}
	t.swept = now
	until, from := decimalOf(now.Unix()), decimalOf(now.Add(-oldestExpiry).Unix())
	for position, it := range t.items {
		v := it.attrs[t.ttl]
		if v.kind == kindN && v.num.Cmp(until.Rat) < 0 && v.num.Cmp(from.Rat) >= 0 {
			t.put(position, it, nil)
		}
	}
}
