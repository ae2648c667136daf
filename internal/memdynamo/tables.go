package memdynamo

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CreateTable, DescribeTable, DeleteTable, UpdateTable, ListTables.

const maxIndexes = 20

func (e *Engine) createTable(p params) map[string]any {
	name := p.string("TableName")
	checkName(name)
	t := &table{name: name, created: e.now(), indexes: map[string]*index{}}
	t.attributes = p.attributeKinds()
	billing := p.enum("BillingMode", "PROVISIONED", "PROVISIONED", "PAY_PER_REQUEST")
	t.provisioned = p.throughput(billing == "PROVISIONED", "table")
	t.key = p.keySchema(t.attributes, "%s Key not specified in Attribute Definitions.  Type unknown.", "Hash", "Range")
	hasIndexes := p.structs("GlobalSecondaryIndexes", func(p params) {
		ix := t.newIndex(p, t.attributes)
		if t.indexes[ix.name] != nil {
			panic(validation("Two global secondary indices have the same name"))
		}
		t.addIndex(ix)
	})
	if hasIndexes && len(t.indexes) == 0 {
		panic(validation("GSI list is empty/invalid"))
	}
	if len(t.keyKinds()) != len(t.attributes) {
		panic(validation("The number of attributes in key schema must match the number of attributes defined in attribute definitions."))
	}
	t.protected = p.bool("DeletionProtectionEnabled")
	t.details = p.details()
	p.done()
	if e.tables[name] != nil {
		panic(exception("ResourceInUseException", "Cannot create preexisting table"))
	}
	e.tables[name] = t
	return map[string]any{"TableDescription": t.describe()}
}

// details takes the parameters that only affect the table's description, and returns the members of
// that.
func (p params) details() map[string]any {
	details := map[string]any{"TableId": newUUID()}
	if class := p.enum("TableClass", "", "STANDARD", "STANDARD_INFREQUENT_ACCESS"); class != "" {
		details["TableClassSummary"] = map[string]any{"TableClass": class}
	}
	if spec := p.object("SSESpecification"); spec != nil {
		enabled := spec.bool("Enabled")
		typ := spec.enum("SSEType", "KMS", "AES256", "KMS")
		key, ok := take[string](spec, "KMSMasterKeyId")
		if !ok {
			key = "alias/aws/dynamodb"
		}
		if !strings.HasPrefix(key, "arn:") {
			key = "arn:aws:kms:ddblocal:000000000000:" + key
		}
		if enabled {
			details["SSEDescription"] = map[string]any{"Status": "ENABLED", "SSEType": typ, "KMSMasterKeyArn": key}
		}
		spec.done()
	}
	if spec := p.object("StreamSpecification"); spec != nil {
		switch enabled, ok := take[bool](spec, "StreamEnabled"); {
		case !ok:
			panic(validation("Stream StreamEnabled was null"))
		case enabled:
			refuse("StreamSpecification")
		}
		spec.done()
	}
	p.structs("Tags", func(p params) {
		_, hasKey := take[string](p, "Key")
		_, hasValue := take[string](p, "Value")
		if !hasKey || !hasValue {
			panic(validation("One or more parameter values were invalid: a tag must have a Key and a Value"))
		}
	})
	return details
}

// newUUID returns a random UUID: version 4 of RFC 9562.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// attributeKinds takes the AttributeDefinitions.
func (p params) attributeKinds() map[string]kind {
	kinds := map[string]kind{}
	p.structs("AttributeDefinitions", func(p params) {
		name, k := p.string("AttributeName"), kind(p.string("AttributeType"))
		if !(value{kind: k}).isScalar() {
			panic(validation("Member must satisfy enum value set: [B, N, S]"))
		}
		checkAttributeName(name)
		if kinds[name] != "" {
			panic(validation("Cannot have two attributes with the same name"))
		}
		kinds[name] = k
	})
	return kinds
}

func checkAttributeName(name string) {
	if len(name) < 1 || len(name) > 255 {
		panic(validation("Names of key attributes and attributes projected into an index must be between 1 and 255 characters, inclusive"))
	}
}

// keyRoles are the roles of a key's attributes in a KeySchema.
var keyRoles = []string{"HASH", "RANGE"}

// keySchema takes a KeySchema. undefined is the error's text for a key whose type is not defined,
// with a verb for that one of roles, the names of HASH and RANGE in it.
func (p params) keySchema(kinds map[string]kind, undefined string, roles ...string) keySchema {
	var key keySchema
	var given []string
	ok := p.structs("KeySchema", func(p params) {
		name := p.string("AttributeName")
		key = append(key, keyPart{name, kinds[name], maxHashKey})
		given = append(given, p.string("KeyType"))
	})
	switch {
	case !ok:
		panic(validation("No defined key schema.  A key schema containing at least a hash key must be defined for all tables"))
	case len(key) > 2:
		panic(validation("Key Schema too big.  Key Schema must at most consist of the hash and range key of a table"))
	case len(key) == 0 || given[0] != "HASH":
		panic(validation("No Hash Key specified in schema.  All Dynamo DB tables must have exactly one hash key"))
	}
	if len(key) == 2 {
		switch {
		case given[1] == "HASH":
			panic(validation("Too many hash keys specified.  All Dynamo DB tables must have exactly one hash key"))
		case given[1] != "RANGE":
			panic(validation("Member must satisfy enum value set: [HASH, RANGE]"))
		case key[1].name == key[0].name:
			panic(validation("Two keys can not have the same name"))
		}
		key[1].max = maxRangeKey
	}
	for i, k := range key {
		if k.kind == "" {
			panic(validation(undefined, roles[i]))
		}
	}
	return key
}

// throughput takes the ProvisionedThroughput, which must be there if and only if the table and its
// indexes are provisioned; otherwise it returns nil. what names its owner in the error.
func (p params) throughput(provisioned bool, what string) *throughput {
	spec := p.object("ProvisionedThroughput")
	switch {
	case spec == nil && provisioned:
		panic(validation("No provisioned throughput specified for the %s", what))
	case spec == nil:
		return nil
	case !provisioned:
		panic(validation("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"))
	}
	t := &throughput{spec.int("ReadCapacityUnits", 0), spec.int("WriteCapacityUnits", 0)}
	spec.done()
	if t.read < 1 || t.write < 1 {
		panic(validation("Table read and write throughput must be at least 1, and cannot be null"))
	}
	return t
}

// newIndex takes the definition of a global secondary index, and builds it from the table's items.
func (t *table) newIndex(p params, kinds map[string]kind) *index {
	ix := &index{name: p.string("IndexName")}
	checkName(ix.name)
	ix.key = p.keySchema(kinds, "Global Secondary Index %s key not specified in Attribute Definitions.Type unknown.", "hash", "range")
	projection := p.object("Projection")
	kindOfProjection, ok := take[string](projection, "ProjectionType")
	if !ok {
		panic(validation("Indexes must have a projection specified"))
	}
	included, ok := take[[]any](projection, "NonKeyAttributes")
	projection.done()
	ix.projection = map[string]any{"ProjectionType": kindOfProjection}
	switch kindOfProjection {
	case "INCLUDE":
		if len(included) == 0 {
			panic(validation("If Projection type INCLUDE is specified, some non-key attributes to include in the projection must be specified as well"))
		}
		ix.projection["NonKeyAttributes"] = included
	case "ALL", "KEYS_ONLY":
		if ok {
			panic(validation("No attributes should be specified to be projected unless projection type is INCLUDE"))
		}
	default:
		panic(validation("Projection type must be INCLUDE, ALL, or KEYS_ONLY"))
	}
	if kindOfProjection != "ALL" {
		ix.projected = map[string]bool{}
		for _, x := range included {
			ix.projected[as[string](x, "NonKeyAttributes")] = true
		}
		if len(ix.projected) != len(included) {
			panic(validation("Cannot have two attributes with the same name"))
		}
		for _, k := range slices.Concat(t.key, ix.key) {
			ix.projected[k.name] = true
		}
	}
	ix.provisioned = p.throughput(t.provisioned != nil, "global secondary index")
	p.done()
	for _, e := range t.items {
		if ix.indexed(e.item.attrs) {
			ix.items.set(ix.position(e.item.attrs, e.key), e.item)
		}
	}
	return ix
}

func (t *table) addIndex(ix *index) {
	if len(t.indexes) == maxIndexes {
		panic(validation("One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table limit of %d", maxIndexes))
	}
	t.indexes[ix.name] = ix
}

// keyKinds returns the attributes that are keys of the table or an index.
func (t *table) keyKinds() map[string]kind {
	kinds := map[string]kind{}
	keys := slices.Clone(t.key)
	for _, ix := range t.indexes {
		keys = append(keys, ix.key...)
	}
	for _, k := range keys {
		kinds[k.name] = k.kind
	}
	return kinds
}

func (e *Engine) describeTable(p params) map[string]any {
	t := e.namedTable(p)
	p.done()
	return map[string]any{"Table": t.describe()}
}

// deleteTable deletes the table at once, although the response says that it is being deleted.
func (e *Engine) deleteTable(p params) map[string]any {
	t := e.namedTable(p)
	p.done()
	if t.protected {
		panic(validation("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."))
	}
	delete(e.tables, t.name)
	description := t.describe()
	description["TableStatus"] = "DELETING"
	for _, name := range []string{"AttributeDefinitions", "KeySchema", "CreationDateTime", "GlobalSecondaryIndexes"} {
		delete(description, name)
	}
	return map[string]any{"TableDescription": description}
}

// updateTable adds or deletes one index, or switches deletion protection.
func (e *Engine) updateTable(p params) map[string]any {
	t := e.namedTable(p)
	kinds := p.attributeKinds()
	var create, del params
	updates, actions := 0, 0
	p.structs("GlobalSecondaryIndexUpdates", func(p params) {
		updates++
		for name, action := range map[string]*params{"Create": &create, "Delete": &del} {
			if spec := p.object(name); spec != nil {
				*action = spec
				actions++
			}
		}
	})
	protected, hasProtected := take[bool](p, "DeletionProtectionEnabled")
	p.done()
	switch {
	case updates == 0 && !hasProtected:
		panic(validation("Nothing to update"))
	case updates > 0 && actions == 0:
		panic(validation("Update global secondary index action is null"))
	case actions > 1:
		panic(exception("LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"))
	}
	if create != nil {
		if len(kinds) == 0 {
			panic(validation("No Attribute Schema Defined"))
		}
		for name, k := range t.attributes {
			if kinds[name] != "" && kinds[name] != k {
				panic(validation("invalid attribute, SchemaElement redefined should be of same type as previously defined"))
			}
			kinds[name] = k
		}
		ix := t.newIndex(create, kinds)
		if t.indexes[ix.name] != nil {
			panic(validation("Attempting to create an index which already exists"))
		}
		t.addIndex(ix)
	}
	if del != nil {
		name := del.string("IndexName")
		del.done()
		switch {
		case name == "":
			panic(validation("Invalid global secondary index name"))
		case t.indexes[name] == nil:
			panic(notFound(""))
		}
		delete(t.indexes, name)
	}
	if hasProtected {
		t.protected = protected
	}
	t.attributes = t.keyKinds()
	return map[string]any{"TableDescription": t.describe()}
}

func (e *Engine) listTables(p params) map[string]any {
	limit := p.int("Limit", 100)
	start, hasStart := take[string](p, "ExclusiveStartTableName")
	p.done()
	switch {
	case limit < 1:
		panic(validation("Limit must be greater than or equal to 1"))
	case limit > 100:
		panic(validation("Limit in ListTables must be <= 100"))
	case hasStart:
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
	definitions := []any{}
	for _, name := range slices.Sorted(maps.Keys(t.attributes)) {
		definitions = append(definitions, map[string]any{"AttributeName": name, "AttributeType": t.attributes[name]})
	}
	arn := "arn:aws:dynamodb:ddblocal:000000000000:table/" + t.name
	created := float64(t.created.UnixMilli()) / 1000
	size := 0
	for _, e := range t.items {
		size += e.item.size
	}
	throughput := t.provisioned.describe()
	throughput["LastIncreaseDateTime"], throughput["LastDecreaseDateTime"], throughput["NumberOfDecreasesToday"] = 0, 0, 0
	out := map[string]any{
		"TableName":                 t.name,
		"TableStatus":               "ACTIVE",
		"TableArn":                  arn,
		"CreationDateTime":          created,
		"AttributeDefinitions":      definitions,
		"KeySchema":                 t.key.describe(),
		"ProvisionedThroughput":     throughput,
		"ItemCount":                 len(t.items),
		"TableSizeBytes":            size,
		"DeletionProtectionEnabled": t.protected,
	}
	maps.Copy(out, t.details)
	if t.provisioned == nil {
		out["BillingModeSummary"] = map[string]any{"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": created}
	}
	var indexes []any
	for _, name := range slices.Sorted(maps.Keys(t.indexes)) {
		ix := t.indexes[name]
		size := 0
		for _, e := range ix.items {
			size += ix.project(e.item).size
		}
		indexes = append(indexes, map[string]any{
			"IndexName":             name,
			"IndexStatus":           "ACTIVE",
			"IndexArn":              arn + "/index/" + name,
			"KeySchema":             ix.key.describe(),
			"Projection":            ix.projection,
			"ProvisionedThroughput": ix.provisioned.describe(),
			"ItemCount":             len(ix.items),
			"IndexSizeBytes":        size,
		})
	}
	if indexes != nil {
		out["GlobalSecondaryIndexes"] = indexes
	}
	return out
}

func (s keySchema) describe() []any {
	out := []any{}
	for i, k := range s {
		out = append(out, map[string]any{"AttributeName": k.name, "KeyType": keyRoles[i]})
	}
	return out
}

func (t *throughput) describe() map[string]any {
	if t == nil {
		t = &throughput{}
	}
	return map[string]any{"ReadCapacityUnits": t.read, "WriteCapacityUnits": t.write}
}
