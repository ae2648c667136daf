package dynamostore_test

import (
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/record"
)

// The marks by which secrets are known, wherever they turn up. What the keys of Session.Values are is no
// secret: they are the program's words.
const (
	secretID     = "IDsEcReT"
	secretValue  = "VALUEsEcReT"
	secretUser   = "USERsEcReT"
	secretCookie = "COOKIEsEcReT"
	secretKey    = "KEYsEcReT"
)

// secretItemKey encrypts items.
var secretItemKey = []byte(secretKey + " of 32 bytes for AES-256")[:32]

// secretsIn returns the secrets that text gives away, as they are or in base64, in hexadecimal, or as a
// list of bytes, and within each other, as an ID is in a cookie.
func secretsIn(text string) []string {
	found := make(map[string]bool)
	lookForSecrets(text, found, 3)
	return slices.Sorted(maps.Keys(found))
}

// A needle is a secret, and how it is looked for.
type needle struct{ secret, lower string }

var needles = func() (all []needle) {
	for _, secret := range []string{secretID, secretValue, secretUser, secretCookie, secretKey, string(keyA[:16]), string(keyB[:16])} {
		all = append(all, needle{secret, strings.ToLower(secret)})
	}
	return all
}()

var (
	byteList = regexp.MustCompile(`\b\d{1,3}(?:,? \d{1,3}){7,}`)
	oneByte  = regexp.MustCompile(`\d+`)
)

func lookForSecrets(text string, found map[string]bool, depth int) {
	lower := strings.ToLower(text)
	for _, n := range needles {
		if strings.Contains(lower, n.lower) {
			found[n.secret] = true
		}
	}
	if depth == 0 {
		return
	}
	for run := range encodedRuns(text) {
		for _, secret := range secretsInRun(run, depth-1) {
			found[secret] = true
		}
	}
	if strings.Count(text, " ") < 7 {
		return // no list of eight
	}
	for _, list := range byteList.FindAllString(text, -1) {
		var decoded []byte
		for _, n := range oneByte.FindAllString(list, -1) {
			b, _ := strconv.Atoi(n)
			decoded = append(decoded, byte(b))
		}
		lookForSecrets(string(decoded), found, depth-1)
	}
}

// encodedRuns returns the parts of text that could be in base64 or hexadecimal.
func encodedRuns(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		begin := 0
		for i := 0; i <= len(text); i++ {
			if i < len(text) && encodes[text[i]] {
				continue
			}
			if i-begin >= 8 && !yield(text[begin:i]) {
				return
			}
			begin = i + 1
		}
	}
}

// encodes are the characters of base64, in both alphabets. Those of hexadecimal are among them.
var encodes = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
		is[c] = true
	}
	return is
}()

// run is an encodedRun, and how deep it is looked into.
type run struct {
	text  string
	depth int
}

// looked is what was found in each run. Most are words, which stand in many texts.
var looked sync.Map // of run: []string

func secretsInRun(text string, depth int) []string {
	r := run{text, depth}
	if known, ok := looked.Load(r); ok {
		return known.([]string)
	}
	found := make(map[string]bool)
	if decoded, err := hex.DecodeString(text[:len(text)&^1]); err == nil {
		lookForSecrets(string(decoded), found, depth)
	}
	standard := strings.Map(func(c rune) rune {
		switch c {
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return c
	}, text)
	for i := range 4 { // where the encoding began is not known
		decoded, _ := base64.RawStdEncoding.DecodeString(standard[i:]) // up to where it is none
		lookForSecrets(string(decoded), found, depth)
	}
	secrets := slices.Sorted(maps.Keys(found))
	if len(text) <= 64 {
		r.text = strings.Clone(text) // not all that it stands in
		looked.Store(r, secrets)
	}
	return secrets
}

func TestSecretsIn(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("xy" + secretValue))
	for _, text := range []string{
		"error: " + secretID + "...",
		strings.ToUpper(secretID),
		fmt.Sprintf("%q", secretUser),
		fmt.Sprintf("%x", secretItemKey),
		fmt.Sprint(secretItemKey),
		fmt.Sprintf("%v", keyA),
		encoded,
		"data=" + encoded,
		"somethingbefore/" + encoded,
		base64.URLEncoding.EncodeToString([]byte(encoded)),
		"a cookie: " + signed(t, secretID+"-1", keyB),
		strings.ReplaceAll(fmt.Sprint([]byte(secretValue)), " ", ", "),
	} {
		if got := secretsIn(text); len(got) == 0 {
			t.Errorf("secretsIn(%q) finds nothing", text)
		}
	}
	for _, text := range []string{
		"", `dynamostore: load from table "sessions": operation error DynamoDB: GetItem, https response error StatusCode: 400, RequestID: FAULT`,
		signed(t, "another", keyA),
	} {
		if got := secretsIn(text); len(got) != 0 {
			t.Errorf("secretsIn(%q) = %q", text, got)
		}
	}
}

// printed returns what a program could print or log of an error, and of all that it wraps.
func printed(err error) []string {
	if err == nil {
		return nil
	}
	texts := []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)}
	if text, marshalErr := json.Marshal(err); marshalErr == nil {
		texts = append(texts, string(text))
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		texts = append(texts, printed(wrapper.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, err := range wrapper.Unwrap() {
			texts = append(texts, printed(err)...)
		}
	case securecookie.MultiError:
		for _, err := range wrapper {
			texts = append(texts, printed(err)...)
		}
	case securecookie.Error:
		texts = append(texts, printed(wrapper.Cause())...)
	}
	return texts
}

// audit is an app whose session, user and keys are marked, and whose errors are looked at.
type audit struct {
	*app
	patient *dynamostore.Store // gives up on nothing
	hasty   *dynamostore.Store // gives up soon on what never answers
	visitor *browser           // with a session
	told    *[]error

	mu     sync.Mutex
	events []dynamostore.Event
}

// lookAtEvents looks at what Config.Observe was given.
func (a *audit) lookAtEvents() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.events) == 0 {
		a.Error("there were no events")
	}
	for _, e := range a.events {
		for _, text := range append(printed(e.Err), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)) {
			if secrets := secretsIn(text); len(secrets) > 0 {
				a.Errorf("an event gives %q away: %s", secrets, text)
				break
			}
		}
	}
}

// tell looks at an error that the application was given, which may be nil.
func (a *audit) tell(call string, err error) {
	a.Helper()
	texts := printed(err)
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		if secrets := secretsIn(text); len(secrets) > 0 {
			a.Errorf("%s: the error gives %q away: %s", call, secrets, text)
			break
		}
	}
	var (
		refused  *types.ConditionalCheckFailedException
		canceled *types.TransactionCanceledException
		raw      *record.Refused
	)
	if errors.As(err, &refused) || errors.As(err, &canceled) || errors.As(err, &raw) {
		a.Errorf("%s: the error %v carries an item", call, err)
	}
	if err != nil {
		*a.told = append(*a.told, err)
	}
}

// visit has the visitor send a request in which the Store is used in all ways, the session changed by
// change, which may be nil, and meanwhile happens after the load.
func (a *audit) request(b *browser, meanwhile func(), change func(*sessions.Session)) {
	a.Helper()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		a.tell("Get", err)
		if meanwhile != nil {
			meanwhile()
		}
		if change != nil {
			change(session)
		}
		a.tell("Save", a.store.Save(r, w, session))
		a.tell("Regenerate", a.store.Regenerate(r, w, session))
		a.tell("a second Save", a.store.Save(r, w, session))
		session.Options.MaxAge = -1
		a.tell("logout", a.store.Save(r, w, session))
	})
}

// beside uses what is not part of a request.
func (a *audit) beside() {
	a.Helper()
	ctx, cancel := context.WithTimeout(a.Context(), time.Second)
	defer cancel()
	for _, err := range a.store.Sessions(ctx) {
		a.tell("Sessions", err)
	}
	for _, err := range a.store.UserSessions(ctx, secretUser) {
		a.tell("UserSessions", err)
	}
	a.tell("CheckTable", a.store.CheckTable(ctx))
	_, err := a.store.PurgeExpired(ctx, dynamostore.PurgeOptions{})
	a.tell("PurgeExpired", err)
	_, err = a.store.DestroyUser(ctx, secretUser, secretID+"-kept")
	a.tell("DestroyUser", err)
	_, err = a.store.DestroyUser(ctx, secretUser, "")
	a.tell("DestroyUser that keeps what is no key", err)
	a.tell("Destroy", a.store.Destroy(ctx, secretID+"-1"))
	a.tell("Destroy of what is no key", a.store.Destroy(ctx, secretID+strings.Repeat("x", 3000)))
	a.tell("EnsureTable", a.store.EnsureTable(ctx))
}

func changeSecretly(s *sessions.Session) { s.Values["k"] = secretValue + " changed" }

// operations are the requests that a Store makes.
var operations = []string{
	"GetItem", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "Query", "Scan",
	"DescribeTable", "CreateTable", "UpdateTimeToLive", "DescribeTimeToLive", "UpdateTable",
}

func (a *audit) injectEverywhere(f dynamotest.Fault) func() {
	return func() {
		for _, op := range operations {
			a.backend.Inject(op, dynamotest.Times(forever, f)...)
		}
	}
}

// quoting answers with the request's body in what makes of it.
func quoting(status int, make func(body string) string) dynamotest.Fault {
	return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		resp := dynamotest.Answer(r, status, "", "", nil)
		resp.Header.Del("X-Amz-Crc32")
		text := make(string(body))
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		return resp, nil
	}
}

// inJSON is an error answer of that type whose message quotes the body.
func inJSON(kind string) func(body string) string {
	return func(body string) string {
		text, _ := json.Marshal(map[string]string{"__type": kind, "message": "cannot take " + body})
		return string(text)
	}
}

// carrying is an exception that brings the item, as DynamoDB's do, though marked throughout.
func carrying(code string) dynamotest.Fault {
	item := map[string]any{
		"id": map[string]any{"S": secretID + "-1"}, "data": map[string]any{"S": secretValue}, "codec": map[string]any{"S": "gob+" + secretValue},
		"version": map[string]any{"S": secretValue}, "user": map[string]any{"S": secretUser}, "expires": map[string]any{"N": inSeconds(time.Hour)},
	}
	reason := map[string]any{"Code": "ConditionalCheckFailed", "Message": secretValue, "Item": item}
	odd := map[string]any{"Code": "Odd " + secretValue, "Message": secretValue, "Item": item}
	return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		reasons := []any{reason, odd}
		if code == "TransactionCanceledException" {
			reasons = []any{odd, odd}
		}
		return dynamotest.Answer(r, http.StatusBadRequest, code, "refused", map[string]any{"Item": item, "CancellationReasons": reasons}), nil
	}
}

// marshaler fails to encode itself, and quotes itself in its error.
type marshaler struct{ S string }

func (m marshaler) MarshalText() ([]byte, error)    { return nil, fmt.Errorf("cannot encode %q", m.S) }
func (m *marshaler) UnmarshalText(b []byte) error   { return fmt.Errorf("cannot decode %q", b) }
func (m marshaler) MarshalBinary() ([]byte, error)  { return m.MarshalText() }
func (m *marshaler) UnmarshalBinary(b []byte) error { return m.UnmarshalText(b) }

// No error that a Store returns, nor one that it wraps, holds a session's ID, its cookie, its values, its
// user, or a key.
func TestErrorsGiveNothingAway(t *testing.T) {
	gob.Register(marshaler{})
	gob.Register(marked{})
	gob.Register(picky(""))
	fault := func(f dynamotest.Fault) func(*audit) {
		return func(a *audit) {
			broken := a.injectEverywhere(f)
			healed := func() { a.backend.Heal() }
			late := a.visitor.tab()
			a.store = a.hasty
			a.request(a.visitor, broken, changeSecretly)
			healed()
			a.request(late, broken, nil) // a touch
			a.beside()
			a.request(late, nil, changeSecretly) // Get meets it
			a.request(a.browser(), nil, changeSecretly)
			healed()
		}
	}
	altered := func(attrs dynamotest.Item) func(*audit) {
		return func(a *audit) {
			before := a.item()
			a.alter(attrs)
			a.request(a.visitor.tab(), nil, changeSecretly) // found so
			for _, item := range a.backend.Items(a.T) {
				a.backend.Delete(a.T, dynamotest.Item{"id": item["id"]})
			}
			a.backend.Put(a.T, before)
			attrs = maps.Clone(attrs)
			attrs["version"] = dynamotest.S("theirs")
			a.request(a.visitor, func() { a.alter(attrs) }, changeSecretly) // so by the time of Save
		}
	}
	changed := func(change func(*sessions.Session)) func(*audit) {
		return func(a *audit) {
			a.request(a.browser(), nil, change)
			a.request(a.visitor, nil, change)
		}
	}
	value := func(v any) func(*audit) { return changed(func(s *sessions.Session) { s.Values["k"] = v }) }
	big := func(n int) string { return strings.Repeat(secretValue+" ", n/(len(secretValue)+1)) }
	type unlisted struct{ S string }

	scenarios := []struct {
		name      string
		configure func(*dynamostore.Config)
		run       func(*audit)
	}{
		// DynamoDB, or what is in its place.
		{"connection refused", nil, fault(dynamotest.Refused)},
		{"connection reset", nil, fault(dynamotest.Reset)},
		{"applied, then reset", nil, fault(dynamotest.AppliedThenReset)},
		{"throttled", nil, fault(dynamotest.Throttled)},
		{"a transaction under way", nil, fault(dynamotest.Conflict)},
		{"HTTP 500", nil, fault(dynamotest.InternalError)},
		{"access denied", nil, fault(dynamotest.Denied)},
		{"never answered", nil, fault(dynamotest.Silent)},
		{"a proxy's page", nil, fault(dynamotest.Garbage)},
		{"half an answer", nil, fault(dynamotest.Truncated)},
		{"a page that quotes the request", nil, fault(quoting(200, func(body string) string { return "<html>" + body }))},
		{"an error page that quotes the request", nil, fault(quoting(403, func(body string) string { return "<html>" + body }))},
		{"a gateway's page that quotes the request", nil, fault(quoting(502, func(body string) string { return "<html>" + body }))},
		{"the request, sent back", nil, fault(quoting(200, func(body string) string { return body }))},
		{"the request, sent back as an error", nil, fault(quoting(400, func(body string) string { return body }))},
		{"an error without a type that quotes the request", nil, fault(quoting(400, inJSON("")))},
		{"a proxy's error that quotes the request", nil, fault(quoting(400, inJSON("Bad Request")))},
		{"an unknown error that quotes the request", nil, fault(quoting(400, inJSON("OddException")))},
		{"an invalid request that is quoted", nil, fault(quoting(400, inJSON("com.amazon.coral.validate#ValidationException")))},
		{"a failure that quotes the request", nil, fault(quoting(500, inJSON("com.amazonaws.dynamodb.v20120810#InternalServerError")))},
		{"an error whose type is the request", nil, fault(quoting(400, func(body string) string {
			return inJSON(body)("")
		}))},
		{"values where others belong", nil, fault(quoting(200, func(string) string {
			return `{"Item":{"data":{"S":["` + secretValue + `"]},"expires":{"` + secretValue + `":1}},"Attributes":"` + secretValue + `","Items":"` + secretValue + `","Table":"` + secretValue + `"}`
		}))},
		{"values of no type", nil, fault(quoting(200, func(string) string {
			return `{"Item":{"data":{"B":"` + secretValue + `!"}},"Attributes":{"data":{"B":"` + secretValue + `!"}},"Items":[{"id":{"B":"` + secretValue + `!"}}]}`
		}))},
		{"a wrong checksum", nil, fault(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				resp.Header.Set("X-Amz-Crc32", "1")
			}
			return resp, err
		})},
		{"a refusal that brings an item", nil, fault(carrying("ConditionalCheckFailedException"))},
		{"a transaction's refusal that brings items", nil, fault(carrying("TransactionCanceledException"))},
		{"an unknown exception that brings an item", nil, fault(carrying("OddException"))},
		{"a client that can do no more than it must", nil, func(a *audit) {
			store, err := dynamostore.New(struct{ dynamostore.Client }{a.backend.Client}, a.cfg, keyA)
			a.tell("New", err)
			a.store = store
			a.request(a.visitor, nil, changeSecretly)
			a.beside()
		}},
		{"no table", nil, func(a *audit) {
			cfg := a.cfg
			cfg.Table += "-missing"
			cfg.Lock.Wait = time.Millisecond
			a.store = a.open(cfg, keyA)
			a.request(a.visitor, nil, changeSecretly)
			a.request(a.browser(), nil, changeSecretly)
		}},
		{"no index", nil, func(a *audit) {
			cfg := a.cfg
			cfg.UserIndex = "missing"
			a.store = a.open(cfg, keyA)
			a.beside()
		}},
		{"another key of the table", nil, func(a *audit) {
			cfg := a.cfg
			cfg.KeyAttribute = "another"
			a.store = a.open(cfg, keyA)
			a.request(a.visitor, nil, changeSecretly)
			a.request(a.browser(), nil, changeSecretly)
			a.beside()
		}},

		// Cookies.
		{"bad cookies", nil, func(a *audit) {
			good := a.visitor.cookie()
			for _, cookie := range []string{
				signed(a.T, secretID, keyB), good[:len(good)/2], good[1:], good + secretCookie, secretCookie, "***" + secretCookie,
				base64.URLEncoding.EncodeToString([]byte(secretCookie)), base64.URLEncoding.EncodeToString([]byte("1|" + secretCookie + "|" + secretCookie)),
				strings.Repeat(secretCookie, 400), signed(a.T, map[any]any{"user": secretUser}, keyA), signed(a.T, 7, keyA),
				signed(a.T, strings.Repeat(secretID, 200), keyA), signed(a.T, secretID+"\xff", keyA), signed(a.T, marked{secretCookie}, keyA),
			} {
				b := a.browser()
				b.setCookie(cookie)
				a.request(b, nil, changeSecretly)
				a.store = a.open(a.cfg, keyA, keyA[:16], keyB)
				a.request(b, nil, changeSecretly)
				a.store = a.patient
			}
		}},
		{"IDs that no item can have", nil, func(a *audit) {
			for _, id := range []string{"", secretID + "\xff", strings.Repeat(secretID, 300), strings.Repeat(secretID, 250)} {
				cfg := a.cfg
				cfg.NewID = func() string { return id }
				a.store = a.open(cfg, keyA)
				a.request(a.browser(), nil, changeSecretly)
				a.request(a.visitor.tab(), nil, changeSecretly)
				a.store = a.patient
				a.request(a.browser(), nil, func(s *sessions.Session) { s.ID = id })
			}
			a.request(a.visitor, nil, func(s *sessions.Session) { s.ID = strings.Repeat(secretID, 300) })
		}},

		// Others.
		{"another request wrote", nil, func(a *audit) {
			a.request(a.visitor, func() {
				a.alter(dynamotest.Item{"version": dynamotest.S("theirs"), "user": dynamotest.S(secretUser + " other")})
			}, changeSecretly)
		}},
		{"another request ended the session", nil, func(a *audit) {
			a.request(a.visitor, func() { a.backend.Delete(a.T, dynamotest.Item{"id": a.item()["id"]}) }, changeSecretly)
		}},
		{"a tombstone", nil, func(a *audit) {
			a.alter(dynamotest.Item{"data": nil, "moved": dynamotest.N("1")})
			a.request(a.visitor, nil, changeSecretly)
		}},
		{"MaxLifetime ended", func(c *dynamostore.Config) { c.MaxLifetime = time.Hour }, func(a *audit) {
			a.request(a.visitor, func() { a.alter(dynamotest.Item{"created": dynamotest.N("1"), "version": dynamotest.S("theirs")}) }, changeSecretly)
		}},
		{"the ID is taken", nil, func(a *audit) {
			key := render(a.item()["id"])[len("S:"):]
			cfg := a.cfg
			cfg.NewID = func() string { return key }
			a.store = a.open(cfg, keyA)
			a.request(a.browser(), nil, changeSecretly)
			a.request(a.browser(), nil, func(s *sessions.Session) { s.ID = key })
			a.request(a.visitor, nil, func(s *sessions.Session) { s.ID = "" })
		}},
		{"locked by another", func(c *dynamostore.Config) { c.Lock.Wait = time.Millisecond }, func(a *audit) {
			a.alter(dynamotest.Item{"lock": dynamotest.S(secretValue), "lock_until": dynamotest.N(millis(time.Now().Add(time.Minute)))})
			a.request(a.visitor, nil, changeSecretly)
		}},
		{"the lock was lost", nil, func(a *audit) {
			a.request(a.visitor, func() {
				a.alter(dynamotest.Item{"lock": dynamotest.S(secretValue), "lock_until": dynamotest.N(millis(time.Now().Add(time.Minute)))})
			}, changeSecretly)
		}},

		// Sizes.
		{"too large for an item", func(c *dynamostore.Config) { c.NoCompression = true }, value(big(600_000))},
		{"too large for MaxLength", nil, func(a *audit) {
			a.store.MaxLength(200)
			value(big(1000))(a)
		}},
		{"too large with what else lies in the item", func(c *dynamostore.Config) { c.NoCompression = true }, func(a *audit) {
			a.alter(dynamotest.Item{"theirs": dynamotest.S(big(300_000))})
			a.request(a.visitor, nil, func(s *sessions.Session) { s.Values["k"] = big(200_000) })
		}},

		// What lies in the table.
		{"no data", nil, altered(dynamotest.Item{"data": nil})},
		{"data of another type", nil, altered(dynamotest.Item{"data": &types.AttributeValueMemberL{Value: []types.AttributeValue{dynamotest.S(secretValue)}}})},
		{"no codec", nil, altered(dynamotest.Item{"data": dynamotest.S("bad " + secretValue), "codec": nil})},
		{"an unknown codec", nil, altered(dynamotest.Item{"data": dynamotest.S(secretValue), "codec": dynamotest.S(secretValue)})},
		{"an unknown step", nil, altered(dynamotest.Item{"data": dynamotest.S(secretValue), "codec": dynamotest.S("gob+" + secretValue)})},
		{"no base64", nil, altered(dynamotest.Item{"data": dynamotest.S(secretValue + "!"), "codec": dynamotest.S("gob+base64")})},
		{"no zstd", nil, altered(dynamotest.Item{"data": dynamotest.S(secretValue), "codec": dynamotest.S("gob+zstd")})},
		{"not encrypted so", nil, altered(dynamotest.Item{"data": dynamotest.S(secretValue + strings.Repeat("x", 40)), "codec": dynamotest.S("json+aes256gcm")})},
		{"no gob", nil, altered(dynamotest.Item{"data": dynamotest.S(secretValue), "codec": dynamotest.S("gob")})},
		{"a gob of another type", nil, altered(dynamotest.Item{"data": dynamotest.B(gobOfAny(t, secretValue)), "codec": dynamotest.S("gob")})},
		{"a gob of an unknown type", nil, altered(dynamotest.Item{
			"data":  dynamotest.B([]byte(strings.ReplaceAll(string(gobOf(t, map[any]any{"k": marked{secretValue}})), "marked", secretValue[:6]))),
			"codec": dynamotest.S("gob")})},
		{"a gob that its type refuses", nil, altered(dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"k": picky(secretValue)})), "codec": dynamotest.S("gob")})},
		{"no JSON", nil, altered(dynamotest.Item{"data": dynamotest.S(secretValue), "codec": dynamotest.S("json")})},
		{"JSON of an unknown type", nil, altered(dynamotest.Item{"data": dynamotest.S(`{"k":{"$` + secretValue + `":"` + secretValue + `"}}`), "codec": dynamotest.S("json")})},
		{"JSON that its type refuses", nil, altered(dynamotest.Item{
			"data": dynamotest.S(`{"k":{"$dynamostore_test.marshaler":"` + secretValue + `"}}`), "codec": dynamotest.S("json")})},
		{"JSON of a wrong time", nil, altered(dynamotest.Item{"data": dynamotest.S(`{"k":{"$time":"` + secretValue + `"}}`), "codec": dynamotest.S("json")})},
		{"what a user's codec quotes", nil, altered(dynamotest.Item{"data": dynamotest.S("bad " + secretValue), "codec": dynamotest.S("raw")})},

		// What cannot be stored.
		{"an unknown type", nil, value(unlisted{secretValue})},
		{"a pointer to an unknown type", nil, value(&unlisted{secretValue})},
		{"a function", nil, value(func() string { return secretValue })},
		{"a list of the unknown", nil, value([]any{secretValue, unlisted{secretValue}})},
		{"what cannot encode itself", nil, value(marshaler{secretValue})},
		{"a list of what cannot encode itself", nil, value([]any{secretValue, marshaler{secretValue}})},
		{"a key of an unknown type", nil, changed(func(s *sessions.Session) { s.Values[unlisted{secretValue}] = 1 })},
		{"a key that cannot encode itself", nil, changed(func(s *sessions.Session) { s.Values[marshaler{secretValue}] = 1 })},
		{"a user that is no string", nil, changed(func(s *sessions.Session) { s.Values["user"] = marked{secretUser} })},
		{"an empty user", nil, changed(func(s *sessions.Session) { s.Values["user"] = "" })},
		{"a user that is too long", nil, changed(func(s *sessions.Session) { s.Values["user"] = strings.Repeat(secretUser, 300) })},
		{"a user that is no text", nil, changed(func(s *sessions.Session) { s.Values["user"] = secretUser + "\xff" })},
	}
	forms := []struct {
		name string
		set  func(*dynamostore.Config)
	}{
		{"gob", func(*dynamostore.Config) {}},
		{"encrypted JSON", func(c *dynamostore.Config) {
			c.Codec = dynamostore.JSONCodec{Types: []any{marked{}, marshaler{}}}
			c.EncryptionKeys, c.ReadPlaintext = [][]byte{secretItemKey}, true
			c.DataType = dynamostore.String
		}},
	}
	for n, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			told := make([][]error, len(scenarios))
			sideBySide(t, len(told), func(i int) (string, func(*testing.T)) {
				scenario := scenarios[i]
				form := forms[(i+n/2)%len(forms)] // each scenario in two modes each
				return form.name + ", " + scenario.name, func(t *testing.T) {
					a := newAudit(t, func(c *dynamostore.Config) {
						c.Concurrency = mode.mode
						form.set(c)
						if scenario.configure != nil {
							scenario.configure(c)
						}
					})
					a.told = &told[i]
					scenario.run(a)
				}
			})
			// All that a Store can tell was among it.
			all := errors.Join(slices.Concat(told...)...)
			for _, sentinel := range []error{
				dynamostore.ErrConflict, dynamostore.ErrGone, dynamostore.ErrNotLoaded, dynamostore.ErrTooLarge, dynamostore.ErrUndecodable,
				dynamostore.ErrLockTimeout, dynamostore.ErrLockLost,
			} {
				ofLock := sentinel == dynamostore.ErrLockTimeout || sentinel == dynamostore.ErrLockLost
				if (mode.mode == dynamostore.Lock || !ofLock) && !errors.Is(all, sentinel) {
					t.Errorf("no scenario came to %q", sentinel)
				}
			}
			if t.Failed() {
				return
			}
			for i, errs := range told {
				if len(errs) == 0 && !harmless(scenarios[i].name, mode.mode) {
					t.Errorf("%s: came to no error", scenarios[i].name)
				}
			}
		})
	}
}

// harmless reports whether a scenario need not come to an error in that mode.
func harmless(scenario string, mode dynamostore.Concurrency) bool {
	switch scenario {
	case "another request wrote", "MaxLifetime ended":
		return mode == dynamostore.Overwrite
	case "locked by another", "the lock was lost":
		return mode != dynamostore.Lock
	}
	return false
}

// marked is a type whose values are marked.
type marked struct{ S string }

// picky can be encoded, and quotes itself when it is decoded.
type picky string

func (p picky) MarshalBinary() ([]byte, error)   { return []byte(p), nil }
func (*picky) UnmarshalBinary(data []byte) error { return fmt.Errorf("cannot decode %q", data) }

// newAudit returns an audit with a session of whoever visits.
func newAudit(t *testing.T, configure func(*dynamostore.Config)) *audit {
	n := 0
	a := &audit{}
	a.app = newUsersApp(t, func(c *dynamostore.Config) {
		c.NewID = func() string { n++; return fmt.Sprint(secretID, "-", n) }
		c.ReadCodecs = []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{Types: []any{marked{}, marshaler{}}}, quotingCodec{}}
		c.TouchInterval = -1
		c.Timeout, c.Lock.Wait = patience, 100*time.Millisecond
		c.Lock.MinRetry, c.Lock.MaxRetry = time.Millisecond, 5*time.Millisecond
		configure(c)
		c.UserKey = "user"
		c.Observe = func(_ context.Context, e dynamostore.Event) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.events = append(a.events, e)
		}
	})
	t.Cleanup(a.lookAtEvents)
	a.patient = a.store
	hasty := a.cfg
	hasty.Timeout = 50 * time.Millisecond
	a.hasty = a.open(hasty, keyA)
	a.visitor = a.app.browser()
	if _, err := a.visitor.with(func(s *sessions.Session) { s.Values["user"], s.Values["k"] = secretUser, secretValue }); err != nil {
		t.Fatal(err)
	}
	return a
}

// Nor do the errors of New and Open.
func TestConfigErrorsGiveNothingAway(t *testing.T) {
	isolated(t)
	a := &audit{app: &app{T: t}, told: new([]error)}
	lengths := []int{0, 16, 31, 33}
	for _, keys := range [][][]byte{{keyA}, nil, {nil, []byte(secretKey)}, {keyA, []byte(secretKey)}, {keyA, nil, nil, []byte(secretKey)}} {
		for _, cfg := range []dynamostore.Config{
			{},
			{Table: "?", KeyAttribute: "codec", SortKeyAttribute: "x", DataAttribute: "moved", DataType: 9, ExpiresAttribute: "user"},
			{KeyPrefix: "\xff", KeyAttribute: strings.Repeat("x", 300), DataAttribute: "y", ExpiresAttribute: "y", SortKeyValue: "z"},
			{SortKeyAttribute: "z", SortKeyValue: strings.Repeat("z", 2000)},
			{Codec: unnamed{}, ReadCodecs: []dynamostore.Codec{nil, unnamed{name: "a+b"}, dynamostore.JSONCodec{Types: []any{nil, marshaler{secretValue}, marshaler{secretValue}}}}},
			{ReadPlaintext: true, Concurrency: 9, Lock: dynamostore.LockConfig{Wait: -1, MinRetry: 2, MaxRetry: 1}, Lifetime: -1, MaxLifetime: -1, Timeout: -1, UserIndex: "?"},
		} {
			for i, n := range lengths {
				if i > 0 {
					cfg.EncryptionKeys = append(cfg.EncryptionKeys, []byte(strings.Repeat(secretKey, 10)[:n]))
				}
				_, err := dynamostore.New(nil, cfg, keys...)
				a.tell("New", err)
				_, err = dynamostore.New((*dynamodb.Client)(nil), cfg, keys...)
				a.tell("New with a nil client", err)
				_, err = dynamostore.Open(t.Context(), cfg, keys...)
				a.tell("Open", err)
				cfg.EncryptionKeys = slices.Clip(cfg.EncryptionKeys)
			}
		}
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_CA_BUNDLE", "missing.pem")
	_, err := dynamostore.Open(t.Context(), dynamostore.Config{EncryptionKeys: [][]byte{secretItemKey}}, keyA)
	a.tell("Open with a broken AWS configuration", err)
	if len(*a.told) < 100 {
		t.Errorf("%d errors, want one of nearly each Config", len(*a.told))
	}
}
