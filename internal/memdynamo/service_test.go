package memdynamo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What the service does and DynamoDB Local does not, so that the parity test does not show it. The
// behaviour is that of https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/, and where
// that is silent, of public test suites that were run against the service.

// message is the type and text of an error answer, and of the reasons of a cancellation.
func message(answer map[string]any) string {
	typ, _ := answer["__type"].(string)
	_, typ, _ = strings.Cut(typ, "#")
	out := fmt.Sprintf("%s: %v", typ, answer["Message"])
	reasons, _ := answer["CancellationReasons"].([]any)
	for _, r := range reasons {
		reason := r.(map[string]any)
		out += fmt.Sprintf("\n%v %v", reason["Code"], reason["Message"])
	}
	return out
}

// fromJSON is the value of a JSON text.
func fromJSON(t testing.TB, text string) any {
	t.Helper()
	var x any
	if err := json.Unmarshal([]byte(text), &x); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return x
}

const createItems = `{"TableName":"items","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"s","AttributeType":"N"},{"AttributeName":"u","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"}],"GlobalSecondaryIndexes":[`

func TestErrorTextsAreTheServices(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", createItems+gsi("by-u", "u", "s", keysOnly)+`]}`)
	const (
		missing  = `ResourceNotFoundException: Requested resource not found`
		schema   = `ValidationException: The provided key element does not match the schema`
		invalid  = `ValidationException: One or more parameter values were invalid: `
		canceled = `TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons `
		empty    = `ValidationException: One or more parameter values are not valid. `
		hashSize = `Size of hashkey has exceeded the maximum size limit of2048 bytes`
	)
	long := strings.Repeat("x", 2049)
	put := func(item string) string { return `{"TableName":"items","Item":{` + item + `}}` }
	update := func(expression, value string) string {
		return `{"TableName":"items","Key":{"id":{"S":"a"},"s":{"N":"1"}},"UpdateExpression":"` + expression + `","ExpressionAttributeValues":{":v":` + value + `}}`
	}
	transact := func(kind, write string) string { return `{"TransactItems":[{"` + kind + `":` + write + `}]}` }
	for _, c := range []struct{ op, body, want string }{
		{"GetItem", `{"TableName":"none","Key":{"id":{"S":"a"}}}`, missing},
		{"PutItem", `{"TableName":"none","Item":{"id":{"S":"a"}}}`, missing},
		{"Query", `{"TableName":"none","KeyConditionExpression":"id = :a"}`, missing},
		{"TransactWriteItems", transact("Put", `{"TableName":"none","Item":{"id":{"S":"a"}}}`), missing},
		{"DescribeTable", `{"TableName":"none"}`, missing + ": Table: none not found"},
		{"DeleteTable", `{"TableName":"none"}`, missing + ": Table: none not found"},
		{"DescribeTimeToLive", `{"TableName":"none"}`, missing + ": Table: none not found"},

		{"GetItem", `{"TableName":"items","Key":{"id":{"S":"a"}}}`, schema},
		{"GetItem", `{"TableName":"items","Key":{"id":{"S":"a"},"x":{"N":"1"}}}`, schema},
		{"DeleteItem", `{"TableName":"items","Key":{"id":{"S":"a"},"s":{"S":"1"}}}`, schema},
		{"UpdateItem", `{"TableName":"items","Key":{"id":{"L":[]},"s":{"N":"1"}}}`, schema},
		{"GetItem", `{"TableName":"items","Key":{"id":{"S":"` + long + `"},"s":{"N":"1"}}}`, invalid + hashSize},
		{"PutItem", put(`"id":{"S":"a"}`), invalid + `Missing the key s in the item`},
		{"PutItem", put(`"id":{"N":"1"},"s":{"N":"1"}`), invalid + `Type mismatch for key id expected: S actual: N`},
		{"PutItem", put(`"id":{"S":"a"},"s":{"N":"1"},"u":{"NULL":true}`), invalid + `Type mismatch for Index Key u Expected: S Actual: NULL IndexName: by-u`},
		{"PutItem", put(`"id":{"S":"a"},"s":{"N":"1"},"u":{"S":"` + long + `"}`), invalid + hashSize},
		{"UpdateItem", update("SET u = :v", `{"S":""}`), empty + `The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.`},
		{"UpdateItem", update("SET u = :v", `{"S":"`+long+`"}`), `ValidationException: The update expression attempted to update the secondary index key beyond allowed size limits`},
		{"Query", `{"TableName":"items","KeyConditionExpression":"s = :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`, `ValidationException: Query condition missed key schema element: id`},
		{"Scan", `{"TableName":"items","ExclusiveStartKey":{"id":{"S":"a"}}}`, `ValidationException: The provided starting key is invalid: The provided key element does not match the schema`},

		{"TransactWriteItems", transact("Put", put(`"s":{"N":"1"}`)), canceled + "[ValidationError]\nValidationError One or more parameter values were invalid: Missing the key id in the item"},
		{"TransactWriteItems", transact("Delete", `{"TableName":"items","Key":{"id":{"S":"a"}}}`), canceled + "[ValidationError]\nValidationError The provided key element does not match the schema"},
		{"TransactWriteItems", transact("Update", update("SET u = :v", `{"N":"1"}`)), canceled + "[ValidationError]\nValidationError One or more parameter values were invalid: Type mismatch for Index Key u Expected: S Actual: N IndexName: by-u"},
		{"TransactWriteItems", transact("Update", update("SET a = b, c = :v", `{"N":"1"}`)), canceled + "[ValidationError]\nValidationError The provided expression refers to an attribute that does not exist in the item"},
		{"TransactWriteItems", transact("Update", update("SET a.b = :v", `{"N":"1"}`)), canceled + "[ValidationError]\nValidationError The document path provided in the update expression is invalid for update"},
		{"TransactWriteItems", transact("Put", put(`"id":{"S":"a"},"s":{"N":"1"},"u":{"S":""}`)), empty + `A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-u, IndexKey: u`},
	} {
		if _, answer := post(t, e, c.op, c.body); message(answer) != c.want {
			t.Errorf("%s %s\ngot  %s\nwant %s", c.op, brief(c.body), message(answer), c.want)
		}
	}
}

func TestReturnedValuesAreOnlyTheUpdated(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", createSessions)
	for _, c := range []struct{ update, mode, want string }{
		{"SET a.b = :v", "UPDATED_OLD", `{"a":{"M":{"b":{"S":"dog"}}}}`},
		{"SET a.b = :v", "UPDATED_NEW", `{"a":{"M":{"b":{"S":"new"}}}}`},
		{"SET a.c[1] = :v", "UPDATED_OLD", `{"a":{"M":{"c":{"L":[{"N":"2"}]}}}}`},
		{"SET a.c[1] = :v, a.b = :v", "UPDATED_NEW", `{"a":{"M":{"b":{"S":"new"},"c":{"L":[{"S":"new"}]}}}}`},
		{"REMOVE a.c[1], a.c[3]", "UPDATED_OLD", `{"a":{"M":{"c":{"L":[{"N":"2"}]}}}}`},
		{"SET a.x = :v", "UPDATED_OLD", `null`},
		{"SET a.x = :v", "UPDATED_NEW", `{"a":{"M":{"x":{"S":"new"}}}}`},
		{"SET a.c[100] = :v", "UPDATED_NEW", `null`},                            // the element is not at 100
		{"REMOVE a.c[1]", "UPDATED_NEW", `{"a":{"M":{"c":{"L":[{"N":"3"}]}}}}`}, // that was the next one
		{"REMOVE d", "UPDATED_NEW", `null`},
		{"SET e = :v REMOVE d", "UPDATED_NEW", `{"e":{"S":"new"}}`},
	} {
		mustPost(t, e, "PutItem", `{"TableName":"sessions","Item":{"id":{"S":"1"},"a":{"M":{"b":{"S":"dog"},"c":{"L":[{"N":"1"},{"N":"2"},{"N":"3"}]}}},"d":{"S":"cat"}}}`)
		values := ""
		if strings.Contains(c.update, ":v") {
			values = `,"ExpressionAttributeValues":{":v":{"S":"new"}}`
		}
		got := mustPost(t, e, "UpdateItem", `{"TableName":"sessions","Key":{"id":{"S":"1"}},"UpdateExpression":"`+c.update+`","ReturnValues":"`+c.mode+`"`+values+`}`)["Attributes"]
		if !reflect.DeepEqual(got, fromJSON(t, c.want)) {
			t.Errorf("%s, %s: %v, want %s", c.update, c.mode, got, c.want)
		}
	}
}

func TestUpdateThatOnlyTakesAwayCreatesNoItem(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", createSessions)
	const values = `,"ExpressionAttributeValues":{":s":{"SS":["x"]}}`
	for _, c := range []struct {
		rest    string
		creates bool
	}{
		{`,"UpdateExpression":"REMOVE a"`, false},
		{`,"UpdateExpression":"REMOVE a.b, c[0]"`, false},
		{`,"UpdateExpression":"DELETE a :s"` + values, false},
		{`,"UpdateExpression":"REMOVE b DELETE a :s","ConditionExpression":"attribute_not_exists(id)"` + values, false},
		{`,"UpdateExpression":"REMOVE b ADD a :s"` + values, true},
		{`,"UpdateExpression":"SET a = :s REMOVE b"` + values, true},
		{``, true},
	} {
		update := `{"TableName":"sessions","Key":{"id":{"S":"1"}}` + c.rest
		requests := map[string]string{"UpdateItem": update + `,"ReturnValues":"NONE"}`}
		if c.rest != "" {
			requests["TransactWriteItems"] = `{"TransactItems":[{"Update":` + update + `}}]}`
		}
		for op, body := range requests {
			mustPost(t, e, op, body)
			if got := mustPost(t, e, "GetItem", `{"TableName":"sessions","Key":{"id":{"S":"1"}}}`); (got["Item"] != nil) != c.creates {
				t.Errorf("%s %s: then the item is %v, want one: %v", op, c.rest, got["Item"], c.creates)
			}
			mustPost(t, e, "DeleteItem", `{"TableName":"sessions","Key":{"id":{"S":"1"}}}`)
		}
	}
}

func TestNewIndexLeavesOutWhatCannotBeItsKey(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", createSessions)
	for id, u := range map[string]string{"good": `{"S":"x"}`, "empty": `{"S":""}`, "number": `{"N":"1"}`, "long": `{"S":"` + strings.Repeat("x", 2049) + `"}`, "range": `{"S":"` + strings.Repeat("x", 1025) + `"}`} {
		mustPost(t, e, "PutItem", `{"TableName":"sessions","Item":{"id":{"S":"`+id+`"},"h":{"S":"h"},"u":`+u+`}}`)
	}
	indexed := func(name string) string {
		var ids []string
		for _, it := range mustPost(t, e, "Scan", `{"TableName":"sessions","IndexName":"`+name+`"}`)["Items"].([]any) {
			ids = append(ids, it.(map[string]any)["id"].(map[string]any)["S"].(string))
		}
		slices.Sort(ids)
		return strings.Join(ids, " ")
	}
	for name, c := range map[string]struct{ index, want string }{
		"as-hash":  {gsi("as-hash", "u", "", keysOnly), "good range"},
		"as-range": {gsi("as-range", "h", "u", keysOnly), "good"},
	} {
		mustPost(t, e, "UpdateTable", `{"TableName":"sessions","AttributeDefinitions":[{"AttributeName":"h","AttributeType":"S"},{"AttributeName":"u","AttributeType":"S"}],"GlobalSecondaryIndexUpdates":[{"Create":`+c.index+`}]}`)
		if got := indexed(name); got != c.want {
			t.Errorf("%s holds %q, want %q", name, got, c.want)
		}
	}
	// They can still be written, and enter the index when they fit.
	mustPost(t, e, "UpdateItem", `{"TableName":"sessions","Key":{"id":{"S":"empty"}},"UpdateExpression":"SET v = :v","ExpressionAttributeValues":{":v":{"S":"x"}}}`)
	mustPost(t, e, "UpdateItem", `{"TableName":"sessions","Key":{"id":{"S":"number"}},"UpdateExpression":"SET u = :v","ExpressionAttributeValues":{":v":{"S":"x"}}}`)
	mustPost(t, e, "DeleteItem", `{"TableName":"sessions","Key":{"id":{"S":"long"}}}`)
	if got, want := indexed("as-hash"), "good number range"; got != want {
		t.Errorf("then as-hash holds %q, want %q", got, want)
	}
}

func TestTablesAreDescribedAsTheyWereProvisioned(t *testing.T) {
	for _, c := range []struct{ rest, member, want string }{
		{``, "SSEDescription", `null`},
		{`,"SSESpecification":{"Enabled":false}`, "SSEDescription", `null`},
		{`,"SSESpecification":{"Enabled":true}`, "SSEDescription", `{"Status":"ENABLED","SSEType":"KMS","KMSMasterKeyArn":"arn:aws:kms:ddblocal:000000000000:alias/aws/dynamodb"}`},
		{`,"SSESpecification":{"Enabled":true,"KMSMasterKeyId":"arn:aws:kms:eu-west-1:1:key/k"}`, "SSEDescription", `{"Status":"ENABLED","SSEType":"KMS","KMSMasterKeyArn":"arn:aws:kms:eu-west-1:1:key/k"}`},
		{``, "TableClassSummary", `null`},
		{`,"TableClass":"STANDARD"`, "TableClassSummary", `{"TableClass":"STANDARD"}`},
		{`,"DeletionProtectionEnabled":true`, "DeletionProtectionEnabled", `true`},
	} {
		e := New()
		mustPost(t, e, "CreateTable", createSessions[:len(createSessions)-1]+c.rest+`}`)
		table := mustPost(t, e, "DescribeTable", `{"TableName":"sessions"}`)["Table"].(map[string]any)
		if !reflect.DeepEqual(table[c.member], fromJSON(t, c.want)) {
			t.Errorf("%s: %s is %v, want %s", c.rest, c.member, table[c.member], c.want)
		}
		if id := table["TableId"].(string); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Errorf("TableId %s is no UUID", id)
		}
	}
	for _, rest := range []string{`"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}`, `"TableClass":"COLD"`, `"SSESpecification":{"Enabled":true,"SSEType":"X"}`, `"Tags":[{"Key":"a"}]`} {
		if status, answer := post(t, New(), "CreateTable", createSessions[:len(createSessions)-1]+`,`+rest+`}`); status != http.StatusBadRequest {
			t.Errorf("%s is answered %d %v, want an error", rest, status, answer)
		}
	}
}

// An engine lives by the clock of the bubble in which it is made, and waits for nothing.
func TestEngineInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New()
		mustPost(t, e, "CreateTable", createSessions)
		mustPost(t, e, "UpdateTimeToLive", `{"TableName":"sessions","TimeToLiveSpecification":{"AttributeName":"expires","Enabled":true}}`)
		mustPost(t, e, "PutItem", fmt.Sprintf(`{"TableName":"sessions","Item":{"id":{"S":"a"},"expires":{"N":"%d"}}}`, time.Now().Add(time.Hour).Unix()))
		for range 3 {
			go func() {
				for range 100 {
					mustPost(t, e, "UpdateItem", `{"TableName":"sessions","Key":{"id":{"S":"b"}},"UpdateExpression":"ADD n :1","ExpressionAttributeValues":{":1":{"N":"1"}}}`)
					time.Sleep(time.Second)
				}
			}()
		}
		count := func() any { return mustPost(t, e, "Scan", `{"TableName":"sessions","Select":"COUNT"}`)["Count"] }
		time.Sleep(time.Hour - sweepEvery)
		before := count()
		time.Sleep(3 * sweepEvery)
		if after := count(); before != 2.0 || after != 1.0 {
			t.Errorf("there are %v items before the time to live has passed and %v after, want 2 and 1", before, after)
		}
		if n := mustPost(t, e, "GetItem", `{"TableName":"sessions","Key":{"id":{"S":"b"}}}`)["Item"].(map[string]any)["n"].(map[string]any)["N"]; n != "300" {
			t.Errorf("n is %v, want 300", n)
		}
	})
}
