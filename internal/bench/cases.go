package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// operation is what a request does with its session.
type operation int

const (
	get       operation = iota // Get alone
	unchanged                  // Get, and Save of what was loaded
	changed                    // Get, a change, Save
	first                      // no cookie, Save
)

func (o operation) String() string {
	return [...]string{"Get", "GetSaveUnchanged", "GetSaveChanged", "FirstVisit"}[o]
}

// benchCase is one thing that is measured.
type benchCase struct {
	op       operation
	codec    string // gob or json
	size     int    // bytes of the session, about, as JSON
	pairs    int    // of cookie keys; the cookie is signed by the last
	records  bool   // the session is many small values, not a few long ones
	compress bool
	encrypt  bool
}

// cases are all that is measured. Each row of the budget is measured in full for sessions that lie in the table as
// the codec wrote them, which a session above 1 KiB does with NoCompression. Compression and encryption then come
// one by one and together.
func cases() []benchCase {
	var all []benchCase
	for _, op := range []operation{get, unchanged, changed, first} {
		for _, codec := range []string{"json", "gob"} {
			for _, size := range []int{1 << 10, 4 << 10, 32 << 10} {
				for _, pairs := range []int{1, 2} {
					all = append(all, benchCase{op: op, codec: codec, size: size, pairs: pairs})
				}
			}
		}
	}
	for _, op := range []operation{get, changed} {
		for _, codec := range []string{"json", "gob"} {
			for _, size := range []int{1 << 10, 4 << 10, 32 << 10} {
				all = append(all, benchCase{op: op, codec: codec, size: size, pairs: 1, records: true})
			}
		}
	}
	for _, op := range []operation{get, changed} {
		for _, codec := range []string{"json", "gob"} {
			for _, size := range []int{1 << 10, 4 << 10, 32 << 10} {
				all = append(all, benchCase{op: op, codec: codec, size: size, pairs: 1, encrypt: true})
				if size > 1<<10 { // up to that, nothing is compressed
					all = append(all, benchCase{op: op, codec: codec, size: size, pairs: 1, compress: true},
						benchCase{op: op, codec: codec, size: size, pairs: 1, compress: true, encrypt: true})
				}
			}
		}
	}
	return all
}

// budget is the largest ratio of the time that is allowed (docs/speed.md); 0: none is set.
func (c benchCase) budget() float64 {
	if c.compress || c.encrypt {
		return 0 // they are work that the SDK alone does not do
	}
	switch {
	case c.op == get && c.codec == "json":
		return 1.25
	case c.op == get:
		return 1.35
	case c.op == changed && c.codec == "json":
		return 1.30
	case c.op == changed:
		return 1.40
	}
	return 0
}

// data says what the session holds and how it is stored.
func (c benchCase) data() string {
	data := "text"
	if c.records {
		data = "records"
	}
	if c.compress {
		data += "+zstd"
	}
	if c.encrypt {
		data += "+aes"
	}
	return data
}

func (c benchCase) name() string {
	return fmt.Sprintf("%v/codec=%s/data=%s/size=%dKiB/pairs=%d", c.op, c.codec, c.data(), c.size>>10, c.pairs)
}

const cookieName = "session"

// values returns a session of about size bytes as JSON: an account, settings, flashes, and then what makes
// sessions large. That is a few long strings, such as tokens of single sign-on and drafts of forms; or else
// records, such as what is in a basket, which are many values for their bytes.
func values(size int, records bool) map[any]any {
	v := map[any]any{
		"user": "u-8f14e45fceea167a",
		"csrf": "b1946ac92492d2347c6235b4d2611184",
		"seen": 0,
	}
	if size >= 1<<10 {
		v["email"], v["authenticated"], v["score"] = "ann.example@example.com", true, 0.75
		v["_flash"] = []any{"Saved your changes."}
		v["prefs"] = map[string]any{"theme": "dark", "lang": "de", "page": 50}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n := 0; ; n++ {
		data, err := dynamostore.JSONCodec{}.Encode(v)
		if err != nil {
			panic(err)
		}
		missing := size - len(data)
		switch {
		case missing < 20:
			return v
		case records && missing > 250:
			v[fmt.Sprintf("record%d", n)] = map[string]any{
				"name": fmt.Sprintf("Article number %d", n), "count": n, "price": float64(n) + 0.25, "active": true,
				"tags": []any{"red", "large"}, "note": "A line of text, as people write them, quite ordinary.",
			}
		default:
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
}

// spy is a client that keeps what it was last asked for.
type spy struct {
	*dynamodb.Client
	get    *dynamodb.GetItemInput
	put    *dynamodb.PutItemInput
	update *dynamodb.UpdateItemInput
}

func (s *spy) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	s.get = in
	return s.Client.GetItem(ctx, in, o...)
}

func (s *spy) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	s.put = in
	return s.Client.PutItem(ctx, in, o...)
}

func (s *spy) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	s.update = in
	return s.Client.UpdateItem(ctx, in, o...)
}

// newClient returns a client of the SDK, as the package makes it, on a transport.
func newClient(transport http.RoundTripper) *dynamodb.Client {
	return dynamostore.NewClient(aws.Config{
		Region:     "us-east-1",
		HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}, nil
		}),
	})
}

func (c benchCase) config() (dynamostore.Config, [][]byte) {
	cfg := dynamostore.Config{NoCompression: !c.compress}
	if c.codec == "json" {
		cfg.Codec = dynamostore.JSONCodec{}
	}
	if c.encrypt {
		cfg.EncryptionKeys = [][]byte{bytes.Repeat([]byte{7}, 32)}
	}
	var keys [][]byte
	for n := range c.pairs {
		keys = append(keys, bytes.Repeat([]byte{byte('a' + n)}, 32), nil)
	}
	return cfg, keys
}

// visitor is a browser on a Store, with everything of HTTP but the Store's part left out.
type visitor struct {
	store   *dynamostore.Store
	request *http.Request
	header  http.Header
	values  map[any]any
	n       int
}

// Header, Write and WriteHeader are those of a response that nobody reads.
func (v *visitor) Header() http.Header         { return v.header }
func (v *visitor) Write(b []byte) (int, error) { return len(b), nil }
func (v *visitor) WriteHeader(int)             {}

// visit is one request. It reports what the Store reports.
func (v *visitor) visit(op operation) error {
	clear(v.header)
	r := *v.request // with a registry of its own
	session, err := v.store.Get(&r, cookieName)
	if err != nil {
		return err
	}
	switch op {
	case get:
		if session.IsNew {
			return fmt.Errorf("no session was loaded")
		}
		return nil
	case changed:
		v.n++
		session.Values["seen"] = v.n
	case first:
		session.Values = v.values
	}
	return session.Save(&r, v)
}

// setup returns a visitor with a session behind a stub, and a function that has the SDK alone make the same requests.
func (c benchCase) setup() (*visitor, func() error, error) {
	transport := newStub()
	client := newClient(transport)
	spy := &spy{Client: client}
	cfg, keys := c.config()

	store, err := dynamostore.New(spy, cfg, keys...)
	if err != nil {
		return nil, nil, err
	}
	// What the session is in the table, and in the cookie.
	v := &visitor{store: store, request: httptest.NewRequest("GET", "/", nil), header: http.Header{}, values: values(c.size, c.records)}
	if err := v.visit(first); err != nil {
		return nil, nil, err
	}
	if err := transport.set(spy.put.Item); err != nil {
		return nil, nil, err
	}
	id := spy.put.Item["id"].(*types.AttributeValueMemberS).Value
	cookie, err := securecookie.EncodeMulti(cookieName, id, securecookie.CodecsFromPairs(keys[2*(c.pairs-1):]...)...)
	if err != nil {
		return nil, nil, err
	}
	if c.op != first {
		v.request.AddCookie(sessions.NewCookie(cookieName, cookie, &sessions.Options{}))
		if err := v.visit(c.op); err != nil {
			return nil, nil, err
		}
	}

	// Measured is a Store on the client itself.
	if v.store, err = dynamostore.New(client, cfg, keys...); err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	raw := func() error {
		r := *v.request // as visit does, which is no work of the Store
		v.request = &r
		if c.op == first {
			_, err := client.PutItem(ctx, spy.put)
			return err
		}
		if _, err := client.GetItem(ctx, spy.get); err != nil || c.op != changed {
			return err
		}
		_, err := client.UpdateItem(ctx, spy.update)
		return err
	}
	return v, raw, nil
}

// measure alternates the SDK alone and the Store.
func (c benchCase) measure() (result, error) {
	v, raw, err := c.setup()
	if err != nil {
		return result{}, err
	}
	visit := func() error { return v.visit(c.op) }
	r := result{benchCase: c}
	times := []timing{{by: "sdk", f: raw}, {by: "store", f: visit}}
	if err := alternate(times, *rounds, *round); err != nil {
		return result{}, err
	}
	r.raw, r.store = times[0].samples, times[1].samples
	for _, t := range times {
		for _, s := range t.samples {
			s.print(c.name() + "/by=" + t.by)
		}
	}
	return r, nil
}
