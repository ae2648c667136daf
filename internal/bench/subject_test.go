// Package bench measures a Store beside the AWS SDK alone, which makes the same requests, and beside
// other session stores for Go. It is a module of its own, so that nobody else needs those. DynamoDB's
// own time is left out: a transport in this process answers at once.
//
//	go test -run '^$' -bench .
//
// Each benchmark takes turns between two subjects, in one run, and reports CPU time; see compare.
// Section 9 of DESIGN.md bounds the ratios.
package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

const cookieName = "session"

func init() { gob.Register(map[string]any{}) }

var key = bytes.Repeat([]byte("a"), 32)

// A visit is what a request does with its session.
type visit int

const (
	get visit = iota
	getSaveUnchanged
	getSaveChanged
	firstVisit
)

// A browser has a session in a store for gorilla/sessions. It visits without the parts of HTTP that
// are not the store's.
type browser struct {
	store    sessions.Store
	request  *http.Request // with the session's cookie
	response response
	session  *sessions.Session // of the last visit
	n        int
}

// visit makes a request, which must find the session.
func (b *browser) visit(v visit) error {
	return b.do(b.request, v != get, func(session *sessions.Session) {
		if v == getSaveChanged {
			b.n++
			session.Values["seen"] = b.n
		}
	})
}

func (b *browser) values() map[any]any { return b.session.Values }

func (b *browser) do(request *http.Request, save bool, change func(*sessions.Session)) (err error) {
	clear(b.response)
	r := *request // with a registry of its own
	if b.session, err = b.store.Get(&r, cookieName); err != nil {
		return err
	}
	if request == b.request && b.session.IsNew {
		return errors.New("no session was loaded")
	}
	change(b.session)
	if !save {
		return nil
	}
	return b.session.Save(&r, b.response)
}

// A response is a response that nobody reads.
type response http.Header

func (r response) Header() http.Header         { return http.Header(r) }
func (r response) Write(b []byte) (int, error) { return len(b), nil }
func (r response) WriteHeader(int)             {}

// subject is the browser of a Store, and the SDK's client that the Store uses.
type subject struct {
	browser
	client  *dynamodb.Client
	stub    *stub
	sent    *recorder
	content map[any]any // the values of the session
}

// newSubject returns a subject that has a session of those values.
func newSubject(b testing.TB, cfg dynamostore.Config, values map[any]any) *subject {
	s := &subject{stub: newStub(), content: values}
	s.response, s.request = response{}, httptest.NewRequest("GET", "/", nil)
	s.client = dynamostore.NewClient(aws.Config{
		Region:     "us-east-1",
		HTTPClient: &http.Client{Transport: s.stub},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}, nil
		}),
	})
	// First on a client that records what is sent: the SDK alone sends the same.
	s.sent = &recorder{Client: s.client}
	s.open(b, s.sent, cfg)
	do := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	do(s.visit(firstVisit))
	s.stub.item = itemAnswer(b, s.sent.put.Item)
	id := s.sent.put.Item["id"].(*types.AttributeValueMemberS).Value
	cookie, err := securecookie.EncodeMulti(cookieName, id, securecookie.CodecsFromPairs(key)...)
	do(err)
	s.request.AddCookie(sessions.NewCookie(cookieName, cookie, &sessions.Options{}))
	do(s.visit(getSaveChanged))
	s.open(b, s.client, cfg)
	return s
}

func (s *subject) open(b testing.TB, client dynamostore.Client, cfg dynamostore.Config) {
	var err error
	if s.store, err = dynamostore.New(client, cfg, key); err != nil {
		b.Fatal(err)
	}
}

// visit makes a request. The first visit has no cookie.
func (s *subject) visit(v visit) error {
	if v == firstVisit {
		return s.do(&http.Request{Header: http.Header{}}, true, func(session *sessions.Session) { session.Values = s.content })
	}
	return s.browser.visit(v)
}

// append is a request that appends to a list.
func (s *subject) append(key, element string) error {
	return s.do(s.request, true, func(session *sessions.Session) {
		session.Values[key] = append(session.Values[key].([]string), element)
	})
}

// sdk makes the requests of a visit by the SDK alone.
func (s *subject) sdk(v visit) error {
	ctx := context.Background()
	if v == firstVisit {
		_, err := s.client.PutItem(ctx, s.sent.put)
		return err
	}
	if _, err := s.client.GetItem(ctx, s.sent.get); err != nil || v != getSaveChanged {
		return err
	}
	_, err := s.client.UpdateItem(ctx, s.sent.update)
	return err
}

// encoded returns the item of the session with other values, as another request would leave it.
func (s *subject) encoded(b testing.TB, values map[any]any) map[string]types.AttributeValue {
	data, err := dynamostore.GobCodec{}.Encode(values)
	if err != nil {
		b.Fatal(err)
	}
	item := maps.Clone(s.sent.put.Item)
	item["data"] = &types.AttributeValueMemberB{Value: data}
	item["version"] = &types.AttributeValueMemberS{Value: "0000000000000000THEIR"}
	return item
}

// recorder is a client that keeps what it was asked for last.
type recorder struct {
	*dynamodb.Client
	get    *dynamodb.GetItemInput
	put    *dynamodb.PutItemInput
	update *dynamodb.UpdateItemInput
}

func (r *recorder) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	r.get = in
	return r.Client.GetItem(ctx, in, o...)
}

func (r *recorder) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	r.put = in
	return r.Client.PutItem(ctx, in, o...)
}

func (r *recorder) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	r.update = in
	return r.Client.UpdateItem(ctx, in, o...)
}

// stub is a transport that answers from prepared bytes.
type stub struct {
	item    *answer // of GetItem
	refusal *answer // of the first of two UpdateItem, if refuse is set
	refuse  bool
	empty   *answer // of the others
}

type answer struct {
	status int
	body   []byte
	header http.Header
}

func newStub() *stub {
	empty := newAnswer(http.StatusOK, []byte("{}"))
	return &stub{item: empty, empty: empty}
}

func newAnswer(status int, body []byte) *answer {
	return &answer{status, body, http.Header{
		"Content-Type":     {"application/x-amz-json-1.0"},
		"Content-Length":   {strconv.Itoa(len(body))},
		"X-Amz-Crc32":      {strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)},
		"X-Amzn-Requestid": {"3O8M4UQ7N0ETFJ3PKG2NGT3GV7VV4KQNSO5AEMVJF66Q9ASUAAJG"},
		"Date":             {"Tue, 24 Nov 2026 09:30:00 GMT"},
		"Server":           {"Server"},
	}}
}

func itemAnswer(b testing.TB, item map[string]types.AttributeValue) *answer {
	body, err := json.Marshal(map[string]any{"Item": wire(item)})
	if err != nil {
		b.Fatal(err)
	}
	return newAnswer(http.StatusOK, body)
}

// theirs makes item what a refused update meets.
func (s *stub) theirs(b testing.TB, item map[string]types.AttributeValue) {
	body, err := json.Marshal(map[string]any{
		"__type":  "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
		"message": "The conditional request failed",
		"Item":    wire(item),
	})
	if err != nil {
		b.Fatal(err)
	}
	s.refusal = newAnswer(http.StatusBadRequest, body)
}

// wire returns an item as DynamoDB sends it.
func wire(item map[string]types.AttributeValue) map[string]any {
	attrs := make(map[string]any, len(item))
	for name, v := range item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			attrs[name] = map[string]string{"S": v.Value}
		case *types.AttributeValueMemberN:
			attrs[name] = map[string]string{"N": v.Value}
		case *types.AttributeValueMemberB:
			attrs[name] = map[string]string{"B": base64.StdEncoding.EncodeToString(v.Value)}
		}
	}
	return attrs
}

func (s *stub) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	a := s.empty
	switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); {
	case operation == "GetItem":
		a = s.item
	case operation == "UpdateItem" && s.refuse:
		a, s.refuse = s.refusal, false
	}
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.header,
		ContentLength: int64(len(a.body)),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		Request:       r,
	}, nil
}

// sessionValues returns a session of about size bytes as JSON: an account, settings, flashes, and then what
// makes sessions large, a few long strings such as tokens of single sign-on and drafts of forms.
func sessionValues(size int) map[any]any {
	v := map[any]any{
		"user": "u-8f14e45fceea167a", "csrf": "b1946ac92492d2347c6235b4d2611184", "seen": 0,
		"email": "ann.example@example.com", "authenticated": true, "score": 0.75,
		"_flash": []any{"Saved your changes."},
		"prefs":  map[string]any{"theme": "dark", "lang": "de", "page": 50},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n := 0; ; n++ {
		data, err := dynamostore.JSONCodec{}.Encode(v)
		if err != nil {
			panic(err)
		}
		missing := size - len(data)
		if missing < 20 {
			return v
		}
		token := make([]byte, min(missing-14, 1200))
		for i := range token {
			// Half of it repeats itself, so that there is something to compress.
			token[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[random.IntN(64)]
			if i%64 >= 32 {
				token[i] = token[i%64]
			}
		}
		v[fmt.Sprintf("token%03d", n)] = string(token)
	}
}
