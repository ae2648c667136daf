package memdynamo

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// parityTables are those that a run may leave behind.
var parityTables = []string{"hash", "range", "binary", "made"}

// theItem is what expressions are tried on.
const theItem = `{"id":{"S":"1"},"n":{"N":"5"},"s":{"S":"hello"},"b":{"B":"AAEC"},"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},
	"l":{"L":[{"N":"1"},{"S":"two"},{"M":{"x":{"N":"3"}}}]},
	"m":{"M":{"k":{"S":"v"},"n":{"N":"2"},"deep":{"M":{"e":{"L":[]}}}}},"t":{"BOOL":true},"z":{"NULL":true}}`

// expressionValues and expressionNames are what the expressions below may
// mention; :zz and #zz are not defined.
var expressionValues = map[string]string{
	":0": `{"N":"0"}`, ":1": `{"N":"1"}`, ":s": `{"S":"he"}`, ":ss": `{"SS":["a"]}`, ":l": `{"L":[{"N":"9"}]}`,
	":m": `{"M":{}}`, ":b": `{"B":"AA=="}`, ":S": `{"S":"S"}`, ":t": `{"BOOL":true}`, ":ns": `{"NS":["1"]}`,
	":z": `{"NULL":true}`, ":e": `{"S":""}`,
}

var expressionNames = map[string]string{"#n": `"n"`, "#d": `"data"`}

// environment is the names and values that an expression mentions, as the end
// of a request's body.
func environment(expression string) string {
	pick := func(member, pattern string, defined map[string]string) string {
		var found []string
		for _, key := range regexp.MustCompile(pattern).FindAllString(expression, -1) {
			if v, ok := defined[key]; ok {
				found = append(found, fmt.Sprintf("%q:%s", key, v))
			}
		}
		if found == nil {
			return ""
		}
		return fmt.Sprintf(`,%q:{%s}`, member, strings.Join(found, ","))
	}
	return pick("ExpressionAttributeNames", `#\w+`, expressionNames) + pick("ExpressionAttributeValues", `:\w+`, expressionValues)
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const (
	localFetches  = "Local filters a scan of an index by attributes that are not in the index; in the service they do not exist"
	wholeLists    = "Local answers with the whole of a list of which an element was updated, the service with the element"
	removeCreates = "in Local, an update that only removes attributes creates an item; in the service it does not"
)

// differing explains, by a case's name, where memdynamo and Local differ.
var differing = map[string]parityCase{
	"create: billing mode unknown": {differs: "Local fails with 500",
		want: "ValidationException: 1 validation error detected: Value 'X' at 'billingMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"},
	"condition: size = :1": {differs: "SIZE, CONVERT and TERMINATE are documented as reserved, but not in Local",
		want: "ValidationException: Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: size"},
	"condition: size=:1 AND data = :zz": {differs: "SIZE, CONVERT and TERMINATE are documented as reserved, but not in Local"},
	"condition: attribute_type(s,n)":    {differs: "Local lists its internal types, in an order of the moment"},
	`get: {"L":[{"N":"1e3"}]}`: {differs: "the service normalizes numbers in lists and maps, Local does not",
		want: `{"Item":{"id":{"S":"v"},"v":{"L":[{"N":"1000"}]}}}`},
	`get: {"M":{"a":{"N":"1.50"}}}`: {differs: "the service normalizes numbers in lists and maps, Local does not",
		want: `{"Item":{"id":{"S":"v"},"v":{"M":{"a":{"N":"1.5"}}}}}`},
	"update nothing UPDATED_NEW": {differs: "Local fails with 500", want: "{}"},
	`query range: id = :a ,"ExclusiveStartKey":{"id":{"S":"a"},"s":{"S":"1"}}`: {differs: "Local's text speaks of an update"},
	`query range: u = :u ,"IndexName":"gi1","ReturnConsumedCapacity":"FOO"`:    {differs: "Local's text is of another error"},
	"create: with all that provisioning sends":                                 {differs: undescribed, want: `{"TableDescription":` + provisioned("true") + `}`},
	`scan: ,"IndexName":"gi1","FilterExpression":"y = :y"`:                     {differs: localFetches, want: `{"Count":0,"Items":[],"ScannedCount":4}`},
	`scan: ,"IndexName":"gi1","FilterExpression":"attribute_not_exists(y)"`: {differs: localFetches,
		want: `{"Count":4,"Items":[{"e":{"N":"1"},"id":{"S":"a"},"s":{"N":"-20"},"u":{"S":"V"}},{"e":{"N":"2"},"id":{"S":"a"},"s":{"N":"10"},"u":{"S":"U"}},{"e":{"N":"20"},"id":{"S":"a"},"s":{"N":"2"},"u":{"S":"U"}},{"e":{"N":"3"},"id":{"S":"a"},"s":{"N":"1"},"u":{"S":"U"}}],"ScannedCount":4}`},
	"update UPDATED_OLD": {differs: wholeLists,
		want: `{"Attributes":{"a":{"N":"1"},"l":{"L":[{"N":"2"}]},"m":{"M":{"x":{"N":"1"},"y":{"N":"2"}}}}}`},
	"update UPDATED_NEW": {differs: wholeLists,
		want: `{"Attributes":{"a":{"N":"9"},"b":{"N":"9"},"l":{"L":[{"N":"9"}]},"m":{"M":{"x":{"N":"9"}}}}}`},
	"update remove ALL_NEW":      {differs: removeCreates, want: "{}"},
	"update removed NONE":        {differs: removeCreates, want: "{}"},
	"update removed ALL_OLD":     {differs: removeCreates, want: "{}"},
	"update removed UPDATED_OLD": {differs: removeCreates, want: "{}"},
	"update removed ALL_NEW":     {differs: removeCreates, want: "{}"},
	"update removed UPDATED_NEW": {differs: removeCreates, want: "{}"},
	"capacity: unknown level":    {differs: "Local's text is of another error"},
	"capacity: unknown metrics": {differs: "Local ignores what it does not know",
		want: "ValidationException: 1 validation error detected: Value 'FOO' at 'returnItemCollectionMetrics' failed to satisfy constraint: Member must satisfy enum value set: [SIZE, NONE]"},
}

var updateExpressions = []string{
	"SET a = :1",
	"set a = :1",
	"SET a=:1 SET c=:1",
	"SET a=:1 REMOVE s ADD n :1 DELETE ss :ss",
	"SET a=:1, a=:0",
	"SET m.k=:1, m=:m",
	"SET m.k=:1, m.k.x=:1",
	"SET l[0]=:1, l.x=:1",
	"SET l[0]=:1, l[0]=:0",
	"SET l[0]=:1, l[1]=:0",
	"SET l[10]=:1",
	"SET l[10]=:1, l[5]=:0",
	"SET nope.x=:1",
	"SET l[0].x=:1",
	"SET m.k.x=:1",
	"SET m[0]=:1",
	"SET l.x=:1",
	"SET s[0]=:1",
	"SET a = b",
	"SET a = n",
	"SET a = m.k",
	"SET a = l[1]",
	"SET a=l[9]",
	"SET a = n + :1",
	"SET a = n - :1",
	"SET a=:1 + :1",
	"SET a = s + :1",
	"SET a = n + :s",
	"SET a=n+:1+:1",
	"SET a = nope + :1",
	"SET a=if_not_exists(a,:1)",
	"SET a=if_not_exists(n,:1)",
	"SET a=if_not_exists(n,:1)+:1",
	"SET a = if_not_exists(a, n)",
	"SET a=if_not_exists(a, if_not_exists(c,:1))",
	"SET a=if_not_exists(a, n+:1)",
	"SET a=if_not_exists(:1,:1)",
	"SET a=if_not_exists(a)",
	"SET a=if_not_exists()",
	"SET a=foo(a)",
	"SET a=list_append(l,:l)",
	"SET a=list_append(:l,l)",
	"SET a=list_append(l,:1)",
	"SET a=list_append(s,:l)",
	"SET a=list_append(nope,:l)",
	"SET a=list_append(if_not_exists(nope,:l),:l)",
	"SET a=list_append(l,list_append(l,:l))",
	"SET a=list_append(l)",
	"SET a=list_append(l,l,l)",
	"SET a=size(l)",
	"SET a=attribute_exists(l)",
	"SET a=begins_with(s,:s)",
	"SET a=(n)",
	"SET a=(n+:1)",
	"SET a=(:1)",
	"SET a = n, b = a",
	"REMOVE a",
	"REMOVE s",
	"REMOVE l[0]",
	"REMOVE l[0],l[1]",
	"REMOVE l[9]",
	"REMOVE m.k",
	"REMOVE m.k.x",
	"REMOVE nope.x",
	"REMOVE l.x",
	"REMOVE m[0]",
	"REMOVE s, s",
	"REMOVE id",
	"REMOVE n :1",
	"ADD n :1",
	"ADD a :1",
	"ADD s :1",
	"ADD n :s",
	"ADD n :l",
	"ADD ss :ss",
	"ADD ns :ns",
	"ADD ss :ns",
	"ADD a :ss",
	"ADD m.n :1",
	"ADD m.new :1",
	"ADD nope.x :1",
	"ADD n n",
	"ADD n :1, n :1",
	"ADD l :l",
	"ADD m :m",
	"ADD n = :1",
	"ADD t :t",
	"DELETE ss :ss",
	"DELETE ss :ns",
	"DELETE n :1",
	"DELETE a :ss",
	"DELETE s :ss",
	"DELETE ns :ns",
	"DELETE ss",
	"DELETE nope.x :ss",
	"SET",
	"SET ",
	"",
	"  ",
	"FOO a",
	"SET a",
	"SET a =",
	"SET = :1",
	"SET a = :1,",
	"SET a = :1 b = :1",
	"SET a := 1",
	"SET a = 1",
	"SET a = 'x'",
	"SET #n = :1",
	"SET #zz = :1",
	"SET a = :zz",
	"SET a.#n = :1",
	"SET m.#n=:1",
	"SET #n.#n = :1",
	"SET #d=:1",
	"SET data=:1",
	"SET a.data=:1",
	"SET m.data=:1",
	"SET a = data",
	"SET a = Data",
	"SET DATA=:1",
	"SET _a=:1",
	"SET 1a=:1",
	"SET a-b=:1",
	"SET a$=:1",
	"SET a = :1;",
	"SET a[-1]=:1",
	"SET a[x]=:1",
	"SET a[:1]=:1",
	"SET a[]=:1",
	"SET l[01]=:1",
	"SET l[99999999999]=:1",
	"SET .a=:1",
	"SET a.=:1",
	"SET a..b=:1",
	"SET a . b=:1",
	"SET m . k=:1",
	"SET l [0]=:1",
	"SET l[ 0 ]=:1",
	"SET m.[0]=:1",
	"SET id=:1",
	"SET id.x=:1",
	"SET a=id",
	"ADD id :1",
	"DELETE id :ss",
	"SET SET=:1",
	"SET a=:1 AND c=:1",
	"SET :1=a",
	"SET #=:1",
	"SET a=:",
	"SET a = n +",
	"SET a = n + +:1",
	"SET a = - n",
	"SET a=n+-:1",
	"SET a=n - - :1",
	"SET a = n*:1",
	"SET a=l[0]+:1",
	"SET a = l[2].x + m.n",
	"SET a=:e",
	"SET é=:1",
	"SET a=:1\tREMOVE\ns",
	"SET m = :1 REMOVE m.k",
	"SET a=if_not_exists(a,:1),c=if_not_exists(c,:0)",
	"SET a=IF_NOT_EXISTS(a,:1)",
	"SET a = n + if_not_exists(q, :1)",
	"SET a=:1 = :1",
	"SET l[0]=:1, l[0].x=:1",
	"SET l[0]=:1 REMOVE l[2]",
	"SET l[5]=:1 REMOVE l[0]",
	"SET m.k = :1 REMOVE m.n ADD m.z :1",
	"REMOVE l[0], l[2]",
	"SET a=m, m.k=:1",
	"SET l[3]=:1, l[4]=:0",
	"SET a=if_not_exists(a, list_append(l,:l))",
	"SET a=list_append(l,:l) + :1",
	"SET a=(n+:1)+:1",
	"SET a=((n+:1))",
	"SET a=list_append(:l,:l)",
	"SET a=if_not_exists(l,:l)",
	"SET m.deep.e[0]=:1",
	"SET m.deep.e=list_append(m.deep.e,:l)",
	"DELETE nope :ss",
	"SET a=list_append(l,if_not_exists(nope,:l))",
	"SET l[0]=:1 REMOVE l[1] ADD n :1 DELETE ss :ss",
	"ADD l[0] :1",
	"ADD l[1] :1",
	"ADD l[9] :1",
	"DELETE l[0] :ss",
	"DELETE l[9] :ss",
	"ADD m.n :1, n :1",
}

var conditionExpressions = []string{
	"attribute_exists(s)",
	"attribute_exists(m.k)",
	"attribute_exists(l[0])",
	"attribute_exists(l[9])",
	"attribute_not_exists(nope)",
	"attribute_exists(:1)",
	"attribute_exists()",
	"attribute_exists(s,s)",
	"attribute_exists s",
	"Attribute_Exists(s)",
	"attribute_type(s,:S)",
	"attribute_type(s,:s)",
	"attribute_type(s,s)",
	"attribute_type(s,:1)",
	"attribute_type(:s,:S)",
	"attribute_type(s)",
	"begins_with(s,:s)",
	"begins_with(s,:1)",
	"begins_with(n,:s)",
	"begins_with(n,:1)",
	"begins_with(b,:b)",
	"begins_with(b,:s)",
	"begins_with(nope,:s)",
	"begins_with(s,s)",
	"begins_with(:s,s)",
	"begins_with(:s,:s)",
	"begins_with(s,:ss)",
	"begins_with(s)",
	"contains(s,:s)",
	"contains(ss,:s)",
	"contains(ss,:S)",
	"contains(ns,:1)",
	"contains(ns,:s)",
	"contains(l,:1)",
	"contains(l,:l)",
	"contains(n,:1)",
	"contains(b,:b)",
	"contains(nope,:1)",
	"contains(:s,:s)",
	"contains(ss,:ss)",
	"contains(s,s)",
	"contains(m,:s)",
	"contains(s)",
	"size(s) = :1",
	"size(s) > :1",
	"size(n) > :1",
	"size(:s) > :1",
	"size(l) > :1",
	"size(m) > :1",
	"size(ss) > :1",
	"size(b) > :1",
	"size(t) > :1",
	"size(z) > :1",
	"size(nope) > :1",
	"size(s)",
	"size(s) > :s",
	"size(size(s)) > :1",
	"size(s,s)>:1",
	"size()>:1",
	"n = :1",
	"n <> :1",
	"n != :1",
	"n == :1",
	"n < :1",
	"n >= :1",
	"n => :1",
	"n > :s",
	"n = :s",
	"n <> :s",
	"s < :1",
	"ss = :ss",
	"ss < :ss",
	"ss <= :ss",
	"l < :l",
	"t < :t",
	"t = :t",
	"t <> :t",
	"z = :z",
	"m = :m",
	"m < :m",
	"b < :b",
	"nope = :1",
	"nope <> :1",
	"nope < :1",
	"nope = nope",
	"nope <> nope",
	"n = n",
	"n",
	"(n = :1)",
	"((n = :1))",
	"(n) = :1",
	"n = (:1)",
	"(n = :1",
	"n = :1)",
	"()",
	"NOT n = :1",
	"NOT (n = :1)",
	"NOT NOT n = :1",
	"n = NOT :1",
	"not n = :1",
	"n = :1 AND n = :1",
	"n = :1 OR n > :1",
	"n=:0 AND n=:0 OR n>:1",
	"n>:1 OR n=:0 AND n=:0",
	"NOT n=:0 OR n=:0",
	"NOT n = :0 AND n = :0",
	"n BETWEEN :0 AND :1",
	"n BETWEEN :1 AND :0",
	"n between :0 and :1",
	"n BETWEEN :s AND :1",
	"n BETWEEN :s AND :s",
	"s BETWEEN :0 AND :1",
	"n BETWEEN :0 AND :1 AND n > :1",
	"n NOT BETWEEN :0 AND :1",
	"NOT n BETWEEN :0 AND :1",
	":1 BETWEEN :0 AND n",
	":0 BETWEEN :1 AND n",
	":1 BETWEEN n AND n",
	"l BETWEEN :l AND :l",
	"n BETWEEN :ss AND :ss",
	"n IN (:0,:1)",
	"n IN (:0)",
	"n IN ()",
	"n IN :0",
	"n IN (n)",
	"n IN (:s,:1,:l)",
	"n in (:0, n)",
	"n NOT IN (:0)",
	"NOT n IN (:0)",
	":1 IN (:1)",
	"n IN (:0,)",
	"n IN (size(s),:1)",
	"size(s) IN (:0)",
	"size(s) BETWEEN :0 AND :1",
	"attribute_exists(s) AND",
	"AND n = :1",
	"n = :1 n = :1",
	"n = :1 AND AND n = :1",
	"n + :1 = :1",
	"n = n + :1",
	"foo(n)",
	"foo(n) = :1",
	"contains(s,:s) = :t",
	"attribute_exists(s) = :t",
	"n = attribute_exists(s)",
	"if_not_exists(n,:1) = :1",
	"list_append(l,:l)=:l",
	"data = :1",
	"#d = :1",
	"#zz = :1",
	"n = :zz",
	"a.data=:1",
	"n = 5",
	"n = 'x'",
	"n = \"x\"",
	"n = true",
	"",
	"   ",
	"n = :1 -- x",
	"n = @a",
	"n <",
	"n < > :1",
	"n<>:0",
	"n<= :1",
	"n =< :1",
	"n>:1AND n>:1",
	"n > :1 AND(n > :1)",
	"NOT(n > :1)",
	"size(s)>:1 AND s>:s",
	"m.k.x = :1",
	"l.x = :1",
	"m[0]=:1",
	"l[0]=:1",
	"l[1] = :s",
	"l[2].x > :1",
	"id=:s",
	"begins_with(id,:s)",
	":1 = :1",
	":1 = :0",
	":s = :1",
	"n = :1 OR begins_with(n,:1)",
	"attribute_type(z,:S)",
	"attribute_type(nope,:S)",
	"attribute_type(nope,:1)",
	"in = :1",
	"size = :1",
	"attribute_exists = :1",
	"between = :1",
	"begins_with = :1",
	"contains=:1",
	"list_append=:1",
	"if_not_exists=:1",
	"attribute_type=:1",
	"N=:1",
	"a IN (:1) OR",
	"NOT",
	"(",
	"n.",
	"l[",
	"l[0",
	"l]",
	"#",
	"#n",
	":1",
	":",
	"n = #n",
	"contains(n)",
	"contains(:1, n)",
	"contains(:ss,s)",
	"begins_with(size(s),:s)",
	"attribute_exists(size(s))",
	"contains(s, size(s))",
	"attribute_exists(attribute_exists(s))",
	"(n = :1) = :t",
	"n = :1 = :1",
	"NOT attribute_exists(s) = :t",
	"((n)) = :1",
	"(:1) = n",
	"size((s)) > :1",
	"contains((s),(:s))",
	"attribute_exists((s))",
	"attribute_exists(#n)",
	"n IN ((n),(:1))",
	"n BETWEEN (:0) AND (:1)",
	"remove = :1",
	"set = :1",
	"add=:1",
	"delete=:1",
	"and = :1",
	"size=:1 AND data = :zz",
	"n = :zz AND #zz = :1",
	"foo(data)",
	"n=:1 AND (",
	"foo(n,",
	"data.#n = :1",
	"status = :1",
	"ttl=:1",
	"name=:1",
	"nope = nope2",
	"nope <> nope2",
	"n BETWEEN n AND :1",
	"attribute_type(s,n)",
	"size(:1) > :1",
	"size(nope) <> :1",
	"attribute_exists(s) AND size(s) > :1 OR NOT contains(l,:1)",
}

func parityCases() []parityCase {
	var cases []parityCase
	add := func(c parityCase) {
		if d, ok := differing[c.name]; ok {
			c.differs, c.want = d.differs, d.want
		}
		cases = append(cases, c)
	}
	for _, c := range tableCases {
		add(c)
	}
	reset := parityCase{op: "PutItem", body: `{"TableName":"$hash","Item":` + theItem + `}`, silent: true}
	for _, e := range updateExpressions {
		add(reset)
		add(parityCase{name: "update: " + e, op: "UpdateItem", body: `{"TableName":"$hash","Key":{"id":{"S":"1"}},"ReturnValues":"ALL_NEW","UpdateExpression":` + quoted(e) + environment(e) + `}`})
	}
	add(reset)
	for _, e := range conditionExpressions {
		add(parityCase{name: "condition: " + e, op: "UpdateItem", body: `{"TableName":"$hash","Key":{"id":{"S":"1"}},"ConditionExpression":` + quoted(e) + environment(e) + `}`})
	}
	for _, e := range projectionExpressions {
		add(parityCase{name: "projection: " + e, op: "GetItem", body: `{"TableName":"$hash","Key":{"id":{"S":"1"}},"ProjectionExpression":` + quoted(e) + environment(e) + `}`})
	}
	for _, v := range storedValues {
		add(parityCase{op: "DeleteItem", body: `{"TableName":"$hash","Key":{"id":{"S":"v"}}}`, silent: true})
		add(parityCase{name: "put: " + v, op: "PutItem", body: `{"TableName":"$hash","Item":{"id":{"S":"v"},"v":` + v + `}}`})
		add(parityCase{name: "get: " + v, op: "GetItem", body: `{"TableName":"$hash","Key":{"id":{"S":"v"}}}`})
	}
	for _, v := range malformedValues {
		var x any
		if err := json.Unmarshal([]byte(v), &x); err != nil {
			panic(err)
		}
		err := attempt(func() { decodeValue(x, 1) })
		add(parityCase{name: "put: " + v, op: "PutItem", body: `{"TableName":"$hash","Item":{"id":{"S":"v"},"v":` + v + `}}`,
			differs: "Local converts what is no attribute value or fails with 500; the service answers SerializationException",
			want:    "SerializationException: " + err.message})
	}
	groups := [][]parityCase{itemCases, returnCases(), readingCases(), transactCases(), capacityCases(), ttlCases, indexCases, protocolCases}
	for _, group := range groups {
		for _, c := range group {
			add(c)
		}
	}
	return cases
}

var projectionExpressions = []string{
	"n", "n,s", "m.k", "m.k, m.deep.e", "l[0],l[2].x,m.deep.e,m.k", "l[2],l[1],l[7],m.zz", "l.x,m[0]", "nope", "#n", "#d, n", "l[2].x, l[0]",
	"", " ", "n,", "n,n", "n,n.y", "m,m.k", "l[0],l[0]", "l[0],l.x", "n s", "data", "#zz", ":1", "n[", "1", "size(n)", "n,#n", "l[0].x", "l[2]", "s.x", "m.deep", "id",
}

func in(name, rest string) string { return `{"TableName":"$` + name + `"` + rest + `}` }

// made is a CreateTable of a table with the usual keys, with some members
// replaced.
func made(name, replace string) parityCase {
	members := map[string]json.RawMessage{
		"TableName":            json.RawMessage(`"$made"`),
		"AttributeDefinitions": json.RawMessage(`[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"s","AttributeType":"N"},{"AttributeName":"u","AttributeType":"S"},{"AttributeName":"e","AttributeType":"N"}]`),
		"KeySchema":            json.RawMessage(`[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"}]`),
		"BillingMode":          json.RawMessage(`"PAY_PER_REQUEST"`),
	}
	if err := json.Unmarshal([]byte(replace), &members); err != nil {
		panic(err)
	}
	body, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return parityCase{name: "create: " + name, op: "CreateTable", body: string(body)}
}

// gsi is one global secondary index.
func gsi(name, hash, rnge, projection string) string {
	schema := `{"AttributeName":"` + hash + `","KeyType":"HASH"}`
	if rnge != "" {
		schema += `,{"AttributeName":"` + rnge + `","KeyType":"RANGE"}`
	}
	return `{"IndexName":"` + name + `","KeySchema":[` + schema + `],"Projection":` + projection + `}`
}

const (
	keysOnly    = `{"ProjectionType":"KEYS_ONLY"}`
	includeX    = `{"ProjectionType":"INCLUDE","NonKeyAttributes":["x"]}`
	allProjects = `{"ProjectionType":"ALL"}`
	throughput1 = `{"ReadCapacityUnits":1,"WriteCapacityUnits":1}`
)

var tableCases = []parityCase{
	{name: "create: hash", op: "CreateTable", body: in("hash", `,"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"`)},
	{name: "create: again", op: "CreateTable", body: in("hash", `,"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"`)},
	{name: "create: binary range", op: "CreateTable", body: in("binary", `,"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"N"},{"AttributeName":"s","AttributeType":"B"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"}],"BillingMode":"PROVISIONED","ProvisionedThroughput":`+throughput1)},
	made("attributes without use", `{}`),
	made("billing mode unknown", `{"BillingMode":"X"}`),
	made("provisioned without throughput", `{"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"BillingMode":"PROVISIONED"}`),
	made("throughput 0", `{"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"BillingMode":"PROVISIONED","ProvisionedThroughput":{"ReadCapacityUnits":0,"WriteCapacityUnits":1}}`),
	{name: "create: no parameters", op: "CreateTable", body: `{}`},
	made("name short", `{"TableName":"ab"}`),
	made("name with spaces", `{"TableName":"a b c"}`),
	made("no schema", `{"KeySchema":null}`),
	made("schema empty", `{"KeySchema":[]}`),
	made("schema of one key twice", `{"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"id","KeyType":"RANGE"}]}`),
	made("schema without hash", `{"KeySchema":[{"AttributeName":"id","KeyType":"RANGE"}]}`),
	made("schema with two hashes", `{"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"s","KeyType":"HASH"}]}`),
	made("schema with unknown role", `{"KeySchema":[{"AttributeName":"id","KeyType":"FOO"}]}`),
	made("schema of three", `{"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"},{"AttributeName":"u","KeyType":"RANGE"}]}`),
	made("hash undefined", `{"KeySchema":[{"AttributeName":"zz","KeyType":"HASH"}]}`),
	made("range undefined", `{"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}]}`),
	made("definitions empty", `{"AttributeDefinitions":[]}`),
	made("definition of unknown type", `{"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"s","AttributeType":"M"}]}`),
	made("definition twice", `{"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"s","AttributeType":"N"},{"AttributeName":"id","AttributeType":"N"}]}`),
	made("indexes empty", `{"GlobalSecondaryIndexes":[]}`),
	made("index name short", `{"GlobalSecondaryIndexes":[`+gsi("g1", "u", "e", keysOnly)+`]}`),
	made("index twice", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", keysOnly)+`,`+gsi("gi1", "u", "e", keysOnly)+`]}`),
	made("index without projection type", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", `{}`)+`]}`),
	made("index without projection", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", `null`)+`]}`),
	made("index projection unknown", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", `{"ProjectionType":"FOO"}`)+`]}`),
	made("index includes nothing", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", `{"ProjectionType":"INCLUDE"}`)+`]}`),
	made("index includes empty list", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", `{"ProjectionType":"INCLUDE","NonKeyAttributes":[]}`)+`]}`),
	made("index includes twice", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", `{"ProjectionType":"INCLUDE","NonKeyAttributes":["x","x"]}`)+`]}`),
	made("index of all includes", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", `{"ProjectionType":"ALL","NonKeyAttributes":["x"]}`)+`]}`),
	made("index range undefined", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "zz", keysOnly)+`]}`),
	made("index hash undefined", `{"GlobalSecondaryIndexes":[`+gsi("gi1", "zz", "e", keysOnly)+`]}`),
	made("index without schema", `{"GlobalSecondaryIndexes":[{"IndexName":"gi1","Projection":`+allProjects+`}]}`),
	made("index without name", `{"GlobalSecondaryIndexes":[{"KeySchema":[{"AttributeName":"u","KeyType":"HASH"}],"Projection":`+allProjects+`}]}`),
	made("index without throughput", `{"BillingMode":"PROVISIONED","ProvisionedThroughput":`+throughput1+`,"GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", keysOnly)+`]}`),
	made("indexes", `{"TableName":"$range","GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", keysOnly)+`,`+gsi("gi2", "u", "", includeX)+`,`+gsi("gi3", "e", "u", allProjects)+`]}`),
	{name: "describe: indexes", op: "DescribeTable", body: in("range", "")},
	{name: "describe: unknown table", op: "DescribeTable", body: in("nope", "")},
	{name: "describe: no name", op: "DescribeTable", body: `{}`},
	{name: "describe: short name", op: "DescribeTable", body: `{"TableName":"a"}`},
	{name: "delete table: unknown", op: "DeleteTable", body: in("nope", "")},
	{name: "delete table: no name", op: "DeleteTable", body: `{}`},
	{name: "list: limit 0", op: "ListTables", body: `{"Limit":0}`},
	{name: "list: limit 101", op: "ListTables", body: `{"Limit":101}`},
	{name: "list: start", op: "ListTables", body: `{"ExclusiveStartTableName":"$h","Limit":1}`},
	{name: "list: start at a table", op: "ListTables", body: `{"ExclusiveStartTableName":"$binary","Limit":1}`},
	{name: "list: start invalid", op: "ListTables", body: `{"ExclusiveStartTableName":"a"}`},
}

var itemCases = []parityCase{
	{name: "get: item", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}}`)},
	{name: "get: missing", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"missing"}},"ConsistentRead":true`)},
	{name: "get: unknown table", op: "GetItem", body: in("nope", `,"Key":{"id":{"S":"1"}}`)},
	{name: "get: no table", op: "GetItem", body: `{"Key":{"id":{"S":"1"}}}`},
	{name: "get: key type", op: "GetItem", body: in("hash", `,"Key":{"id":{"N":"1"}}`)},
	{name: "get: key name", op: "GetItem", body: in("hash", `,"Key":{"zz":{"S":"1"}}`)},
	{name: "get: key empty string", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":""}}`)},
	{name: "get: key empty", op: "GetItem", body: in("hash", `,"Key":{}`)},
	{name: "get: no key", op: "GetItem", body: in("hash", ``)},
	{name: "get: key too many", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"},"x":{"S":"2"}}`)},
	{name: "get: key no value", op: "GetItem", body: in("hash", `,"Key":{"id":{"X":"1"}}`)},
	{name: "get: key null", op: "GetItem", body: in("hash", `,"Key":{"id":null}`)},
	{name: "get: key too long", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"`+strings.Repeat("x", 2049)+`"}}`)},
	{name: "get: names without expression", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ExpressionAttributeNames":{"#a":"b"}`)},
	{name: "get: names unused", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ProjectionExpression":"s","ExpressionAttributeNames":{"#a":"b"}`)},
	{name: "get: names empty", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ProjectionExpression":"s","ExpressionAttributeNames":{}`)},
	{name: "get: name key", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ProjectionExpression":"s","ExpressionAttributeNames":{"a":"b"}`)},
	{name: "get: name key hash", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ProjectionExpression":"s","ExpressionAttributeNames":{"#":"b"}`)},
	{name: "get: name key dash", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ProjectionExpression":"s","ExpressionAttributeNames":{"#a-b":"b"}`)},
	{name: "get: name value empty", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ProjectionExpression":"#a","ExpressionAttributeNames":{"#a":""}`)},
	{name: "get: path below a key", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ProjectionExpression":"id.x"`)},
	{name: "get: path below an index key", op: "GetItem", body: in("range", `,"Key":{"id":{"S":"1"},"s":{"N":"1"}},"ProjectionExpression":"#u[0]","ExpressionAttributeNames":{"#u":"u"}`)},
	{name: "scan: path below a key", op: "Scan", body: in("hash", `,"FilterExpression":"attribute_exists(id.x)"`)},
	{name: "query: path below an index key", op: "Query", body: in("range", `,"KeyConditionExpression":"id = :a","FilterExpression":"u.x = :a","ExpressionAttributeValues":{":a":{"S":"a"}}`)},
	{name: "put: path below a key", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"1"}},"ConditionExpression":"attribute_not_exists(id[0])"`)},
	{name: "update: path below an index key", op: "UpdateItem", body: in("range", `,"Key":{"id":{"S":"1"},"s":{"N":"1"}},"UpdateExpression":"SET u.x = :a","ExpressionAttributeValues":{":a":{"S":"a"}}`)},
	{name: "update: operand below an index key", op: "UpdateItem", body: in("range", `,"Key":{"id":{"S":"1"},"s":{"N":"1"}},"UpdateExpression":"SET x = if_not_exists(e.x, :a)","ExpressionAttributeValues":{":a":{"S":"a"}}`)},
	{name: "update: operand below a key", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"UpdateExpression":"SET x = id.x"`)},
	{name: "get: composite key half", op: "GetItem", body: in("range", `,"Key":{"id":{"S":"1"}}`)},
	{name: "get: unknown parameter", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"Bogus":1`),
		differs: "Local ignores parameters that it does not know", want: "ValidationException: dynamostoretest does not implement the request parameter Bogus"},
	{name: "get: legacy parameter", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"AttributesToGet":["n"]`),
		differs: "memdynamo has no legacy parameters", want: "ValidationException: dynamostoretest does not implement the request parameter AttributesToGet"},

	{name: "put: no item", op: "PutItem", body: in("hash", ``)},
	{name: "put: no table", op: "PutItem", body: `{"Item":{"id":{"S":"a"}}}`},
	{name: "put: unknown table", op: "PutItem", body: in("nope", `,"Item":{"id":{"S":"a"}}`)},
	{name: "put: unknown table goes before a bad expression", op: "PutItem", body: in("nope", `,"Item":{"id":{"S":"a"}},"ConditionExpression":"foo foo"`)},
	{name: "put: empty attribute name", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"},"":{"S":"b"}}`)},
	{name: "put: without key", op: "PutItem", body: in("hash", `,"Item":{"x":{"S":"a"}}`)},
	{name: "put: empty item", op: "PutItem", body: in("hash", `,"Item":{}`)},
	{name: "put: key type", op: "PutItem", body: in("hash", `,"Item":{"id":{"N":"1"}}`)},
	{name: "put: key empty", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":""}}`)},
	{name: "put: key 2048", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"`+strings.Repeat("x", 2048)+`"}}`)},
	{name: "put: key 2049", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"`+strings.Repeat("x", 2049)+`"}}`)},
	{name: "put: range 1024", op: "PutItem", body: in("binary", `,"Item":{"id":{"N":"1"},"s":{"B":"`+strings.Repeat("AAAA", 341)+`AA=="}}`)},
	{name: "put: range 1025", op: "PutItem", body: in("binary", `,"Item":{"id":{"N":"1"},"s":{"B":"`+strings.Repeat("AAAA", 341)+`AAA="}}`)},
	{name: "put: range empty", op: "PutItem", body: in("binary", `,"Item":{"id":{"N":"1"},"s":{"B":""}}`)},
	{name: "put: range missing", op: "PutItem", body: in("binary", `,"Item":{"id":{"N":"1"}}`)},
	{name: "put: hash missing", op: "PutItem", body: in("binary", `,"Item":{"s":{"B":"AA=="}}`)},
	{name: "put: range type", op: "PutItem", body: in("binary", `,"Item":{"id":{"N":"1"},"s":{"S":""}}`)},
	{name: "put: size at the limit", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"z"},"p":{"S":"`+strings.Repeat("x", 409596)+`"}}`)},
	{name: "put: size above the limit", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"z"},"p":{"S":"`+strings.Repeat("x", 409597)+`"}}`)},
	{name: "update: size above the limit", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"z"}},"UpdateExpression":"SET q = :q","ExpressionAttributeValues":{":q":{"N":"1"}}`)},
	{name: "put: names without expression", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeNames":{"#a":"b"}`)},
	{name: "put: values without expression", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"b"}}`)},
	{name: "put: name unused", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeNames":{"#a":"b"},"ConditionExpression":"attribute_not_exists(b)"`)},
	{name: "put: value unused", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"b"}},"ConditionExpression":"attribute_not_exists(b)"`)},
	{name: "put: name and value unused", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeNames":{"#a":"b"},"ExpressionAttributeValues":{":a":{"S":"b"}},"ConditionExpression":"attribute_not_exists(b)"`)},
	{name: "put: values empty", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{},"ConditionExpression":"b=:a"`)},
	{name: "put: value key", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{"a":{"S":"b"}},"ConditionExpression":"b=:a"`)},
	{name: "put: value empty", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{}},"ConditionExpression":"b=:a"`)},
	{name: "put: value null", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":null},"ConditionExpression":"b=:a"`)},
	{name: "put: value empty set", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"SS":[]}},"ConditionExpression":"b=:a"`)},
	{name: "put: value no number", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"N":"x"}},"ConditionExpression":"b=:a"`)},
	{name: "put: value of two types", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"N":"1","S":"1"}},"ConditionExpression":"b=:a"`)},
	{name: "put: expression too long", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ConditionExpression":"`+strings.Repeat("x", 4097)+`"`)},
	{name: "put: 300 operators", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"b"}},"ConditionExpression":"NOT x=:a`+strings.Repeat(" OR x=:a", 149)+`"`)},
	{name: "put: 301 operators", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"b"}},"ConditionExpression":"x=:a`+strings.Repeat(" OR x=:a", 150)+`"`)},
	{name: "put: 100 in IN", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"b"}},"ConditionExpression":"NOT x IN (:a`+strings.Repeat(",:a", 99)+`)"`)},
	{name: "put: 101 in IN", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"b"}},"ConditionExpression":"NOT x IN (:a`+strings.Repeat(",:a", 100)+`)"`)},
	{name: "put: path of 32", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ConditionExpression":"attribute_not_exists(x`+strings.Repeat(".x", 31)+`)"`)},
	{name: "put: path of 33", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ConditionExpression":"attribute_not_exists(x`+strings.Repeat(".x", 32)+`)"`)},
	{name: "put: legacy parameter", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"Expected":{}`),
		differs: "memdynamo has no legacy parameters", want: "ValidationException: dynamostoretest does not implement the request parameter Expected"},
	{name: "put: legacy operator", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"}},"ConditionalOperator":"AND"`),
		differs: "memdynamo has no legacy parameters", want: "ValidationException: dynamostoretest does not implement the request parameter ConditionalOperator"},
	{name: "put: unknown type beside a known one", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a","X":1}}`),
		differs: "Local ignores types that it does not know", want: "ValidationException: dynamostoretest does not implement the attribute type X"},
	{name: "put: error order, item and expression", op: "PutItem", body: in("hash", `,"Item":{"x":{"S":"a"}},"ConditionExpression":"foo foo"`)},
	{name: "put: error order, value and expression", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"a"},"x":{"N":"x"}},"ConditionExpression":"foo foo"`)},
	{name: "update: error order, condition and update", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"a"}},"ConditionExpression":"foo foo","UpdateExpression":"bar bar"`)},
	{name: "update: error order, key and expression", op: "UpdateItem", body: in("hash", `,"Key":{"zz":{"S":"a"}},"UpdateExpression":"bar bar"`)},
	{name: "update: error order, key attribute and expression", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"a"}},"UpdateExpression":"REMOVE id","ConditionExpression":"foo foo"`)},
	{name: "update: error order, unused and key attribute", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"a"}},"UpdateExpression":"REMOVE id","ExpressionAttributeNames":{"#a":"b"}`)},
	{name: "update: error order, condition goes before the operands", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"missing"}},"UpdateExpression":"SET a = b","ConditionExpression":"attribute_exists(id)"`)},
	{name: "update: names without expression", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"a"}},"ExpressionAttributeNames":{"#a":"b"}`)},
	{name: "update: values without expression", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"b"}}`)},
	{name: "update: legacy parameter", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"a"}},"AttributeUpdates":{}`),
		differs: "memdynamo has no legacy parameters", want: "ValidationException: dynamostoretest does not implement the request parameter AttributeUpdates"},
	{name: "delete: values without expression", op: "DeleteItem", body: in("hash", `,"Key":{"id":{"S":"a"}},"ExpressionAttributeValues":{":a":{"S":"b"}}`)},
	{name: "delete: no key", op: "DeleteItem", body: in("hash", ``)},
	{name: "sum: overflow", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"UpdateExpression":"SET q = :2 + :1","ExpressionAttributeValues":{":1":{"N":"9.9e125"},":2":{"N":"9.9e125"}}`)},
	{name: "sum: too many digits", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"UpdateExpression":"SET q = :2 + :1","ExpressionAttributeValues":{":1":{"N":"1e100"},":2":{"N":"1"}}`)},
	{name: "sum: underflow", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"UpdateExpression":"SET q = :2 - :1","ExpressionAttributeValues":{":1":{"N":"1.1e-129"},":2":{"N":"1.15e-129"}}`)},
	{name: "sum: exact", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"UpdateExpression":"SET q = :2 - :1, r = :2 + :1","ReturnValues":"UPDATED_NEW","ExpressionAttributeValues":{":1":{"N":"0.1"},":2":{"N":"0.3"}}`)},
	{name: "size: in code points", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ConditionExpression":"size(:a) = :b","ExpressionAttributeValues":{":a":{"S":"é☃😀"},":b":{"N":"3"}}`)},
	{name: "size: in UTF-16", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ConditionExpression":"size(:a) = :b","ExpressionAttributeValues":{":a":{"S":"é☃😀"},":b":{"N":"4"}}`)},
	{name: "size: in bytes", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"ConditionExpression":"size(:a) = :b","ExpressionAttributeValues":{":a":{"S":"é☃😀"},":b":{"N":"9"}}`)},
	{name: "nesting: by update", op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"1"}},"UpdateExpression":"SET m.deep = :a","ExpressionAttributeValues":{":a":`+strings.Repeat(`{"L":[`, 31)+`{"S":"x"}`+strings.Repeat(`]}`, 31)+`}`)},
}

// returnCases are about sizes and return values.
func returnCases() []parityCase {
	var cases []parityCase
	// Items of every type at the limit of size and one byte above it.
	const mixedSize = 65
	const mixed = `"id":{"S":"z"},"n":{"N":"-1234.5"},"t":{"BOOL":true},"z":{"NULL":true},"b":{"B":"AAE="},"ss":{"SS":["a","bc"]},"ns":{"NS":["1","-2.25"]},"bs":{"BS":["AAE="]},"l":{"L":[{"S":"é"},{"L":[]},{"N":"0"}]},"m":{"M":{"k":{"S":"v"},"deep":{"M":{"e":{"BOOL":false}}}}},"p":{"S":""}`
	for extra := range 2 {
		pad := strings.Repeat("x", maxItemSize-mixedSize+extra)
		cases = append(cases, parityCase{name: fmt.Sprint("size: of every type, limit+", extra), op: "PutItem",
			body: in("hash", `,"Item":{`+strings.TrimSuffix(mixed, `""}`)+`"`+pad+`"}}`)})
	}
	// With and without an item.
	for _, mode := range []string{"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW", "FOO"} {
		r := `,"ReturnValues":"` + mode + `"`
		key := `,"Key":{"id":{"S":"r"}}`
		absent := parityCase{op: "DeleteItem", body: in("hash", key), silent: true}
		present := parityCase{op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"r"},"a":{"N":"1"},"m":{"M":{"x":{"N":"1"},"y":{"N":"2"}}},"l":{"L":[{"N":"1"},{"N":"2"}]}}`), silent: true}
		set := key + `,"UpdateExpression":"SET a=:1, b=:1, m.x=:1, l[1]=:1 REMOVE m.y","ExpressionAttributeValues":{":1":{"N":"9"}}`
		cases = append(cases,
			absent, parityCase{name: "put new " + mode, op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"r"},"a":{"N":"2"}}`+r)},
			present, parityCase{name: "put over " + mode, op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"r"},"a":{"N":"2"}}`+r)},
			present, parityCase{name: "delete " + mode, op: "DeleteItem", body: in("hash", key+r)},
			present, parityCase{name: "update " + mode, op: "UpdateItem", body: in("hash", set+r)},
			absent, parityCase{name: "update new " + mode, op: "UpdateItem", body: in("hash", key+`,"UpdateExpression":"SET a=:1","ExpressionAttributeValues":{":1":{"N":"9"}}`+r)},
			absent, parityCase{name: "update remove " + mode, op: "UpdateItem", body: in("hash", key+`,"UpdateExpression":"REMOVE zz"`+r)},
			parityCase{name: "update removed " + mode, op: "GetItem", body: in("hash", key)},
			absent, parityCase{name: "update nothing " + mode, op: "UpdateItem", body: in("hash", key+r)},
			parityCase{name: "updated nothing " + mode, op: "GetItem", body: in("hash", key)},
		)
	}
	// What a failed condition returns.
	for _, mode := range []string{"NONE", "ALL_OLD", "FOO"} {
		r := `,"ReturnValuesOnConditionCheckFailure":"` + mode + `"`
		cases = append(cases,
			parityCase{op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"r"},"a":{"N":"1"}}`), silent: true},
			parityCase{name: "failed put " + mode, op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"r"}},"ConditionExpression":"attribute_not_exists(id)"`+r)},
			parityCase{name: "failed update " + mode, op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"r"}},"ConditionExpression":"attribute_not_exists(id)"`+r)},
			parityCase{name: "failed delete " + mode, op: "DeleteItem", body: in("hash", `,"Key":{"id":{"S":"r"}},"ConditionExpression":"attribute_not_exists(id)"`+r)},
			parityCase{name: "failed update of nothing " + mode, op: "UpdateItem", body: in("hash", `,"Key":{"id":{"S":"missing"}},"ConditionExpression":"attribute_exists(id)"`+r)},
		)
	}
	return cases
}

// rangeItems are what is queried and scanned.
var rangeItems = []string{
	`"id":{"S":"a"},"s":{"N":"1"},"u":{"S":"U"},"e":{"N":"3"},"x":{"S":"x"},"y":{"S":"y"}`,
	`"id":{"S":"a"},"s":{"N":"10"},"u":{"S":"U"},"e":{"N":"2"},"x":{"S":"x"},"y":{"S":"y"}`,
	`"id":{"S":"a"},"s":{"N":"2"},"u":{"S":"U"},"e":{"N":"20"},"x":{"S":"x"},"y":{"S":"y"}`,
	`"id":{"S":"a"},"s":{"N":"-1.5"},"u":{"S":"V"},"y":{"S":"y"}`,
	`"id":{"S":"a"},"s":{"N":"-20"},"u":{"S":"V"},"e":{"N":"1"}`,
	`"id":{"S":"b"},"s":{"N":"1"},"e":{"N":"1"},"y":{"S":"y"}`,
}

// readingCases are queries and scans.
func readingCases() []parityCase {
	var queryCases, scanCases []parityCase
	for i, it := range rangeItems {
		queryCases = append(queryCases, parityCase{name: fmt.Sprint("range item ", i), op: "PutItem", body: in("range", `,"ReturnConsumedCapacity":"INDEXES","Item":{`+it+`}`)})
	}
	for _, it := range []string{"AA==", "AAA=", "AP8=", "/w==", "//8=", "YWI=", "YWJj", "YWP/", "YWQ=", "gA==", "gIA=", "gP8=", "gQ=="} {
		queryCases = append(queryCases, parityCase{op: "PutItem", body: in("binary", `,"Item":{"id":{"N":"7"},"s":{"B":"`+it+`"}}`), silent: true})
	}
	queryCases = append(queryCases,
		parityCase{name: "index key type", op: "PutItem", body: in("range", `,"Item":{"id":{"S":"b"},"s":{"N":"9"},"u":{"N":"1"}}`)},
		parityCase{name: "index key empty", op: "PutItem", body: in("range", `,"Item":{"id":{"S":"b"},"s":{"N":"9"},"u":{"S":""}}`),
			differs: "Local names whichever of the indexes it comes to first"},
		parityCase{name: "index hash key too long", op: "PutItem", body: in("range", `,"Item":{"id":{"S":"b"},"s":{"N":"9"},"u":{"S":"`+strings.Repeat("x", 2049)+`"}}`)},
		parityCase{name: "index range key too long", op: "PutItem", body: in("range", `,"Item":{"id":{"S":"b"},"s":{"N":"9"},"e":{"N":"1"},"u":{"S":"`+strings.Repeat("x", 1025)+`"}}`)},
		parityCase{name: "index key type by update", op: "UpdateItem", body: in("range", `,"Key":{"id":{"S":"b"},"s":{"N":"9"}},"UpdateExpression":"SET u = :n","ExpressionAttributeValues":{":n":{"N":"1"}}`),
			differs: "Local lets an update put an index key of the wrong type; the service does not", want: "ValidationException: One or more parameter values were invalid: Type mismatch for Index Key u Expected: S Actual: N IndexName: gi1"},
		parityCase{name: "index key empty by update", op: "UpdateItem", body: in("range", `,"Key":{"id":{"S":"b"},"s":{"N":"9"}},"UpdateExpression":"SET u = :e","ExpressionAttributeValues":{":e":{"S":""}}`)},
		parityCase{op: "DeleteItem", body: in("range", `,"Key":{"id":{"S":"b"},"s":{"N":"9"}}`), silent: true},
	)
	values := map[string]string{":a": `{"S":"a"}`, ":c": `{"S":"c"}`, ":n": `{"N":"1"}`, ":m": `{"N":"-2"}`, ":y": `{"S":"y"}`, ":u": `{"S":"U"}`, ":two": `{"N":"2"}`, ":e": `{"S":""}`,
		":seven": `{"N":"7"}`, ":ab": `{"B":"YWI="}`, ":ff": `{"B":"/w=="}`, ":x80": `{"B":"gA=="}`, ":nul": `{"B":"AA=="}`, ":b": `{"BOOL":true}`}
	mention := func(expressions string) string {
		var found []string
		seen := map[string]bool{}
		for _, key := range regexp.MustCompile(`:\w+`).FindAllString(expressions, -1) {
			if v, ok := values[key]; ok && !seen[key] {
				seen[key] = true
				found = append(found, fmt.Sprintf("%q:%s", key, v))
			}
		}
		if found == nil {
			return ""
		}
		return `,"ExpressionAttributeValues":{` + strings.Join(found, ",") + `}`
	}
	query := func(tableName, condition, rest string) {
		queryCases = append(queryCases, parityCase{name: fmt.Sprintf("query %s: %s %s", tableName, condition, rest), op: "Query",
			body: in(tableName, `,"KeyConditionExpression":`+quoted(condition)+rest+mention(condition+regexp.MustCompile(`"FilterExpression":"[^"]*"`).FindString(rest)))})
	}
	for _, condition := range []string{
		"id = :a", ":a = id", "id = :c", "id = :a AND s > :n", "s > :n AND id = :a", "id = :a AND s >= :n", "id = :a AND s < :n", "id = :a AND s <= :n", "id = :a AND s = :n",
		"(id = :a) AND (s > :n)", "(id = :a AND s > :n)", "id = :a AND :n < s", "id = :a AND :n >= s", "id = :a AND s BETWEEN :m AND :n", "id = :a AND s BETWEEN :n AND :m", "id = :a AND :n BETWEEN s AND :n",
		"id = :a AND begins_with(s, :n)", "id = :a AND begins_with(s, :a)", "id = :a AND begins_with(:a, s)", "id = :a AND s = :a", "id = :n", "id > :a", "id = :a AND s <> :n", "id = :a AND s IN (:n)", "id = :a OR s = :n", "NOT id = :a",
		"id = :a AND NOT s = :n", "id = :a AND s > :n AND s < :m", "id = :a AND x = :a", "id = :a AND contains(s, :a)", "attribute_exists(id)", "id = :a AND id = :a", "s = :n", "x = :a",
		"id.x = :a", "id[0] = :a", "id = s", "id = :a AND size(s) = :n", "id BETWEEN :a AND :a", "begins_with(id, :a)", "id = :e", "id = :b", "id = :a AND s = :b", "", "id =", "data = :a", "id = :a AND s > :zz", ":a = :a", "id = :a AND s = :n AND x = :a",
	} {
		query("range", condition, "")
	}
	for _, condition := range []string{
		"id = :seven", "id = :seven AND s > :ab", "id = :seven AND begins_with(s, :ab)", "id = :seven AND begins_with(s, :ff)", "id = :seven AND begins_with(s, :nul)", "id = :seven AND begins_with(s, :x80)", "id = :seven AND s > :x80", "id = :seven AND s = :x80", "id = :seven AND s <= :nul", "id = :seven AND s BETWEEN :nul AND :ab",
	} {
		query("binary", condition, "")
		query("binary", condition, `,"ScanIndexForward":false,"Limit":2`)
	}
	for _, rest := range []string{
		`,"ScanIndexForward":false,"Limit":2,"ProjectionExpression":"s"`, `,"Limit":0`, `,"Limit":-1`, `,"Limit":5`, `,"Limit":6`, `,"Select":"COUNT"`, `,"Select":"COUNT","ReturnConsumedCapacity":"TOTAL"`, `,"ConsistentRead":true,"ReturnConsumedCapacity":"INDEXES","Select":"COUNT"`,
		`,"ExclusiveStartKey":{"id":{"S":"a"},"s":{"N":"1"}}`, `,"ExclusiveStartKey":{"id":{"S":"a"},"s":{"N":"1.5"}}`, `,"ExclusiveStartKey":{"id":{"S":"a"},"s":{"N":"1.5"}},"ScanIndexForward":false`,
		`,"ExclusiveStartKey":{"id":{"S":"b"},"s":{"N":"1"}}`, `,"ExclusiveStartKey":{"id":{"S":"a"}}`, `,"ExclusiveStartKey":{"id":{"S":"a"},"s":{"S":"1"}}`, `,"ExclusiveStartKey":{"id":{"S":"a"},"s":{"N":"1"},"x":{"N":"1"}}`, `,"ExclusiveStartKey":{}`, `,"ExclusiveStartKey":{"id":{"S":"a"},"x":{"N":"1"}}`,
		`,"FilterExpression":"y = :y"`, `,"FilterExpression":"y = :y AND s > :n"`, `,"FilterExpression":"id = :a"`, `,"FilterExpression":"e = :two"`, `,"FilterExpression":"e = :two","Limit":2`, `,"FilterExpression":""`, `,"FilterExpression":"foo foo"`,
		`,"Select":"ALL_PROJECTED_ATTRIBUTES"`, `,"Select":"SPECIFIC_ATTRIBUTES"`, `,"Select":"SPECIFIC_ATTRIBUTES","ProjectionExpression":"s"`, `,"Select":"ALL_ATTRIBUTES","ProjectionExpression":"s"`, `,"Select":"FOO"`, `,"Select":"COUNT","ProjectionExpression":"y"`, `,"Select":"ALL_ATTRIBUTES"`,
		`,"IndexName":"nope"`, `,"IndexName":"gi1"`, `,"ProjectionExpression":"foo foo"`,
	} {
		query("range", "id = :a", rest)
	}
	for _, rest := range []string{
		``, `,"ScanIndexForward":false`, `,"Limit":1`, `,"Limit":1,"ExclusiveStartKey":{"u":{"S":"U"},"e":{"N":"2"},"id":{"S":"a"},"s":{"N":"10"}}`, `,"ExclusiveStartKey":{"u":{"S":"U"},"e":{"N":"2"}}`, `,"ExclusiveStartKey":{"u":{"S":"V"},"e":{"N":"2"},"id":{"S":"a"},"s":{"N":"10"}}`,
		`,"ConsistentRead":true`, `,"Select":"ALL_ATTRIBUTES"`, `,"Select":"ALL_PROJECTED_ATTRIBUTES"`, `,"Select":"COUNT"`, `,"ProjectionExpression":"y"`, `,"ProjectionExpression":"x, s"`, `,"ProjectionExpression":"s"`, `,"FilterExpression":"y = :u"`, `,"FilterExpression":"s = :n"`, `,"FilterExpression":"e = :n"`,
		`,"ReturnConsumedCapacity":"INDEXES"`, `,"ReturnConsumedCapacity":"TOTAL"`, `,"ReturnConsumedCapacity":"FOO"`,
	} {
		query("range", "u = :u", `,"IndexName":"gi1"`+rest)
	}
	query("range", "u = :u AND e > :two", `,"IndexName":"gi1"`)
	query("range", "u = :u AND e BETWEEN :n AND :two", `,"IndexName":"gi1"`)
	query("range", "u = :u", `,"IndexName":"gi3"`)
	query("range", "e = :u", `,"IndexName":"gi3"`)
	query("range", "e = :two", `,"IndexName":"gi3"`)
	query("range", "e = :two", `,"IndexName":"gi3","Select":"ALL_ATTRIBUTES"`)
	query("range", "e = :two AND begins_with(u, :u)", `,"IndexName":"gi3"`)
	query("range", "e = :n", `,"IndexName":"gi3"`)
	query("nope", "u = :u", "")
	queryCases = append(queryCases,
		parityCase{name: "query: no condition", op: "Query", body: in("range", "")},
		parityCase{name: "query: unused value", op: "Query", body: in("range", `,"KeyConditionExpression":"id = :a","ExpressionAttributeValues":{":a":{"S":"a"},":b":{"S":"b"}}`)},
		parityCase{name: "query: unused name", op: "Query", body: in("range", `,"KeyConditionExpression":"id = :a","ExpressionAttributeNames":{"#a":"a"},"ExpressionAttributeValues":{":a":{"S":"a"}}`)},
		parityCase{name: "query: names", op: "Query", body: in("range", `,"KeyConditionExpression":"#id = :a AND #s = :n","ExpressionAttributeNames":{"#id":"id","#s":"s"},"ExpressionAttributeValues":{":a":{"S":"a"},":n":{"N":"1.0"}}`)},
		parityCase{name: "query: legacy parameter", op: "Query", body: in("range", `,"KeyConditions":{}`),
			differs: "memdynamo has no legacy parameters", want: "ValidationException: dynamostoretest does not implement the request parameter KeyConditions"},
	)

	for _, rest := range []string{
		``, `,"Select":"COUNT","ReturnConsumedCapacity":"TOTAL"`, `,"ConsistentRead":true,"Select":"COUNT","ReturnConsumedCapacity":"INDEXES"`, `,"ProjectionExpression":"id,s"`, `,"ProjectionExpression":"zz"`,
		`,"Segment":0`, `,"TotalSegments":2`, `,"Segment":2,"TotalSegments":2`, `,"Segment":-1,"TotalSegments":2`, `,"Segment":0,"TotalSegments":0`, `,"Segment":0,"TotalSegments":1000001`, `,"Segment":0,"TotalSegments":1`,
		`,"IndexName":"gi1","ReturnConsumedCapacity":"INDEXES"`, `,"IndexName":"gi2"`, `,"IndexName":"nope"`, `,"IndexName":"gi1","ConsistentRead":true`, `,"IndexName":"gi1","Select":"ALL_ATTRIBUTES"`, `,"IndexName":"gi3","Select":"ALL_ATTRIBUTES"`, `,"IndexName":"gi1","ProjectionExpression":"y"`,
		`,"FilterExpression":"id = :a"`, `,"FilterExpression":"s > :n"`, `,"FilterExpression":""`, `,"FilterExpression":"y = :zz"`, `,"ExpressionAttributeValues":{":a":{"S":"b"}}`, `,"ExpressionAttributeNames":{"#a":"b"}`, `,"ExpressionAttributeNames":{}`,
		`,"IndexName":"gi1","FilterExpression":"y = :y"`, `,"IndexName":"gi1","FilterExpression":"attribute_not_exists(y)"`,
		`,"Limit":-1`, `,"Limit":0`, `,"Limit":7,"Select":"COUNT"`, `,"ExclusiveStartKey":{"id":{"S":"zz"}}`, `,"Select":"ALL_PROJECTED_ATTRIBUTES"`, `,"Select":"SPECIFIC_ATTRIBUTES"`,
	} {
		scanCases = append(scanCases, parityCase{name: "scan: " + rest, op: "Scan", unordered: true,
			body: in("range", rest+mention(regexp.MustCompile(`"FilterExpression":"[^"]*"`).FindString(rest)))})
	}
	scanCases = append(scanCases,
		parityCase{name: "scan: legacy parameter", op: "Scan", body: in("range", `,"ScanFilter":{}`),
			differs: "memdynamo has no legacy parameters", want: "ValidationException: dynamostoretest does not implement the request parameter ScanFilter"},
		parityCase{name: "scan: a query's parameter", op: "Scan", body: in("range", `,"ScanIndexForward":true`),
			differs: "Local ignores parameters that it does not know", want: "ValidationException: dynamostoretest does not implement the request parameter ScanIndexForward"},
	)
	// Pages end behind the item with which they reach 1 MiB.
	for i := range 5 {
		scanCases = append(scanCases, parityCase{op: "PutItem", silent: true,
			body: in("range", fmt.Sprintf(`,"Item":{"id":{"S":"big"},"s":{"N":"%d"},"p":{"S":"%s"}}`, i, strings.Repeat("x", 300000)))})
	}
	big := `,"KeyConditionExpression":"id = :b","ExpressionAttributeValues":{":b":{"S":"big"}},"ProjectionExpression":"s","ReturnConsumedCapacity":"TOTAL"`
	scanCases = append(scanCases,
		parityCase{name: "page: query", op: "Query", body: in("range", big)},
		parityCase{name: "page: query consistent", op: "Query", body: in("range", big+`,"ConsistentRead":true`)},
		parityCase{name: "page: query backward", op: "Query", body: in("range", big+`,"ScanIndexForward":false`)},
		parityCase{name: "page: next", op: "Query", body: in("range", big+`,"ExclusiveStartKey":{"id":{"S":"big"},"s":{"N":"3"}}`)},
	)
	for i := range 5 {
		scanCases = append(scanCases, parityCase{op: "DeleteItem", silent: true, body: in("range", fmt.Sprintf(`,"Key":{"id":{"S":"big"},"s":{"N":"%d"}}`, i))})
	}
	return append(queryCases, scanCases...)
}

// transaction is a TransactWriteItems of the items.
func transaction(name, rest string, items ...string) parityCase {
	return parityCase{name: "transact: " + name, op: "TransactWriteItems", body: `{"TransactItems":[` + strings.Join(items, ",") + `]` + rest + `}`}
}

func tPut(id, rest string) string {
	return `{"Put":` + in("hash", `,"Item":{"id":{"S":"`+id+`"},"a":{"N":"1"}}`+rest) + `}`
}

func tDelete(id, rest string) string {
	return `{"Delete":` + in("hash", `,"Key":{"id":{"S":"`+id+`"}}`+rest) + `}`
}

func tUpdate(id, expression string) string {
	return `{"Update":` + in("hash", `,"Key":{"id":{"S":"`+id+`"}},"UpdateExpression":`+quoted(expression)+environment(expression)) + `}`
}

func tCheck(id, expression, rest string) string {
	return `{"ConditionCheck":` + in("hash", `,"Key":{"id":{"S":"`+id+`"}},"ConditionExpression":`+quoted(expression)+rest) + `}`
}

// tIndexed updates a key of an index.
func tIndexed(u string) string {
	return `{"Update":` + in("range", `,"Key":{"id":{"S":"t"},"s":{"N":"1"}},"UpdateExpression":"SET u = :u","ExpressionAttributeValues":{":u":`+u+`}`) + `}`
}

const allOld = `,"ReturnValuesOnConditionCheckFailure":"ALL_OLD"`

func transactCases() []parityCase {
	many := make([]string, 101)
	for i := range many {
		many[i] = tPut(fmt.Sprint("many", i), "")
	}
	cancelledFor := func(codes string) string {
		return "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons [" + codes + "]"
	}
	cancelled := cancelledFor("ValidationError")
	const late = "the service cancels with ValidationError what is found only on the item; Local lets the validation error through"
	const schema = "the service cancels with ValidationError what does not fit the table's schema; Local refuses some of it"
	differ := func(c parityCase, reason, want string) parityCase {
		c.differs, c.want = reason, want
		return c
	}
	get := func(id string) parityCase {
		return parityCase{op: "GetItem", name: "transacted: " + id, body: in("hash", `,"Key":{"id":{"S":"`+id+`"}}`)}
	}
	return []parityCase{
		transaction("nothing", ""),
		{name: "transact: no items", op: "TransactWriteItems", body: `{}`},
		transaction("empty item", "", `{}`),
		transaction("null", "", tPut("p", ""), `{"Put":null}`),
		transaction("no table", "", `{"Put":{}}`),
		transaction("no key", "", `{"Delete":`+in("hash", "")+`}`),
		transaction("no condition", "", `{"ConditionCheck":`+in("hash", `,"Key":{"id":{"S":"p"}}`)+`}`),
		transaction("unknown table", "", `{"Put":`+in("nope", `,"Item":{"id":{"S":"p"}}`)+`}`),
		transaction("two in one", "", strings.TrimSuffix(tPut("p1", ""), "}")+","+tDelete("p2", "")[1:]),
		transaction("101", "", many...),
		transaction("100", "", many[:100]...),
		transaction("put and delete", "", tPut("p1", ""), tDelete("p2", "")),
		get("p1"),
		transaction("one item twice", "", tPut("p1", ""), tDelete("p1", "")),
		transaction("a condition fails", "", tPut("p3", ""), tDelete("p2", `,"ConditionExpression":"attribute_exists(id)"`)),
		get("p3"),
		transaction("conditions fail with items", "", tPut("p1", `,"ConditionExpression":"attribute_not_exists(id)"`+allOld), tDelete("p2", "")),
		transaction("no item to return", "", tUpdate("p1", "SET n = :1"), tDelete("p3", `,"ConditionExpression":"attribute_exists(id)"`+allOld)),
		differ(transaction("check fails", "", tPut("p3", ""), tCheck("p4", "attribute_exists(id)", "")),
			"Local ends the message of a failed check, and no other, with a period", cancelledFor("None, ConditionalCheckFailed")),
		differ(transaction("check fails with item", "", tCheck("p1", "attribute_not_exists(id)", allOld)),
			"Local ends the message of a failed check, and no other, with a period", cancelledFor("ConditionalCheckFailed")),
		transaction("check holds", "", tCheck("p1", "attribute_exists(id)", ""), tUpdate("p5", "SET n = :1")),
		get("p5"),
		differ(transaction("operand missing", "", tUpdate("p1", "SET q = zz")), late, cancelled),
		differ(transaction("path invalid", "", tUpdate("p1", "SET q.r = :1")), late, cancelled),
		differ(transaction("operand type", "", tUpdate("p1", "SET q = id + :1")), late, cancelled),
		differ(transaction("operand missing and condition", "", tUpdate("p1", "SET q = zz"), tPut("p9", `,"ConditionExpression":"attribute_exists(id)"`)), late,
			cancelledFor("ValidationError, ConditionalCheckFailed")),
		transaction("key attribute", "", tUpdate("p1", "SET id = :1")),
		transaction("key type", "", `{"Put":`+in("hash", `,"Item":{"id":{"N":"1"}}`)+`}`),
		transaction("key type of an update", "", `{"Update":`+in("hash", `,"Key":{"id":{"N":"1"}},"UpdateExpression":"REMOVE a"`)+`}`),
		transaction("key type of a delete", "", `{"Delete":`+in("hash", `,"Key":{"id":{"N":"1"}}`)+`}`),
		transaction("key type of a check", "", `{"ConditionCheck":`+in("hash", `,"Key":{"id":{"N":"1"}},"ConditionExpression":"attribute_exists(a)"`)+`}`),
		differ(transaction("key too many", "", `{"Delete":`+in("hash", `,"Key":{"id":{"S":"1"},"x":{"S":"1"}}`)+`}`), schema, cancelled),
		transaction("key too long", "", tPut(strings.Repeat("x", 2049), "")),
		transaction("index key type", "", `{"Put":`+in("range", `,"Item":{"id":{"S":"t"},"s":{"N":"1"},"u":{"N":"1"}}`)+`}`),
		differ(transaction("index key type by update", "", tIndexed(`{"N":"1"}`)), "Local lets an update put an index key of the wrong type; the service does not", cancelled),
		differ(transaction("index key empty", "", `{"Put":`+in("range", `,"Item":{"id":{"S":"t"},"s":{"N":"1"},"u":{"S":""}}`)+`}`), "Local names whichever of the indexes it comes to first", ""),
		transaction("index key empty by update", "", tIndexed(`{"S":""}`)),
		differ(transaction("two keys do not fit", "", tCheck("p9", "attribute_exists(id)", ""), tPut("p1", ""), tPut("p1", ""), `{"Put":`+in("hash", `,"Item":{"id":{"N":"1"}}`)+`}`, `{"Put":`+in("hash", `,"Item":{"id":{"N":"2"}}`)+`}`),
			"the service looks for the first key that does not fit before all else; Local does not", cancelledFor("None, None, None, ValidationError, None")),
		transaction("a key does not fit, another is empty", "", `{"Put":`+in("hash", `,"Item":{"id":{"N":"1"}}`)+`}`, tPut("", "")),
		{op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"large"},"p":{"S":"`+strings.Repeat("x", 409000)+`"}}`), silent: true},
		transaction("item grows too large", "", `{"Update":`+in("hash", `,"Key":{"id":{"S":"large"}},"UpdateExpression":"SET q = :q","ExpressionAttributeValues":{":q":{"S":"`+strings.Repeat("x", 1000)+`"}}`)+`}`),
		{op: "DeleteItem", body: in("hash", `,"Key":{"id":{"S":"large"}}`), silent: true},
		transaction("path below a key", "", tUpdate("p1", "SET a = id.x")),
		transaction("reserved word", "", tUpdate("p1", "SET data = :1")),
		transaction("syntax", "", tCheck("p1", "attribute_exists(", "")),
		transaction("empty condition", "", tCheck("p1", "", "")),
		differ(transaction("key missing", "", `{"Put":`+in("hash", `,"Item":{"x":{"S":"1"}}`)+`}`), schema, cancelled),
		transaction("key empty", "", `{"Put":`+in("hash", `,"Item":{"id":{"S":""}}`)+`}`),
		transaction("bad number", "", `{"Put":`+in("hash", `,"Item":{"id":{"S":"z"},"v":{"N":"x"}}`)+`}`),
		transaction("too large", "", `{"Put":`+in("hash", `,"Item":{"id":{"S":"z"},"v":{"S":"`+strings.Repeat("x", 409600)+`"}}`)+`}`),
		transaction("update without expression", "", `{"Update":`+in("hash", `,"Key":{"id":{"S":"p1"}}`)+`}`),
		transaction("token too long", `,"ClientRequestToken":"`+strings.Repeat("x", 37)+`"`, tPut("p1", "")),
		transaction("token", `,"ClientRequestToken":"$token"`, tUpdate("p6", "ADD n :1")),
		transaction("token again", `,"ClientRequestToken":"$token"`, tUpdate("p6", "ADD n :1")),
		get("p6"),
		transaction("token for another", `,"ClientRequestToken":"$token"`, tUpdate("p6", "ADD n :0")),
		transaction("token of a failure", `,"ClientRequestToken":"$failed"`, tUpdate("p7", "ADD n :1"), tDelete("p8", `,"ConditionExpression":"attribute_exists(id)"`)),
		{op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"p8"}}`), silent: true},
		transaction("token of a failure again", `,"ClientRequestToken":"$failed"`, tUpdate("p7", "ADD n :1"), tDelete("p8", `,"ConditionExpression":"attribute_exists(id)"`)),
		get("p7"),
		differ(transaction("unknown member", `,"Foo":1`, tPut("p1", "")), "Local ignores parameters that it does not know", "ValidationException: dynamostoretest does not implement the request parameter Foo"),
		differ(transaction("return values", "", tPut("p1", `,"ReturnValues":"ALL_OLD"`)), "Local ignores parameters that it does not know", "ValidationException: dynamostoretest does not implement the request parameter ReturnValues"),
		differ(transaction("unknown action", "", `{"Foo":{}}`), "memdynamo names what it does not know", "ValidationException: dynamostoretest does not implement the request parameter Foo"),
	}
}

func capacityCases() []parityCase {
	total := `,"ReturnConsumedCapacity":"TOTAL"`
	indexes := `,"ReturnConsumedCapacity":"INDEXES"`
	put := func(name, id string, size int, rest string) parityCase {
		return parityCase{name: "capacity: " + name, op: "PutItem", body: in("hash", fmt.Sprintf(`,"Item":{"id":{"S":"%s"},"v":{"S":"%s"}}`, id, strings.Repeat("x", size))+rest)}
	}
	key := `,"Key":{"id":{"S":"cap"}}`
	const twice = "Local counts a transaction's writes and then some; the service counts each twice"
	transact := func(name, consumed string, items ...string) parityCase {
		c := transaction("capacity "+name, indexes, items...)
		c.differs, c.want = twice, `{"ConsumedCapacity":[`+consumed+`]}`
		return c
	}
	return []parityCase{
		put("put 1017", "cap", 1024-2-3-1, total),
		put("put over 1 KiB", "cap", 1024-2-3, total),
		put("put smaller over larger", "cap", 10, total),
		put("put 3 KiB", "cap", 3000, indexes),
		{name: "capacity: update", op: "UpdateItem", body: in("hash", key+`,"UpdateExpression":"SET v = :1","ExpressionAttributeValues":{":1":{"N":"1"}}`+total)},
		put("put 9000", "cap", 9000, total),
		{name: "capacity: get eventual", op: "GetItem", body: in("hash", key+`,"ProjectionExpression":"id"`+total)},
		{name: "capacity: get consistent", op: "GetItem", body: in("hash", key+`,"ProjectionExpression":"id","ConsistentRead":true`+indexes)},
		{name: "capacity: get missing", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"missing"}}`+total)},
		{name: "capacity: get missing consistent", op: "GetItem", body: in("hash", `,"Key":{"id":{"S":"missing"}},"ConsistentRead":true`+total)},
		{name: "capacity: delete", op: "DeleteItem", body: in("hash", key+total)},
		{name: "capacity: delete missing", op: "DeleteItem", body: in("hash", key+total)},
		{name: "capacity: collection metrics", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"cap"}},"ReturnItemCollectionMetrics":"SIZE"`)},
		{name: "capacity: unknown level", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"cap"}},"ReturnConsumedCapacity":"FOO"`)},
		{name: "capacity: unknown metrics", op: "PutItem", body: in("hash", `,"Item":{"id":{"S":"cap"}},"ReturnItemCollectionMetrics":"FOO"`)},
		{name: "capacity: index new", op: "PutItem", body: in("range", `,"Item":{"id":{"S":"cap"},"s":{"N":"1"},"u":{"S":"U2"},"e":{"N":"1"},"y":{"S":"`+strings.Repeat("y", 2000)+`"}}`+indexes)},
		{name: "capacity: index unchanged", op: "UpdateItem", body: in("range", `,"Key":{"id":{"S":"cap"},"s":{"N":"1"}},"UpdateExpression":"SET z = :z","ExpressionAttributeValues":{":z":{"N":"1"}}`+indexes)},
		{name: "capacity: index attribute changed", op: "UpdateItem", body: in("range", `,"Key":{"id":{"S":"cap"},"s":{"N":"1"}},"UpdateExpression":"SET x = :z","ExpressionAttributeValues":{":z":{"N":"1"}}`+indexes)},
		{name: "capacity: index key changed", op: "UpdateItem", body: in("range", `,"Key":{"id":{"S":"cap"},"s":{"N":"1"}},"UpdateExpression":"SET e = :z","ExpressionAttributeValues":{":z":{"N":"5"}}`+indexes)},
		{name: "capacity: index left", op: "UpdateItem", body: in("range", `,"Key":{"id":{"S":"cap"},"s":{"N":"1"}},"UpdateExpression":"REMOVE u"`+total)},
		{name: "capacity: index delete", op: "DeleteItem", body: in("range", `,"Key":{"id":{"S":"cap"},"s":{"N":"1"}}`+indexes)},
		transact("put and delete", `{"TableName":"$hash","CapacityUnits":4,"WriteCapacityUnits":4,"Table":{"CapacityUnits":4,"WriteCapacityUnits":4}}`, tPut("c1", ""), tDelete("c2", "")),
		transact("check", `{"TableName":"$hash","CapacityUnits":2,"WriteCapacityUnits":2,"Table":{"CapacityUnits":2,"WriteCapacityUnits":2}}`, tCheck("c1", "attribute_exists(id)", "")),
	}
}

var ttlCases = []parityCase{
	{name: "ttl: off", op: "DescribeTimeToLive", body: in("hash", "")},
	{name: "ttl: describe unknown", op: "DescribeTimeToLive", body: in("nope", "")},
	{name: "ttl: describe nothing", op: "DescribeTimeToLive", body: `{}`},
	{name: "ttl: nothing", op: "UpdateTimeToLive", body: in("hash", "")},
	{name: "ttl: empty", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{}`)},
	{name: "ttl: no attribute", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"Enabled":true}`)},
	{name: "ttl: no enabled", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"AttributeName":"ttl"}`)},
	{name: "ttl: attribute empty", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"AttributeName":"","Enabled":true}`)},
	{name: "ttl: unknown table", op: "UpdateTimeToLive", body: in("nope", `,"TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}`)},
	{name: "ttl: disable when off", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":false}`)},
	{name: "ttl: enable", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}`)},
	{name: "ttl: on", op: "DescribeTimeToLive", body: in("hash", "")},
	{name: "ttl: enable again", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}`)},
	{name: "ttl: enable another", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"AttributeName":"ttl2","Enabled":true}`)},
	{name: "ttl: disable another", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"AttributeName":"ttl2","Enabled":false}`)},
	{name: "ttl: disable", op: "UpdateTimeToLive", body: in("hash", `,"TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":false}`)},
	{name: "ttl: off again", op: "DescribeTimeToLive", body: in("hash", "")},
}

// provisioning is what tools send that create tables, beside what every table needs.
const provisioning = `"Tags":[{"Key":"service","Value":"shop"}],"SSESpecification":{"Enabled":true,"SSEType":"KMS","KMSMasterKeyId":"alias/shop"},"TableClass":"STANDARD_INFREQUENT_ACCESS","DeletionProtectionEnabled":true,"StreamSpecification":{"StreamEnabled":false}`

// provisioned is the description of a table for which that was sent.
func provisioned(protected string) string {
	return `{"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"BillingModeSummary":{"BillingMode":"PAY_PER_REQUEST"},"DeletionProtectionEnabled":` + protected + `,"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"ProvisionedThroughput":{"NumberOfDecreasesToday":0,"ReadCapacityUnits":0,"WriteCapacityUnits":0},"SSEDescription":{"KMSMasterKeyArn":"arn:aws:kms:ddblocal:000000000000:alias/shop","SSEType":"KMS","Status":"ENABLED"},"TableClassSummary":{"TableClass":"STANDARD_INFREQUENT_ACCESS"},"TableName":"$made","TableStatus":"ACTIVE"}`
}

const undescribed = "Local takes a table's encryption and class, but does not describe them"

// twentyOne is one index more than a table may have.
var twentyOne = func() string {
	indexes := make([]string, 21)
	for i := range indexes {
		indexes[i] = gsi(fmt.Sprint("gi", i), "u", "e", keysOnly)
	}
	return `{"GlobalSecondaryIndexes":[` + strings.Join(indexes, ",") + `]}`
}()

// indexCases change indexes. Local creates them in its own time, so that only
// one change of a table can be tried.
var indexCases = []parityCase{
	{name: "update table: nothing", op: "UpdateTable", body: in("hash", "")},
	{name: "update table: unknown", op: "UpdateTable", body: in("nope", `,"GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"gi1"}}]`)},
	{name: "update table: no updates", op: "UpdateTable", body: in("hash", `,"GlobalSecondaryIndexUpdates":[]`)},
	{name: "update table: empty update", op: "UpdateTable", body: in("hash", `,"GlobalSecondaryIndexUpdates":[{}]`)},
	{name: "update table: delete unknown", op: "UpdateTable", body: in("hash", `,"GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"nope"}}]`)},
	{name: "update table: delete without name", op: "UpdateTable", body: in("hash", `,"GlobalSecondaryIndexUpdates":[{"Delete":{}}]`)},
	{name: "update table: definition conflicts", op: "UpdateTable", body: in("hash", `,"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"N"},{"AttributeName":"u","AttributeType":"S"}],"GlobalSecondaryIndexUpdates":[{"Create":`+gsi("gi1", "u", "", keysOnly)+`}]`)},
	{name: "update table: attribute undefined", op: "UpdateTable", body: in("hash", `,"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"GlobalSecondaryIndexUpdates":[{"Create":`+gsi("gi1", "u", "", keysOnly)+`}]`)},
	{name: "update table: no definitions", op: "UpdateTable", body: in("hash", `,"GlobalSecondaryIndexUpdates":[{"Create":`+gsi("gi1", "u", "", keysOnly)+`}]`)},
	{name: "update table: create", op: "UpdateTable", body: in("hash", `,"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"u","AttributeType":"S"},{"AttributeName":"e","AttributeType":"N"}],"GlobalSecondaryIndexUpdates":[{"Create":`+gsi("gi1", "u", "e", keysOnly)+`}]`)},
	{name: "update table: two", op: "UpdateTable", body: in("range", `,"GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"gi1"}},{"Delete":{"IndexName":"gi2"}}]`)},
	{name: "update table: create existing", op: "UpdateTable", body: in("range", `,"AttributeDefinitions":[{"AttributeName":"u","AttributeType":"S"},{"AttributeName":"e","AttributeType":"N"}],"GlobalSecondaryIndexUpdates":[{"Create":`+gsi("gi1", "u", "e", keysOnly)+`}]`)},
	{name: "update table: delete", op: "UpdateTable", body: in("range", `,"GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"gi2"}}]`),
		differs: "Local takes its time to delete an index", want: `{"TableDescription":{"AttributeDefinitions":[{"AttributeName":"e","AttributeType":"N"},{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"s","AttributeType":"N"},{"AttributeName":"u","AttributeType":"S"}],"BillingModeSummary":{"BillingMode":"PAY_PER_REQUEST"},"DeletionProtectionEnabled":false,"GlobalSecondaryIndexes":[{"IndexName":"gi1","KeySchema":[{"AttributeName":"u","KeyType":"HASH"},{"AttributeName":"e","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"},"ProvisionedThroughput":{"ReadCapacityUnits":0,"WriteCapacityUnits":0}},{"IndexName":"gi3","KeySchema":[{"AttributeName":"e","KeyType":"HASH"},{"AttributeName":"u","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"},"ProvisionedThroughput":{"ReadCapacityUnits":0,"WriteCapacityUnits":0}}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"}],"ProvisionedThroughput":{"NumberOfDecreasesToday":0,"ReadCapacityUnits":0,"WriteCapacityUnits":0},"TableName":"$range","TableStatus":"ACTIVE"}}`},
	{name: "update table: billing mode", op: "UpdateTable", body: in("hash", `,"BillingMode":"PAY_PER_REQUEST"`),
		differs: "memdynamo changes nothing but indexes", want: "ValidationException: dynamostoretest does not implement the request parameter BillingMode"},
	made("with all that provisioning sends", `{"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],`+provisioning+`}`),
	{name: "describe: with all that provisioning sends", op: "DescribeTable", body: in("made", ""),
		differs: undescribed, want: `{"Table":` + provisioned("true") + `}`},
	{name: "delete table: protected", op: "DeleteTable", body: in("made", "")},
	{name: "update table: protected", op: "UpdateTable", body: in("made", `,"DeletionProtectionEnabled":false`),
		differs: undescribed, want: `{"TableDescription":` + provisioned("false") + `}`},
	{name: "delete table: no longer protected", op: "DeleteTable", body: in("made", ""), silent: true},
	made("stream unspecified", `{"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"StreamSpecification":{}}`),
	made("21 indexes", twentyOne),
	{name: "delete table: binary", op: "DeleteTable", body: in("binary", ""),
		differs: "Local answers as if the table stayed", want: `{"TableDescription":{"DeletionProtectionEnabled":false,"ProvisionedThroughput":{"NumberOfDecreasesToday":0,"ReadCapacityUnits":1,"WriteCapacityUnits":1},"TableName":"$binary","TableStatus":"DELETING"}}`},
	{name: "delete table: gone", op: "DeleteTable", body: in("binary", "")},
}

var protocolCases = []parityCase{
	{name: "operation unknown", op: "Foo", body: `{}`,
		differs: "memdynamo names the operation", want: `UnknownOperationException: An unknown operation was requested. dynamostoretest does not implement "Foo"`},
	{name: "operation not implemented", op: "BatchGetItem", body: `{}`,
		differs: "memdynamo names the operation", want: `UnknownOperationException: An unknown operation was requested. dynamostoretest does not implement "BatchGetItem"`},
	{name: "body empty", op: "ListTables", body: ``,
		differs: "Local fails with 500; the service answers SerializationException", want: "SerializationException: The request body is not a JSON object"},
	{name: "body cut", op: "ListTables", body: `{`,
		differs: "Local fails with 500; the service answers SerializationException", want: "SerializationException: The request body is not a JSON object"},
	{name: "body a list", op: "ListTables", body: `[]`,
		differs: "Local fails with 500; the service answers SerializationException", want: "SerializationException: The request body is not a JSON object"},
	{name: "parameter of another type", op: "ListTables", body: `{"Limit":"x"}`,
		differs: "Local fails with 500; the service answers SerializationException", want: "SerializationException: Limit has a wrong type"},
}

// storedValues are stored and read back.
var storedValues = []string{
	`{"N":"1"}`,
	`{"N":"1.0"}`,
	`{"N":"01"}`,
	`{"N":"+1"}`,
	`{"N":"-0"}`,
	`{"N":"0"}`,
	`{"N":"0.0"}`,
	`{"N":"-0.00"}`,
	`{"N":"1e10"}`,
	`{"N":"1E10"}`,
	`{"N":"1e-10"}`,
	`{"N":"1e20"}`,
	`{"N":"1e21"}`,
	`{"N":"1e37"}`,
	`{"N":"1e38"}`,
	`{"N":"1e39"}`,
	`{"N":"1e40"}`,
	`{"N":"1e60"}`,
	`{"N":"1e100"}`,
	`{"N":"1e125"}`,
	`{"N":"1e126"}`,
	`{"N":"9.9999999999999999999999999999999999999e125"}`,
	`{"N":"9.99999999999999999999999999999999999999e125"}`,
	`{"N":"1e-130"}`,
	`{"N":"1e-131"}`,
	`{"N":"1e-128"}`,
	`{"N":"9e-131"}`,
	`{"N":"0.1e-129"}`,
	`{"N":"123456789012345678901234567890123456789"}`,
	`{"N":"12345678901234567890123456789012345678"}`,
	`{"N":"1234567890123456789012345678901234567800000"}`,
	`{"N":"0.00000000000000000000000000000000000001"}`,
	`{"N":"0.00000000000000000000000000000000000000001"}`,
	`{"N":"0.0000001"}`,
	`{"N":"1e-7"}`,
	`{"N":"1.23e-20"}`,
	`{"N":"0.1"}`,
	`{"N":"12345.678"}`,
	`{"N":""}`,
	`{"N":"abc"}`,
	`{"N":" 1"}`,
	`{"N":"1 "}`,
	`{"N":"1e"}`,
	`{"N":"e1"}`,
	`{"N":".5"}`,
	`{"N":"5."}`,
	`{"N":"1.5.5"}`,
	`{"N":"0x1"}`,
	`{"N":"NaN"}`,
	`{"N":"Infinity"}`,
	`{"N":"1_000"}`,
	`{"N":"1e+5"}`,
	`{"N":"1e05"}`,
	`{"N":"-1e125"}`,
	`{"N":"-1e-130"}`,
	`{"N":"-1e126"}`,
	`{"N":"0e200"}`,
	`{"N":"0e-200"}`,
	`{"N":"1e99999999999"}`,
	`{"N":"11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"}`,
	`{"N":"1d"}`,
	`{"N":"1f"}`,
	`{"N":"--1"}`,
	`{"N":"+-1"}`,
	`{"S":""}`,
	`{"B":""}`,
	`{"SS":[]}`,
	`{"SS":["a","a"]}`,
	`{"NS":["1","1.0"]}`,
	`{"NS":["1","2"]}`,
	`{"NS":[]}`,
	`{"BS":[]}`,
	`{"BS":["AAE=","AAE="]}`,
	`{"SS":[""]}`,
	`{"BS":[""]}`,
	`{"NS":["x"]}`,
	`{"NS":[""]}`,
	`{"L":[]}`,
	`{"M":{}}`,
	`{"M":{"":{"S":"a"}}}`,
	`{"NULL":true}`,
	`{"NULL":false}`,
	`{"BOOL":true}`,
	`{"X":"a"}`,
	`{}`,
	`{"S":"a","N":"1"}`,
	`null`,
	`{"B":"AA=="}`,
	`{"S":null}`,
	`{"L":[{"X":"a"}]}`,
	`{"L":[{}]}`,
	`{"M":{"a":{}}}`,
	`{"M":{"a":{"SS":[]}}}`,
	`{"L":[{"N":"abc"}]}`,
	`{"NULL":null}`,
	`{"SS":[null]}`,
	`{"S":"a","NULL":null}`,
	`{"B":"AAE=\n"}`,
	`{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"S":"x"}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}`,
	`{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"S":"x"}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}`,
	`{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"L":[{"S":"x"}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}`,
	`{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"M":{"a":{"S":"x"}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}`,
	`{"L":[{"N":"1e3"}]}`,
	`{"M":{"a":{"N":"1.50"}}}`,
	`{"NS":["10","9","1e1"]}`,
	`{"NS":["10","9","1e2"]}`,
	`{"S":"\u00e9\u2603\ud83d\ude00\u0000\u001f\"\\</>&"}`,
	`{"BS":["AA==","AQ=="]}`,
	`{"SS":["\u00e9","a"]}`,
}

// malformedValues are no attribute values.
var malformedValues = []string{
	`{"BOOL":"true"}`,
	`{"BOOL":"x"}`,
	`{"BOOL":1}`,
	`"a"`,
	`{"S":1}`,
	`{"S":true}`,
	`{"N":1}`,
	`{"N":1.5}`,
	`{"B":"!!"}`,
	`{"B":"AAE"}`,
	`{"B":"A"}`,
	`{"S":["a"]}`,
	`{"SS":"a"}`,
	`{"SS":[1]}`,
	`{"L":"a"}`,
	`{"NULL":"true"}`,
	`{"M":[]}`,
	`{"NS":[1,2]}`,
	`{"B":"_-8="}`,
}
