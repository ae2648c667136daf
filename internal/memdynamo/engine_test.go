package memdynamo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// post sends a request to the engine, and returns the status and the answer.
func post(t testing.TB, e http.RoundTripper, op, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), "POST", "http://memdynamo/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "x")
	req.Header.Set("X-Amz-Target", targetPrefix+op)
	resp, err := e.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// mustPost fails the test where the answer is not 200.
func mustPost(t testing.TB, e http.RoundTripper, op, body string) map[string]any {
	t.Helper()
	status, answer := post(t, e, op, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %v", op, body, status, answer)
	}
	return answer
}

const createSessions = `{"TableName":"sessions","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`

func client(transport http.RoundTripper) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://memdynamo"),
		HTTPClient:   &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
}

func TestThroughTheSDK(t *testing.T) {
	ctx := t.Context()
	c := client(New())
	_, err := c.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            aws.String("sessions"),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("user"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String("by-user"),
			KeySchema:  []types.KeySchemaElement{{AttributeName: aws.String("user"), KeyType: types.KeyTypeHash}},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := dynamodb.NewTableExistsWaiter(c).Wait(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("sessions")}, time.Second); err != nil {
		t.Error(err)
	}
	key := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "a"}}
	put := &dynamodb.PutItemInput{
		TableName: aws.String("sessions"),
		Item: map[string]types.AttributeValue{
			"id":   &types.AttributeValueMemberS{Value: "a"},
			"user": &types.AttributeValueMemberS{Value: "ann"},
			"data": &types.AttributeValueMemberB{Value: []byte("\x00\xff")},
			"n":    &types.AttributeValueMemberN{Value: "7"},
		},
		ConditionExpression:                 aws.String("attribute_not_exists(id)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if _, err := c.PutItem(ctx, put); err != nil {
		t.Fatal(err)
	}
	var refused *types.ConditionalCheckFailedException
	if _, err := c.PutItem(ctx, put); !errors.As(err, &refused) || refused.Item["n"].(*types.AttributeValueMemberN).Value != "7" {
		t.Errorf("second put: %v, item %v", err, refused)
	}
	got, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("sessions"), Key: key, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
	if err != nil {
		t.Fatal(err)
	}
	if data := got.Item["data"].(*types.AttributeValueMemberB).Value; !bytes.Equal(data, []byte("\x00\xff")) || *got.ConsumedCapacity.CapacityUnits != 1 {
		t.Errorf("got %v", got)
	}
	found, err := c.Query(ctx, &dynamodb.QueryInput{
		TableName: aws.String("sessions"), IndexName: aws.String("by-user"),
		KeyConditionExpression:    aws.String("#u = :u"),
		ExpressionAttributeNames:  map[string]string{"#u": "user"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":u": &types.AttributeValueMemberS{Value: "ann"}},
	})
	if err != nil || len(found.Items) != 1 {
		t.Errorf("query: %v, %v", found, err)
	}
	transact := func(n string) error {
		_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Delete: &types.Delete{TableName: aws.String("sessions"), Key: key, ConditionExpression: aws.String("n = :n"), ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberN{Value: n}}, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}},
			{Put: &types.Put{TableName: aws.String("sessions"), Item: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "b"}}}},
		}})
		return err
	}
	var cancelled *types.TransactionCanceledException
	if err := transact("8"); !errors.As(err, &cancelled) || *cancelled.CancellationReasons[0].Code != "ConditionalCheckFailed" || len(cancelled.CancellationReasons[0].Item) != 4 {
		t.Errorf("transaction: %v", err)
	}
	if err := transact("7"); err != nil {
		t.Error(err)
	}
	var missing *types.ResourceNotFoundException
	if _, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("nope")}); !errors.As(err, &missing) {
		t.Errorf("describe: %v", err)
	}
}

func TestServedOverHTTP(t *testing.T) {
	server := httptest.NewServer(New())
	defer server.Close()
	c := client(http.DefaultTransport)
	list, err := c.ListTables(t.Context(), &dynamodb.ListTablesInput{}, func(o *dynamodb.Options) { o.BaseEndpoint = aws.String(server.URL) })
	if err != nil || len(list.TableNames) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestProtocolErrors(t *testing.T) {
	for _, c := range []struct{ name, method, auth, target, want string }{
		{"no authorization", "POST", "", targetPrefix + "ListTables", "com.amazonaws.dynamodb.v20120810#MissingAuthenticationToken"},
		{"not a post", "GET", "x", targetPrefix + "ListTables", "com.amazonaws.dynamodb.v20120810#MissingAuthenticationToken"},
		{"another service", "POST", "x", "Foo.GetItem", "com.amazonaws.dynamodb.v20120810#InvalidAction"},
		{"no operation", "POST", "x", targetPrefix, "com.amazonaws.dynamodb.v20120810#UnknownOperationException"},
	} {
		req := httptest.NewRequest(c.method, "/", strings.NewReader("{}"))
		req.Header.Set("X-Amz-Target", c.target)
		if c.auth != "" {
			req.Header.Set("Authorization", c.auth)
		}
		rec := httptest.NewRecorder()
		New().ServeHTTP(rec, req)
		var answer map[string]string
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || rec.Code != 400 || answer["__type"] != c.want {
			t.Errorf("%s: %d %s, want %s", c.name, rec.Code, rec.Body, c.want)
		}
		for _, h := range []string{"X-Amz-Crc32", "X-Amzn-Requestid", "Content-Type"} {
			if rec.Header().Get(h) == "" {
				t.Errorf("%s: no header %s", c.name, h)
			}
		}
	}
}

func TestRoundTripHonoursCancellation(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", createSessions)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://memdynamo/", strings.NewReader(`{"TableName":"sessions","Item":{"id":{"S":"a"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", targetPrefix+"PutItem")
	req.Header.Set("Authorization", "x")
	if resp, err := e.RoundTrip(req); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", resp, err)
	}
	if got := mustPost(t, e, "Scan", `{"TableName":"sessions"}`); got["Count"] != 0.0 {
		t.Errorf("the cancelled request was carried out: %v", got)
	}
}

// The clock decides; it is the test's.
func withClock(e *Engine) (advance func(time.Duration)) {
	now := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	e.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	return func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
}

func TestExpiredItemsAreDeleted(t *testing.T) {
	e := New()
	advance := withClock(e)
	mustPost(t, e, "CreateTable", createSessions)
	mustPost(t, e, "UpdateTimeToLive", `{"TableName":"sessions","TimeToLiveSpecification":{"AttributeName":"expires","Enabled":true}}`)
	for id, expires := range map[string]string{
		"past": `{"N":"1799999999"}`, "soon": `{"N":"1800000005"}`, "future": `{"N":"1900000000"}`, "text": `{"S":"1799999999"}`, "ancient": `{"N":"1500000000"}`, "fraction": `{"N":"1799999999.5"}`,
	} {
		mustPost(t, e, "PutItem", `{"TableName":"sessions","Item":{"id":{"S":"`+id+`"},"expires":`+expires+`}}`)
	}
	mustPost(t, e, "PutItem", `{"TableName":"sessions","Item":{"id":{"S":"never"}}}`)
	ids := func() string {
		var out []string
		for _, it := range mustPost(t, e, "Scan", `{"TableName":"sessions"}`)["Items"].([]any) {
			out = append(out, it.(map[string]any)["id"].(map[string]any)["S"].(string))
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	if got, want := ids(), "ancient fraction future never past soon text"; got != want {
		t.Errorf("before the first sweep: %s, want %s", got, want)
	}
	advance(sweepEvery)
	if got, want := ids(), "ancient future never text"; got != want {
		t.Errorf("after %v: %s, want %s", sweepEvery, got, want)
	}
	mustPost(t, e, "UpdateTimeToLive", `{"TableName":"sessions","TimeToLiveSpecification":{"AttributeName":"expires","Enabled":false}}`)
	advance(10 * 365 * 24 * time.Hour)
	if got, want := ids(), "ancient future never text"; got != want {
		t.Errorf("without time to live: %s, want %s", got, want)
	}
}

func TestClientRequestTokenExpires(t *testing.T) {
	e := New()
	advance := withClock(e)
	mustPost(t, e, "CreateTable", createSessions)
	add := `{"ClientRequestToken":"t","TransactItems":[{"Update":{"TableName":"sessions","Key":{"id":{"S":"a"}},"UpdateExpression":"ADD n :1","ExpressionAttributeValues":{":1":{"N":"1"}}}}]}`
	for _, step := range []struct {
		wait time.Duration
		want string
	}{{0, "1"}, {tokenLife - 1, "1"}, {1, "2"}} {
		advance(step.wait)
		mustPost(t, e, "TransactWriteItems", add)
		got := mustPost(t, e, "GetItem", `{"TableName":"sessions","Key":{"id":{"S":"a"}}}`)
		if n := got["Item"].(map[string]any)["n"].(map[string]any)["N"]; n != step.want {
			t.Errorf("n is %v, want %s", n, step.want)
		}
	}
}

func TestOnDemandTableTakesNoThroughput(t *testing.T) {
	// Local lets it pass; the service does not.
	status, answer := post(t, New(), "CreateTable", createSessions[:len(createSessions)-1]+`,"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}`)
	if status != 400 || !strings.Contains(answer["Message"].(string), "when BillingMode is PAY_PER_REQUEST") {
		t.Errorf("%d %v", status, answer)
	}
}

func TestIndexesFollowUpdateTable(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", createSessions)
	for i := range 10 {
		mustPost(t, e, "PutItem", fmt.Sprintf(`{"TableName":"sessions","Item":{"id":{"S":"%d"},"owner_id":{"S":"o%d"},"e":{"N":"%d"}}}`, i, i%2, 100-i))
	}
	mustPost(t, e, "PutItem", `{"TableName":"sessions","Item":{"id":{"S":"foreign"},"owner_id":{"N":"1"},"e":{"N":"1"}}}`)
	mustPost(t, e, "PutItem", `{"TableName":"sessions","Item":{"id":{"S":"none"}}}`)
	create := `{"TableName":"sessions","AttributeDefinitions":[{"AttributeName":"owner_id","AttributeType":"S"},{"AttributeName":"e","AttributeType":"N"}],"GlobalSecondaryIndexUpdates":[{"Create":` + gsi("by-owner", "owner_id", "e", keysOnly) + `}]}`
	mustPost(t, e, "UpdateTable", create)
	if status, answer := post(t, e, "UpdateTable", create); status != 400 {
		t.Errorf("created twice: %v", answer)
	}
	ids := func() (out []string) {
		q := `{"TableName":"sessions","IndexName":"by-owner","KeyConditionExpression":"owner_id = :o","ExpressionAttributeValues":{":o":{"S":"o1"}}}`
		for _, it := range mustPost(t, e, "Query", q)["Items"].([]any) {
			out = append(out, it.(map[string]any)["id"].(map[string]any)["S"].(string))
		}
		return out
	}
	if got := ids(); !slices.Equal(got, []string{"9", "7", "5", "3", "1"}) {
		t.Errorf("after creation: %v", got)
	}
	mustPost(t, e, "DeleteItem", `{"TableName":"sessions","Key":{"id":{"S":"5"}}}`)
	mustPost(t, e, "UpdateItem", `{"TableName":"sessions","Key":{"id":{"S":"1"}},"UpdateExpression":"SET e = :0","ExpressionAttributeValues":{":0":{"N":"0"}}}`)
	mustPost(t, e, "UpdateItem", `{"TableName":"sessions","Key":{"id":{"S":"3"}},"UpdateExpression":"REMOVE owner_id"}`)
	mustPost(t, e, "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"sessions","Item":{"id":{"S":"new"},"owner_id":{"S":"o1"},"e":{"N":"92"}}}}]}`)
	if got := ids(); !slices.Equal(got, []string{"1", "9", "new", "7"}) {
		t.Errorf("after changes: %v", got)
	}
	mustPost(t, e, "UpdateTable", `{"TableName":"sessions","GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"by-owner"}}]}`)
	described := mustPost(t, e, "DescribeTable", `{"TableName":"sessions"}`)["Table"].(map[string]any)
	if described["GlobalSecondaryIndexes"] != nil || len(described["AttributeDefinitions"].([]any)) != 1 {
		t.Errorf("after deletion: %v", described)
	}
}

func TestScanPagesAndSegmentsMeetEveryItemOnce(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", `{"TableName":"items","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"s","AttributeType":"N"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"}],"GlobalSecondaryIndexes":[`+gsi("turned", "s", "id", keysOnly)+`]}`)
	const n = 300
	for i := range n {
		mustPost(t, e, "PutItem", fmt.Sprintf(`{"TableName":"items","Item":{"id":{"S":"id%d"},"s":{"N":"%d"}}}`, i/3, i%3))
	}
	for _, index := range []string{"", `,"IndexName":"turned"`} {
		for _, segments := range []int{1, 2, 7, 1000} {
			seen, populated := map[string]int{}, 0
			for segment := range segments {
				start, before := "", len(seen)
				for {
					page := mustPost(t, e, "Scan", fmt.Sprintf(`{"TableName":"items","Limit":7,"Segment":%d,"TotalSegments":%d%s%s}`, segment, segments, index, start))
					for _, it := range page["Items"].([]any) {
						b, err := json.Marshal(it)
						if err != nil {
							t.Fatal(err)
						}
						seen[string(b)]++
					}
					last, more := page["LastEvaluatedKey"]
					if !more {
						break
					}
					b, err := json.Marshal(last)
					if err != nil {
						t.Fatal(err)
					}
					start = `,"ExclusiveStartKey":` + string(b)
				}
				if len(seen) > before {
					populated++
				}
			}
			if len(seen) != n {
				t.Errorf("%d segments%s: %d items, want %d", segments, index, len(seen), n)
			}
			for it, times := range seen {
				if times != 1 {
					t.Errorf("%d segments%s: %s came %d times", segments, index, it, times)
				}
			}
			if index == "" && segments == 7 && populated != 7 {
				t.Errorf("items are in %d of 7 segments", populated)
			}
		}
	}
}

func TestScanGoesOnBehindADeletedItem(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", createSessions)
	for i := range 10 {
		mustPost(t, e, "PutItem", fmt.Sprintf(`{"TableName":"sessions","Item":{"id":{"S":"%d"}}}`, i))
	}
	seen := 0
	start := ""
	for {
		page := mustPost(t, e, "Scan", `{"TableName":"sessions","Limit":1`+start+`}`)
		for _, it := range page["Items"].([]any) {
			seen++
			key, err := json.Marshal(it)
			if err != nil {
				t.Fatal(err)
			}
			mustPost(t, e, "DeleteItem", `{"TableName":"sessions","Key":`+string(key)+`}`)
			start = `,"ExclusiveStartKey":` + string(key)
		}
		if page["LastEvaluatedKey"] == nil {
			break
		}
	}
	if seen != 10 {
		t.Errorf("saw %d items, want 10", seen)
	}
}

func TestConcurrentConditionalUpdatesLoseNothing(t *testing.T) {
	e := New()
	mustPost(t, e, "CreateTable", createSessions)
	mustPost(t, e, "PutItem", `{"TableName":"sessions","Item":{"id":{"S":"a"},"n":{"N":"0"}}}`)
	const workers, each = 8, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				for {
					got := mustPost(t, e, "GetItem", `{"TableName":"sessions","Key":{"id":{"S":"a"}}}`)
					n := got["Item"].(map[string]any)["n"].(map[string]any)["N"].(string)
					status, _ := post(t, e, "UpdateItem", `{"TableName":"sessions","Key":{"id":{"S":"a"}},"UpdateExpression":"ADD n :1","ConditionExpression":"n = :n","ExpressionAttributeValues":{":1":{"N":"1"},":n":{"N":"`+n+`"}}}`)
					if status == http.StatusOK {
						break
					}
				}
				// Transactions and scans of the same items go on meanwhile.
				mustPost(t, e, "TransactWriteItems", fmt.Sprintf(`{"TransactItems":[{"Update":{"TableName":"sessions","Key":{"id":{"S":"b"}},"UpdateExpression":"ADD n :1","ExpressionAttributeValues":{":1":{"N":"1"}}}},{"Put":{"TableName":"sessions","Item":{"id":{"S":"w%d"}}}}]}`, w))
				mustPost(t, e, "Scan", `{"TableName":"sessions"}`)
			}
		})
	}
	wg.Wait()
	for _, id := range []string{"a", "b"} {
		got := mustPost(t, e, "GetItem", `{"TableName":"sessions","Key":{"id":{"S":"`+id+`"}}}`)
		if n := got["Item"].(map[string]any)["n"].(map[string]any)["N"]; n != fmt.Sprint(workers*each) {
			t.Errorf("%s: n is %v, want %d", id, n, workers*each)
		}
	}
}

// Tables that come and go under transactions: for the race detector.
func TestConcurrentTablesAndTransactions(t *testing.T) {
	e := New()
	create := func(name string) { post(t, e, "CreateTable", strings.Replace(createSessions, "sessions", name, 1)) }
	create("one")
	create("two")
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 50 {
				a, b := "one", "two"
				if w%2 == 0 {
					a, b = b, a
				}
				if w == 5 {
					post(t, e, "DeleteTable", `{"TableName":"one"}`)
					create("one")
					post(t, e, "DescribeTable", `{"TableName":"two"}`)
					continue
				}
				put := func(name string) string {
					return fmt.Sprintf(`{"Put":{"TableName":"%s","Item":{"id":{"S":"%d"}}}}`, name, i%10)
				}
				post(t, e, "TransactWriteItems", `{"TransactItems":[`+put(a)+`,`+put(b)+`]}`)
			}
		})
	}
	wg.Wait()
}

// BenchmarkRoundTrip is what one request on a session of 1 KiB costs.
func BenchmarkRoundTrip(b *testing.B) {
	const update = `,"ConditionExpression":"version = :old AND attribute_exists(#d)","UpdateExpression":"SET #d = :d, version = :new, expires = :e",
		"ExpressionAttributeNames":{"#d":"data"},"ExpressionAttributeValues":{":old":{"S":"abcdefgh"},":new":{"S":"abcdefgh"},":e":{"N":"1800000001"},":d":{"B":"%s"}}`
	data := strings.Repeat("AAAA", 256)
	for op, rest := range map[string]string{"GetItem": `,"ConsistentRead":true`, "UpdateItem": fmt.Sprintf(update, data)} {
		b.Run(op, func(b *testing.B) {
			e := New()
			mustPost(b, e, "CreateTable", createSessions)
			for i := range 1000 {
				mustPost(b, e, "PutItem", fmt.Sprintf(`{"TableName":"sessions","Item":{"id":{"S":"%d"},"expires":{"N":"1800000000"},"version":{"S":"abcdefgh"},"codec":{"S":"gob"},"data":{"B":"%s"}}}`, i, data))
			}
			body := []byte(`{"TableName":"sessions","Key":{"id":{"S":"77"}}` + rest + `}`)
			b.ReportAllocs()
			for b.Loop() {
				req, err := http.NewRequest("POST", "http://memdynamo/", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				req.Header["Authorization"] = []string{"x"}
				req.Header["X-Amz-Target"] = []string{targetPrefix + op}
				resp, err := e.RoundTrip(req)
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(resp, err)
				}
			}
		})
	}
}
