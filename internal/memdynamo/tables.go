package memdynamo

import (
	"crypto/rand"
	"slices"
	"strings"
)

// CreateTable, DescribeTable, DeleteTable, UpdateTable, ListTables.

func (e *Engine) createTable(p *params) (map[string]any, error) {
	name := p.string("TableName")
	definitions := p.attributeDefinitions()
	schema := p.keySchema()
	billing := p.enum("BillingMode", notInEnum("billingMode", "[PROVISIONED, PAY_PER_REQUEST]"), "PROVISIONED", "PAY_PER_REQUEST")
	provisioned := p.throughput()
	_, hasIndexes := p.members["GlobalSecondaryIndexes"]
	var indexes []*indexRequest
	p.structs("GlobalSecondaryIndexes", func(p *params) { indexes = append(indexes, p.index()) })
	if err := p.done(); err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	kinds, err := attributeKinds(definitions)
	if err != nil {
		return nil, err
	}
	if provisioned == nil && billing == "PROVISIONED" {
		return nil, validation("No provisioned throughput specified for the table")
	}
	if provisioned != nil && billing == "PAY_PER_REQUEST" {
		return nil, validation("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	}
	if err := provisioned.check(); err != nil {
		return nil, err
	}
	t := &table{name: name, id: rand.Text(), created: e.now(), attributes: kinds, provisioned: provisioned, items: newOrderedMap(), indexes: map[string]*index{}}
	if t.key, err = schema.resolve(kinds, "Hash Key not specified in Attribute Definitions.  Type unknown.", "Range Key not specified in Attribute Definitions.  Type unknown."); err != nil {
		return nil, err
	}
	if hasIndexes && len(indexes) == 0 {
		return nil, validation("GSI list is empty/invalid")
	}
	used := map[string]bool{t.key.hash: true, t.key.rnge: true}
	for _, r := range indexes {
		ix, err := t.newIndex(r, kinds)
		if err != nil {
			return nil, err
		}
		if t.indexes[ix.name] != nil {
			return nil, validation("Two global secondary indices have the same name")
		}
		t.indexes[ix.name] = ix
		used[ix.key.hash], used[ix.key.rnge] = true, true
	}
	if len(indexes) > maxIndexes {
		return nil, exception("LimitExceededException", "GlobalSecondaryIndex count exceeds the per-table limit of %d", maxIndexes)
	}
	for name := range kinds {
		if !used[name] {
			return nil, validation("The number of attributes in key schema must match the number of attributes defined in attribute definitions.")
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tables[name] != nil {
		return nil, exception("ResourceInUseException", "Cannot create preexisting table")
	}
	e.tables[name] = t
	return map[string]any{"TableDescription": t.describe()}, nil
}

const maxIndexes = 20

type attributeDefinition struct{ name, kind string }

func (p *params) attributeDefinitions() []attributeDefinition {
	var out []attributeDefinition
	p.structs("AttributeDefinitions", func(p *params) {
		out = append(out, attributeDefinition{p.string("AttributeName"), p.string("AttributeType")})
	})
	return out
}

func attributeKinds(definitions []attributeDefinition) (map[string]kind, error) {
	kinds := map[string]kind{}
	for _, d := range definitions {
		if !(value{kind: kind(d.kind)}).isScalar() {
			return nil, validation("Member must satisfy enum value set: [B, N, S]")
		}
		if len(d.name) < 1 || len(d.name) > 255 {
			return nil, validation("Names of key attributes and attributes projected into an index must be between 1 and 255 characters, inclusive")
		}
		if kinds[d.name] != "" {
			return nil, validation("Cannot have two attributes with the same name")
		}
		kinds[d.name] = kind(d.kind)
	}
	return kinds, nil
}

type keyElement struct{ name, role string }

// A schemaRequest is a KeySchema as it came; nil where there was none.
type schemaRequest []keyElement

func (p *params) keySchema() schemaRequest {
	var out schemaRequest
	if p.members["KeySchema"] != nil {
		out = schemaRequest{}
	}
	p.structs("KeySchema", func(p *params) {
		out = append(out, keyElement{p.string("AttributeName"), p.string("KeyType")})
	})
	return out
}

// resolve checks the schema. The two messages are for a key whose type is not
// defined.
func (s schemaRequest) resolve(kinds map[string]kind, hashUndefined, rangeUndefined string) (keySchema, error) {
	var key keySchema
	switch {
	case s == nil:
		return key, validation("No defined key schema.  A key schema containing at least a hash key must be defined for all tables")
	case len(s) == 0:
		return key, validation("No Hash Key specified in schema.  All Dynamo DB tables must have exactly one hash key")
	case len(s) > 2:
		return key, validation("Key Schema too big.  Key Schema must at most consist of the hash and range key of a table")
	case s[0].role != "HASH":
		return key, validation("No Hash Key specified in schema.  All Dynamo DB tables must have exactly one hash key")
	}
	key.hash, key.hashKind = s[0].name, kinds[s[0].name]
	if len(s) == 2 {
		switch {
		case s[1].role == "HASH":
			return key, validation("Too many hash keys specified.  All Dynamo DB tables must have exactly one hash key")
		case s[1].role != "RANGE":
			return key, validation("Member must satisfy enum value set: [HASH, RANGE]")
		case s[1].name == s[0].name:
			return key, validation("Two keys can not have the same name")
		}
		key.rnge, key.rngeKind = s[1].name, kinds[s[1].name]
	}
	if key.hashKind == "" {
		return key, validation("%s", hashUndefined)
	}
	if key.rnge != "" && key.rngeKind == "" {
		return key, validation("%s", rangeUndefined)
	}
	return key, nil
}

func (p *params) throughput() *throughput {
	t := p.object("ProvisionedThroughput")
	if t == nil {
		return nil
	}
	out := &throughput{t.int("ReadCapacityUnits", 0), t.int("WriteCapacityUnits", 0)}
	if err := t.done(); err != nil {
		p.fail(err)
	}
	return out
}

func (t *throughput) check() error {
	if t != nil && (t.read < 1 || t.write < 1) {
		return validation("Table read and write throughput must be at least 1, and cannot be null")
	}
	return nil
}

// An indexRequest is a global secondary index as it came.
type indexRequest struct {
	name          string
	schema        schemaRequest
	hasProjection bool
	projection    string
	nonKey        []string
	provisioned   *throughput
}

func (p *params) index() *indexRequest {
	r := &indexRequest{name: p.string("IndexName"), schema: p.keySchema(), provisioned: p.throughput()}
	if projection := p.object("Projection"); projection != nil {
		r.projection, r.hasProjection = projection.optString("ProjectionType")
		r.nonKey = projection.strings("NonKeyAttributes")
		if err := projection.done(); err != nil {
			p.fail(err)
		}
	}
	return r
}

// newIndex makes an index of the table and its items.
func (t *table) newIndex(r *indexRequest, kinds map[string]kind) (*index, error) {
	if err := checkName(r.name); err != nil {
		return nil, err
	}
	key, err := r.schema.resolve(kinds, "Global Secondary Index hash key not specified in Attribute Definitions.Type unknown.", "Global Secondary Index range key not specified in Attribute Definitions.Type unknown.")
	if err != nil {
		return nil, err
	}
	if !r.hasProjection {
		return nil, validation("Indexes must have a projection specified")
	}
	switch r.projection {
	case "INCLUDE":
		if len(r.nonKey) == 0 {
			return nil, validation("If Projection type INCLUDE is specified, some non-key attributes to include in the projection must be specified as well")
		}
		sorted := slices.Sorted(slices.Values(r.nonKey))
		if len(slices.Compact(sorted)) != len(r.nonKey) {
			return nil, validation("Cannot have two attributes with the same name")
		}
	case "ALL", "KEYS_ONLY":
		if r.nonKey != nil {
			return nil, validation("No attributes should be specified to be projected unless projection type is INCLUDE")
		}
	default:
		return nil, validation("Projection type must be INCLUDE, ALL, or KEYS_ONLY")
	}
	if t.provisioned != nil && r.provisioned == nil {
		return nil, validation("No provisioned throughput specified for the global secondary index")
	}
	if t.provisioned == nil && r.provisioned != nil {
		return nil, validation("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	}
	if err := r.provisioned.check(); err != nil {
		return nil, err
	}
	ix := &index{name: r.name, key: key, projection: r.projection, nonKey: r.nonKey, provisioned: r.provisioned, items: newOrderedMap()}
	if r.projection != "ALL" {
		ix.projected = map[string]bool{t.key.hash: true, key.hash: true}
		for _, name := range append([]string{t.key.rnge, key.rnge}, r.nonKey...) {
			if name != "" {
				ix.projected[name] = true
			}
		}
	}
	for e := t.items.seek(""); e != nil; e = e.next[0] {
		// Items whose attribute cannot be this index's key stay outside.
		if hash, rnge := e.item.attrs[key.hash], e.item.attrs[key.rnge]; ix.indexed(e.item.attrs) && hash.kind == key.hashKind && (key.rnge == "" || rnge.kind == key.rngeKind) {
			ix.items.set(ix.position(e.item.attrs, e.key), e.item)
		}
	}
	return ix, nil
}

func (e *Engine) describeTable(p *params) (map[string]any, error) {
	t, err := e.table(p)
	if err != nil {
		return nil, err
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return map[string]any{"Table": t.describe()}, nil
}

func (e *Engine) deleteTable(p *params) (map[string]any, error) {
	t, err := e.table(p)
	if err != nil {
		return nil, err
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tables[t.name] != t {
		return nil, tableNotFound()
	}
	delete(e.tables, t.name)
	t.mu.RLock()
	defer t.mu.RUnlock()
	return map[string]any{"TableDescription": t.describe()}, nil
}

// updateTable adds or deletes one index.
func (e *Engine) updateTable(p *params) (map[string]any, error) {
	t, err := e.table(p)
	if err != nil {
		return nil, err
	}
	kinds, err := attributeKinds(p.attributeDefinitions())
	if err != nil {
		return nil, err
	}
	var creates []*indexRequest
	var deletes []string
	updates := 0
	p.structs("GlobalSecondaryIndexUpdates", func(p *params) {
		updates++
		if create := p.object("Create"); create != nil {
			creates = append(creates, create.index())
			if err := create.done(); err != nil {
				p.fail(err)
			}
		}
		if del := p.object("Delete"); del != nil {
			deletes = append(deletes, del.string("IndexName"))
			if err := del.done(); err != nil {
				p.fail(err)
			}
		}
	})
	if err := p.done(); err != nil {
		return nil, err
	}
	switch {
	case updates == 0:
		return nil, validation("Nothing to update")
	case len(creates)+len(deletes) == 0:
		return nil, validation("Update global secondary index action is null")
	case len(creates)+len(deletes) > 1:
		return nil, exception("LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range creates {
		if len(kinds) == 0 {
			return nil, validation("No Attribute Schema Defined")
		}
		for name, k := range t.attributes {
			if kinds[name] == "" {
				kinds[name] = k
			} else if kinds[name] != k {
				return nil, validation("invalid attribute, SchemaElement redefined should be of same type as previously defined")
			}
		}
		ix, err := t.newIndex(r, kinds)
		if err != nil {
			return nil, err
		}
		if t.indexes[ix.name] != nil {
			return nil, validation("Attempting to create an index which already exists")
		}
		if len(t.indexes) == maxIndexes {
			return nil, exception("LimitExceededException", "GlobalSecondaryIndex count exceeds the per-table limit of %d", maxIndexes)
		}
		t.indexes[ix.name] = ix
	}
	for _, name := range deletes {
		if name == "" {
			return nil, validation("Invalid global secondary index name")
		}
		if t.indexes[name] == nil {
			return nil, exception("ResourceNotFoundException", "Requested resource not found")
		}
		delete(t.indexes, name)
	}
	// Definitions are those of the attributes that are keys now.
	used := map[string]kind{}
	keys := []keySchema{t.key}
	for _, ix := range t.indexes {
		keys = append(keys, ix.key)
	}
	for _, k := range keys {
		used[k.hash] = k.hashKind
		if k.rnge != "" {
			used[k.rnge] = k.rngeKind
		}
	}
	t.attributes = used
	return map[string]any{"TableDescription": t.describe()}, nil
}

func (e *Engine) listTables(p *params) (map[string]any, error) {
	limit := p.int("Limit", 100)
	start, hasStart := p.optString("ExclusiveStartTableName")
	if err := p.done(); err != nil {
		return nil, err
	}
	switch {
	case limit < 1:
		return nil, validation("Limit must be greater than or equal to 1")
	case limit > 100:
		return nil, validation("Limit in ListTables must be <= 100")
	case hasStart:
		if err := checkName(start); err != nil {
			return nil, err
		}
	}
	e.mu.RLock()
	names := sortedKeys(e.tables)
	e.mu.RUnlock()
	from, found := slices.BinarySearch(names, start)
	if found {
		from++
	}
	names = names[from:]
	out := map[string]any{}
	if len(names) > limit {
		names = names[:limit]
		out["LastEvaluatedTableName"] = names[limit-1]
	}
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
	}
	out["TableNames"] = list
	return out, nil
}

// describe is the table's TableDescription.
func (t *table) describe() map[string]any {
	definitions := []any{}
	for _, name := range sortedKeys(t.attributes) {
		definitions = append(definitions, map[string]any{"AttributeName": name, "AttributeType": string(t.attributes[name])})
	}
	arn := "arn:aws:dynamodb:ddblocal:000000000000:table/" + t.name
	created := float64(t.created.UnixMilli()) / 1000
	out := map[string]any{
		"TableName":                 t.name,
		"TableStatus":               "ACTIVE",
		"TableArn":                  arn,
		"TableId":                   strings.ToLower(t.id),
		"CreationDateTime":          created,
		"AttributeDefinitions":      definitions,
		"KeySchema":                 t.key.describe(),
		"ProvisionedThroughput":     t.provisioned.describe(true),
		"ItemCount":                 t.items.len,
		"TableSizeBytes":            t.items.size(nil),
		"DeletionProtectionEnabled": false,
	}
	if t.provisioned == nil {
		out["BillingModeSummary"] = map[string]any{"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": created}
	}
	var indexes []any
	for _, name := range sortedKeys(t.indexes) {
		ix := t.indexes[name]
		projection := map[string]any{"ProjectionType": ix.projection}
		if ix.nonKey != nil {
			names := []any{}
			for _, n := range ix.nonKey {
				names = append(names, n)
			}
			projection["NonKeyAttributes"] = names
		}
		indexes = append(indexes, map[string]any{
			"IndexName":             name,
			"IndexStatus":           "ACTIVE",
			"IndexArn":              arn + "/index/" + name,
			"KeySchema":             ix.key.describe(),
			"Projection":            projection,
			"ProvisionedThroughput": ix.provisioned.describe(false),
			"ItemCount":             ix.items.len,
			"IndexSizeBytes":        ix.items.size(ix),
		})
	}
	if indexes != nil {
		out["GlobalSecondaryIndexes"] = indexes
	}
	return out
}

func (s keySchema) describe() []any {
	out := []any{map[string]any{"AttributeName": s.hash, "KeyType": "HASH"}}
	if s.rnge != "" {
		out = append(out, map[string]any{"AttributeName": s.rnge, "KeyType": "RANGE"})
	}
	return out
}

func (t *throughput) describe(ofTable bool) map[string]any {
	out := map[string]any{"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
	if t != nil {
		out["ReadCapacityUnits"], out["WriteCapacityUnits"] = t.read, t.write
	}
	if ofTable {
		out["LastIncreaseDateTime"], out["LastDecreaseDateTime"], out["NumberOfDecreasesToday"] = 0, 0, 0
	}
	return out
}
