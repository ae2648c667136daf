package memdynamo

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Parity: the cases of parity_cases_test.go are sent to an engine, and its
// answers compared with those of DynamoDB Local, which testdata/parity.json
// records. With DYNAMOSTORE_TEST_ENDPOINT they are also sent there and
// compared with the record, so that it is seen when the record is outdated;
// with -update as well, the endpoint's answers become the record.

var update = flag.Bool("update", false, "record the answers of the endpoint in DYNAMOSTORE_TEST_ENDPOINT")

const recordFile = "testdata/parity.json"

// A parityCase is one request. Cases run in their order, on what those before
// them left. In bodies and answers a table's name is $name, which stands for
// one that is unique to the run.
type parityCase struct {
	name, op, body string

	// differs says why memdynamo does not answer as Local does; want is then
	// its answer, either an error as "Type: message" or JSON. Where want is
	// empty, the message alone differs.
	differs, want string

	unordered bool // Items are compared as a set
	silent    bool // only prepares what follows: not compared
}

// An answer is what is compared.
type answer struct {
	Status  int    `json:"status"`
	Type    string `json:"type,omitempty"`
	Message string `json:"message,omitempty"`
	Body    any    `json:"body,omitempty"`
}

func (a answer) String() string {
	if a.Type != "" && a.Body == nil {
		return fmt.Sprintf("%d %s: %s", a.Status, a.Type, a.Message)
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// varying are the members of answers that tell nothing about behaviour: times,
// names that the service gives, statistics that it updates when it likes.
var varying = []string{
	"CreationDateTime", "LastUpdateToPayPerRequestDateTime", "LastIncreaseDateTime", "LastDecreaseDateTime",
	"TableArn", "IndexArn", "TableId", "TableSizeBytes", "IndexSizeBytes", "ItemCount", "IndexStatus", "Backfilling",
}

// normalize makes answers comparable.
func normalize(x any, unordered bool) any {
	switch x := x.(type) {
	case map[string]any:
		for _, name := range varying {
			delete(x, name)
		}
		for name, member := range x {
			x[name] = normalize(member, unordered)
			list, ok := x[name].([]any)
			if !ok {
				continue
			}
			switch name {
			case "SS", "NS", "BS", "AttributeDefinitions", "GlobalSecondaryIndexes", "NonKeyAttributes":
				sortJSON(list)
			case "Items":
				if unordered {
					sortJSON(list)
				}
			}
		}
	case []any:
		for i := range x {
			x[i] = normalize(x[i], unordered)
		}
	}
	return x
}

func sortJSON(list []any) {
	text := func(x any) string { b, _ := json.Marshal(x); return string(b) }
	slices.SortFunc(list, func(a, b any) int { return cmp.Compare(text(a), text(b)) })
}

// serviceTexts are messages that are other in Local than in the service: patterns of the service's,
// which memdynamo has, by Local's.
var serviceTexts = map[string]string{
	"Cannot do operations on a non-existent table":                                                            `Requested resource not found(: Table: \$nope not found|: Table: \$binary not found)?`,
	"The number of conditions on the keys is invalid":                                                         schemaMismatch,
	"One of the required keys was not given a value":                                                          schemaMismatch + `|One or more parameter values were invalid: Missing the key \w+ in the item`,
	"One or more parameter values were invalid: Type mismatch for key":                                        schemaMismatch + `|One or more parameter values were invalid: Type mismatch for key \w+ expected: [SNB] actual: [A-Z]+`,
	"Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes": keyTooLong,
	"One or more parameter values were invalid: Size limit exceeded":                                          keyTooLong,
	"One or more parameter values were invalid: Type mismatch for Index Key":                                  `One or more parameter values were invalid: Type mismatch for Index Key \w+ Expected: [SNB] Actual: [A-Z]+ IndexName: \w+`,
	"Query condition missed key schema element":                                                               `Query condition missed key schema element: \w+`,
	"GlobalSecondaryIndex count exceeds the per-table limit":                                                  `One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table limit of 20`,
	"The provided starting key is invalid":                                                                    startMismatch,
	"Exclusive Start Key must have same size as table's key schema":                                           startMismatch,
}

const (
	schemaMismatch = `The provided key element does not match the schema`
	startMismatch  = `The provided starting key is invalid(: ` + schemaMismatch + `)?`
	keyTooLong     = `One or more parameter values were invalid: (Size of hashkey has exceeded the maximum size limit of2048 bytes|Aggregated size of all range keys has exceeded the size limit of 1024 bytes)`
)

// agree reports whether memdynamo's answer, or a part of it, is Local's, but for texts.
func agree(got, local any) bool {
	switch local := local.(type) {
	case answer:
		got := got.(answer)
		return got.Status == local.Status && got.Type == local.Type && agree(got.Message, local.Message) && agree(got.Body, local.Body)
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok || len(got) != len(local) {
			return false
		}
		for name, x := range local {
			if g, ok := got[name]; !ok || !agree(g, x) {
				return false
			}
		}
		return true
	case []any:
		got, ok := got.([]any)
		return ok && slices.EqualFunc(got, local, func(a, b any) bool { return agree(a, b) })
	case string:
		if pattern, ok := serviceTexts[local]; ok {
			text, ok := got.(string)
			return ok && regexp.MustCompile("^(?:"+pattern+")$").MatchString(text)
		}
	}
	return reflect.DeepEqual(got, local)
}

// A parityRun sends the cases to one backend.
type parityRun struct {
	client   *http.Client
	endpoint string
	prefix   string // of the tables' names
}

func (r *parityRun) send(t *testing.T, op, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", r.endpoint, strings.NewReader(strings.ReplaceAll(body, `"$`, `"`+r.prefix)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", targetPrefix+op)
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x")
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", op, body, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, bytes.ReplaceAll(b, []byte(r.prefix), []byte("$"))
}

func (r *parityRun) ask(t *testing.T, c parityCase) answer {
	t.Helper()
	status, body := r.send(t, c.op, c.body)
	// A busy DynamoDB Local has accidents, above all with tables. They tell nothing of the request.
	for tries := 1; status == http.StatusInternalServerError && tries < 10; tries++ {
		status, body = r.send(t, c.op, c.body)
	}
	a := answer{Status: status}
	var x map[string]any
	if err := json.Unmarshal(body, &x); err != nil {
		t.Fatalf("%s %s: answer %q is not a JSON object: %v", c.op, c.body, body, err)
	}
	if typ, ok := x["__type"].(string); ok {
		_, a.Type, _ = strings.Cut(typ, "#")
		a.Message, _ = x["Message"].(string)
		delete(x, "__type")
		delete(x, "Message")
	}
	if len(x) > 0 {
		a.Body = normalize(x, c.unordered)
	}
	return a
}

// all runs every case and deletes the tables that are left.
func (r *parityRun) all(t *testing.T, check func(t *testing.T, c parityCase, got answer)) {
	r.prefix = "parity-" + strings.ToLower(rand.Text()[:8]) + "-"
	defer func() {
		for _, name := range parityTables {
			r.send(t, "DeleteTable", `{"TableName":"$`+name+`"}`)
		}
	}()
	for _, c := range parityCases() {
		got := r.ask(t, c)
		if c.silent {
			if got.Status != http.StatusOK {
				t.Fatalf("prepare: %s %s: %v", c.op, c.body, got)
			}
			continue
		}
		check(t, c, got)
	}
}

func TestParity(t *testing.T) {
	record := map[string]answer{}
	if b, err := os.ReadFile(recordFile); err == nil {
		if err := json.Unmarshal(b, &record); err != nil {
			t.Fatal(err)
		}
	} else if !*update {
		t.Fatal(err)
	}

	if endpoint := os.Getenv("DYNAMOSTORE_TEST_ENDPOINT"); endpoint != "" {
		fresh := map[string]answer{}
		run := parityRun{client: http.DefaultClient, endpoint: endpoint}
		run.all(t, func(t *testing.T, c parityCase, got answer) {
			if _, twice := fresh[c.name]; twice {
				t.Fatalf("two cases are named %q", c.name)
			}
			if c.differs != "" && c.want == "" {
				got.Message = "" // as the case says, it tells nothing
			}
			fresh[c.name] = got
			if want, ok := record[c.name]; !*update && (!ok || !reflect.DeepEqual(got, want)) {
				t.Errorf("%s\n%s %s\nendpoint %v\nrecord   %v", c.name, c.op, brief(c.body), got, want)
			}
		})
		if *update {
			record = fresh
			var lines []string // one a case
			for _, name := range slices.Sorted(maps.Keys(record)) {
				line, err := json.Marshal(map[string]answer{name: record[name]})
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, string(line[1:len(line)-1]))
			}
			b := []byte("{\n" + strings.Join(lines, ",\n") + "\n}\n")
			if err := os.WriteFile(recordFile, b, 0o644); err != nil {
				t.Fatal(err)
			}
			// As it will be read: numbers are float64 either way.
			if err := json.Unmarshal(b, &record); err != nil {
				t.Fatal(err)
			}
		}
	} else if *update {
		t.Fatal("-update needs DYNAMOSTORE_TEST_ENDPOINT")
	}

	unused := maps.Clone(record)
	run := parityRun{client: &http.Client{Transport: New()}, endpoint: "http://memdynamo/"}
	run.all(t, func(t *testing.T, c parityCase, got answer) {
		local, ok := record[c.name]
		if !ok {
			t.Errorf("%s: not recorded; run with -update", c.name)
			return
		}
		delete(unused, c.name)
		if c.differs == "" {
			if !agree(got, local) {
				t.Errorf("%s\n%s %s\nmemdynamo %v\nLocal     %v", c.name, c.op, brief(c.body), got, local)
			}
			return
		}
		if c.want != "" && agree(got, local) {
			t.Errorf("%s: the case says that Local differs (%s), but both answer %v", c.name, c.differs, got)
		}
		switch {
		case c.want == "":
			if got.Status != local.Status || got.Type != local.Type || !reflect.DeepEqual(got.Body, local.Body) {
				t.Errorf("%s\n%s %s\nmemdynamo %v\nLocal     %v", c.name, c.op, brief(c.body), got, local)
			}
		case strings.HasPrefix(c.want, "{"):
			var want any
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if got.Status != http.StatusOK || !reflect.DeepEqual(orEmpty(got.Body), normalize(want, c.unordered)) {
				t.Errorf("%s\n%s %s\nmemdynamo %v\nwant      %s", c.name, c.op, brief(c.body), got, c.want)
			}
		default:
			if got.Type+": "+got.Message != c.want {
				t.Errorf("%s\n%s %s\nmemdynamo %v\nwant      %s", c.name, c.op, brief(c.body), got, c.want)
			}
		}
	})
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		t.Errorf("%s: recorded, but no case", name)
	}
}

// brief is as much of a request as a failure needs to show.
func brief(body string) string {
	const most = 1000
	if len(body) > most {
		return body[:most] + "…"
	}
	return body
}

// orEmpty is a body without members, where there is none.
func orEmpty(body any) any {
	if body == nil {
		return map[string]any{}
	}
	return body
}
