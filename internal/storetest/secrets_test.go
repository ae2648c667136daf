package storetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/record"
)

// These marks stand in everything that is secret. The keys of Session.Values are not secret: they
// are the program's words.
const (
	secretID     = "IDsEcReT"
	secretValue  = "VALUEsEcReT"
	secretUser   = "USERsEcReT"
	secretCookie = "COOKIEsEcReT"
	secretKey    = "KEYsEcReT"
)

// secretItemKey encrypts items.
var secretItemKey = []byte(secretKey + " of 32 bytes for AES-256")[:32]

// secretsIn returns the secrets that text holds: plain, in base64, in hexadecimal, or as a list of
// bytes, and nested, as an ID is in a cookie.
func secretsIn(text string) []string {
	found := make(map[string]bool)
	findSecrets(text, found, 3)
	return slices.Sorted(maps.Keys(found))
}

// marks are the secrets, as they are and in lower case.
type mark struct{ secret, lower string }

var marks = func() (all []mark) {
	for _, secret := range []string{secretID, secretValue, secretUser, secretCookie, secretKey, string(keyA[:16]), string(keyB[:16])} {
		all = append(all, mark{secret, strings.ToLower(secret)})
	}
	return all
}()

var (
	byteList = regexp.MustCompile(`\b\d{1,3}(?:,? \d{1,3}){7,}`)
	oneByte  = regexp.MustCompile(`\d+`)
)

func findSecrets(text string, found map[string]bool, depth int) {
	lower := strings.ToLower(text)
	for _, m := range marks {
		if strings.Contains(lower, m.lower) {
			found[m.secret] = true
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
		return // there is no list of eight numbers
	}
	for _, list := range byteList.FindAllString(text, -1) {
		var decoded []byte
		for _, n := range oneByte.FindAllString(list, -1) {
			b, _ := strconv.Atoi(n)
			decoded = append(decoded, byte(b))
		}
		findSecrets(string(decoded), found, depth-1)
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

// encodes has the characters of base64, in both alphabets, which include those of hexadecimal.
var encodes = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
		is[c] = true
	}
	return is
}()

// run is a part of a text, and how many more encodings to undo in it.
type run struct {
	text  string
	depth int
}

// knownRuns caches what was found in each run. Most are words, which stand in many texts.
var knownRuns sync.Map // of run: []string

func secretsInRun(text string, depth int) []string {
	r := run{text, depth}
	if known, ok := knownRuns.Load(r); ok {
		return known.([]string)
	}
	found := make(map[string]bool)
	if decoded, err := hex.DecodeString(text[:len(text)&^1]); err == nil {
		findSecrets(string(decoded), found, depth)
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
	for i := range 4 { // the encoding may begin at any of them
		decoded, _ := base64.RawStdEncoding.DecodeString(standard[i:]) // as far as it is base64
		findSecrets(string(decoded), found, depth)
	}
	secrets := slices.Sorted(maps.Keys(found))
	if len(text) <= 64 {
		r.text = strings.Clone(text) // without the text around it
		knownRuns.Store(r, secrets)
	}
	return secrets
}

// secretsIn, which the tests rely on, finds what is there, and nothing else.
func TestSecretsIn(t *testing.T) {
	t.Parallel()
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

// printed returns what a program could print or log of an error, and of every error that it wraps.
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

// audit is an app whose ID, values, user and keys are marked, and whose errors, events and log
// lines are searched for them.
type audit struct {
	*app
	patient *dynamostore.Store // with a Timeout that is not exceeded
	hasty   *dynamostore.Store // with a short one
	visitor *browser           // with a session
	errs    *[]error           // that the application got

	mu     sync.Mutex
	events []dynamostore.Event
}

// newAudit returns an audit with a session of whoever visits. The SDK's client logs as logTo says.
func newAudit(t *testing.T, logTo func(*dynamodb.Options), configure func(*dynamostore.Config)) *audit {
	n := 0
	a := &audit{errs: new([]error)}
	a.app = newBubbleApp(t, func(c *dynamostore.Config) {
		c.UserKey, c.LabelKey = "user", "label"
		c.NewID = func() string { n++; return fmt.Sprint(secretID, "-", n) }
		c.ReadCodecs = []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{Types: []any{marked{}, quoting{}}}, rawCodec{}}
		c.TouchInterval = -1
		c.Timeout = patience
		configure(c)
		if c.Concurrency == dynamostore.Lock {
			c.Lock = dynamostore.LockConfig{Wait: 100 * time.Millisecond, MinRetry: time.Millisecond, MaxRetry: 5 * time.Millisecond}
		}
		c.Observe = func(_ context.Context, e dynamostore.Event) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.events = append(a.events, e)
		}
	})
	a.backend.Client = dynamodb.New(a.backend.Client.Options(), logTo)
	t.Cleanup(a.wantNoSecretInEvents)
	a.patient = a.open(a.cfg, keyA)
	hasty := a.cfg
	hasty.Timeout = 50 * time.Millisecond
	a.hasty = a.open(hasty, keyA)
	a.store = a.patient
	a.visitor = a.app.browser()
	if _, err := a.visitor.with(func(s *sessions.Session) { s.Values["user"], s.Values["k"] = secretUser, secretValue }); err != nil {
		t.Fatal(err)
	}
	return a
}

// wantNoSecretInEvents searches what Config.Observe was given.
func (a *audit) wantNoSecretInEvents() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.events) == 0 {
		a.Error("there were no events")
	}
	for _, e := range a.events {
		for _, text := range append(printed(e.Err), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)) {
			if secrets := secretsIn(text); len(secrets) > 0 {
				a.Errorf("an event holds %q: %s", secrets, text)
				break
			}
		}
	}
}

// check searches an error that the application got, which may be nil.
func (a *audit) check(call string, err error) {
	a.Helper()
	texts := printed(err)
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		if secrets := secretsIn(text); len(secrets) > 0 {
			a.Errorf("%s: the error holds %q: %s", call, secrets, text)
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
		*a.errs = append(*a.errs, err)
	}
}

// request sends a request of b, in which every method of the Store for requests is called. change,
// which may be nil, changes the session, and meanwhile, which may be nil, runs after the load.
func (a *audit) request(b *browser, meanwhile func(), change func(*sessions.Session)) {
	a.Helper()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		a.check("Get", err)
		if meanwhile != nil {
			meanwhile()
		}
		if change != nil {
			change(session)
		}
		a.check("Save", a.store.Save(r, w, session))
		a.check("Regenerate", a.store.Regenerate(r, w, session))
		a.check("a second Save", a.store.Save(r, w, session))
		peeked, err := a.store.Peek(r, cookieName)
		a.check("Peek", err)
		a.check("Save after Peek", a.store.Save(r, w, peeked))
		session.Options.MaxAge = -1
		a.check("logout", a.store.Save(r, w, session))
	})
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		dynamostore.AutoSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			session, err := a.store.Get(r, cookieName)
			a.check("Get", err)
			if change != nil {
				change(session)
			}
		}), func(_ http.ResponseWriter, _ *http.Request, err error) { a.check("AutoSave", err) }).ServeHTTP(w, r)
	})
}

// outside calls what is not part of a request.
func (a *audit) outside() {
	a.Helper()
	ctx, cancel := context.WithTimeout(a.Context(), time.Second)
	defer cancel()
	for _, err := range a.store.Sessions(ctx) {
		a.check("Sessions", err)
	}
	for _, err := range a.store.UserSessions(ctx, secretUser) {
		a.check("UserSessions", err)
	}
	a.check("CheckTable", a.store.CheckTable(ctx))
	_, err := a.store.PurgeExpired(ctx, dynamostore.PurgeOptions{})
	a.check("PurgeExpired", err)
	key := secretID + "-1"
	_, _, err = a.store.Load(ctx, key)
	a.check("Load", err)
	change := func(values map[any]any) error { values["k"] = secretValue + " changed"; return nil }
	a.check("Update", a.store.Update(ctx, key, change))
	_, err = a.store.UpdateUser(ctx, secretUser, change)
	a.check("UpdateUser", err)
	_, err = a.store.DestroyUser(ctx, secretUser, secretID+"-kept")
	a.check("DestroyUser", err)
	_, err = a.store.DestroyUser(ctx, secretUser, "")
	a.check("DestroyUser with a key that is not one", err)
	a.check("Destroy", a.store.Destroy(ctx, key))
	tooLong := secretID + strings.Repeat("x", 3000)
	a.check("Destroy of a key that is not one", a.store.Destroy(ctx, tooLong))
	a.check("Update of a key that is not one", a.store.Update(ctx, tooLong, change))
	a.check("EnsureTable", a.store.EnsureTable(ctx))
}

// changeSecretly changes the session.
func changeSecretly(s *sessions.Session) { s.Values["k"] = secretValue + " changed" }

// operations are all requests that a Store makes.
var operations = []string{
	"GetItem", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "Query", "Scan",
	"DescribeTable", "CreateTable", "UpdateTimeToLive", "DescribeTimeToLive", "UpdateTable",
}

// breaking returns a function from which on every request meets the fault.
func (a *audit) breaking(f dynamotest.Fault) func() {
	return func() {
		for _, op := range operations {
			a.backend.Inject(op, dynamotest.Times(forever, f)...)
		}
	}
}

// echoing answers with the text that makes of the request's body.
func echoing(status int, text func(body string) string) dynamotest.Fault {
	return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		resp := dynamotest.Answer(r, status, "", "", nil)
		resp.Header.Del("X-Amz-Crc32")
		answer := text(string(body))
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(answer)), int64(len(answer))
		return resp, nil
	}
}

// inJSON returns a function that makes an error response of that type, whose message quotes the
// body.
func inJSON(kind string) func(body string) string {
	return func(body string) string {
		text, _ := json.Marshal(map[string]string{"__type": kind, "message": "cannot take " + body})
		return string(text)
	}
}

// carrying answers with an exception that brings an item, as DynamoDB's do, marked throughout.
func carrying(code string) dynamotest.Fault {
	item := map[string]any{
		"id": map[string]any{"S": secretID + "-1"}, "data": map[string]any{"S": secretValue}, "codec": map[string]any{"S": "gob+" + secretValue},
		"version": map[string]any{"S": secretValue}, "user": map[string]any{"S": secretUser}, "expires": map[string]any{"N": secondsFromNow(time.Hour)},
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

// quoting cannot be encoded, and quotes itself in its error.
type quoting struct{ S string }

func (q quoting) MarshalText() ([]byte, error)    { return nil, fmt.Errorf("cannot encode %q", q.S) }
func (q *quoting) UnmarshalText(b []byte) error   { return fmt.Errorf("cannot decode %q", b) }
func (q quoting) MarshalBinary() ([]byte, error)  { return q.MarshalText() }
func (q *quoting) UnmarshalBinary(b []byte) error { return q.UnmarshalText(b) }

// No error that a Store returns or wraps, no event and no log line holds a session's ID, its
// cookie, its values, its user, or a key.
func TestNothingToldIsSecret(t *testing.T) {
	gob.Register(quoting{})
	gob.Register(marked{})
	gob.Register(picky(""))
	fault := func(f dynamotest.Fault) func(*audit) {
		return func(a *audit) {
			breaking := a.breaking(f)
			late := a.visitor.tab()
			a.store = a.hasty
			a.request(a.visitor, breaking, changeSecretly)
			a.backend.Heal()
			a.request(late, breaking, nil) // a touch
			a.outside()
			a.request(late, nil, changeSecretly) // Get meets the fault
			a.request(a.browser(), nil, changeSecretly)
			a.backend.Heal()
		}
	}
	altered := func(attrs dynamotest.Item) func(*audit) {
		return func(a *audit) {
			before := a.item()
			a.alter(attrs)
			a.request(a.visitor.tab(), nil, changeSecretly) // Get finds it altered
			for _, item := range a.backend.Items(a.T) {
				a.backend.Delete(a.T, a.key(item))
			}
			a.backend.Put(a.T, before)
			attrs = maps.Clone(attrs)
			attrs["version"] = dynamotest.S("theirs")
			a.request(a.visitor, func() { a.alter(attrs) }, changeSecretly) // Save finds it altered
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

	type scenario struct {
		name      string
		configure func(*dynamostore.Config)
		run       func(*audit)
	}
	inEveryMode := []scenario{
		// DynamoDB, or what is in its place.
		{"connection refused", nil, fault(dynamotest.Refused)},
		{"connection reset", nil, fault(dynamotest.Reset)},
		{"applied, then reset", nil, fault(dynamotest.AppliedThenReset)},
		{"throttled", nil, fault(dynamotest.Throttled)},
		{"a transaction under way", nil, fault(dynamotest.Conflict)},
		{"HTTP 500", nil, fault(dynamotest.InternalError)},
		{"access denied", nil, fault(dynamotest.Denied)},
		{"never answered", nil, fault(silent)},
		{"a proxy's page", nil, fault(dynamotest.Garbage)},
		{"half an answer", nil, fault(dynamotest.Truncated)},
		{"a refusal that brings an item", nil, fault(carrying("ConditionalCheckFailedException"))},
		{"a transaction's refusal that brings items", nil, fault(carrying("TransactionCanceledException"))},
		{"an unknown exception that brings an item", nil, fault(carrying("OddException"))},
		{"a client that can do no more than it must", nil, func(a *audit) {
			store, err := dynamostore.New(struct{ dynamostore.Client }{a.backend.Client}, a.cfg, keyA)
			a.check("New", err)
			a.store = store
			a.request(a.visitor, nil, changeSecretly)
			a.outside()
		}},
		{"no table", nil, func(a *audit) {
			cfg := a.cfg
			cfg.Table += "-missing"
			a.store = a.open(cfg, keyA)
			a.request(a.visitor, nil, changeSecretly)
			a.request(a.browser(), nil, changeSecretly)
		}},
		{"no index", nil, func(a *audit) {
			cfg := a.cfg
			cfg.UserIndex = "missing"
			a.store = a.open(cfg, keyA)
			a.outside()
		}},
		{"another key of the table", nil, func(a *audit) {
			cfg := a.cfg
			cfg.KeyAttribute = "another"
			a.store = a.open(cfg, keyA)
			a.request(a.visitor, nil, changeSecretly)
			a.request(a.browser(), nil, changeSecretly)
			a.outside()
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
			other := encodeGob(a.T, map[any]any{"user": secretUser + " other"})
			a.request(a.visitor, func() {
				a.alter(dynamotest.Item{
					"version": dynamotest.S("theirs"), "data": dynamotest.B(other), "codec": dynamotest.S("gob"), "user": dynamotest.S(secretUser + " other"),
				})
			}, changeSecretly)
		}},
		{"another request ended the session", nil, func(a *audit) {
			a.request(a.visitor, func() { a.check("Destroy", a.store.Destroy(a.Context(), secretID+"-1")) }, changeSecretly)
		}},
		{"a tombstone, a moment old", nil, func(a *audit) {
			a.alter(dynamotest.Item{"data": nil, "gone": dynamotest.S("moved"), "seen": dynamotest.N(secondsFromNow(0))})
			a.request(a.visitor, nil, changeSecretly)
			a.outside()
		}},
		{"MaxLifetime ended", func(c *dynamostore.Config) { c.MaxLifetime = time.Hour }, func(a *audit) {
			a.request(a.visitor, func() { a.alter(dynamotest.Item{"created": dynamotest.N("1"), "version": dynamotest.S("theirs")}) }, changeSecretly)
		}},
		{"the ID is taken", nil, func(a *audit) {
			key := attrText(a.item()["id"])[len("S:"):]
			cfg := a.cfg
			cfg.NewID = func() string { return key }
			a.store = a.open(cfg, keyA)
			a.request(a.browser(), nil, changeSecretly)
			a.request(a.browser(), nil, func(s *sessions.Session) { s.ID = key })
			a.request(a.visitor, nil, func(s *sessions.Session) { s.ID = "" })
		}},
		{"locked by another", nil, func(a *audit) {
			a.alter(dynamotest.Item{"lock": dynamotest.S(secretValue), "lock_until": dynamotest.N(millisecondsFromNow(time.Minute))})
			a.request(a.visitor, nil, changeSecretly)
		}},
		{"the lock was lost", nil, func(a *audit) {
			a.request(a.visitor, func() {
				a.alter(dynamotest.Item{"lock": dynamotest.S(secretValue), "lock_until": dynamotest.N(millisecondsFromNow(time.Minute))})
			}, changeSecretly)
		}},
	}
	inTwoModes := []scenario{
		// Servers that answer with what they were sent, or with what they should not.
		{"a page that quotes the request", nil, fault(echoing(200, func(body string) string { return "<html>" + body }))},
		{"an error page that quotes the request", nil, fault(echoing(403, func(body string) string { return "<html>" + body }))},
		{"a gateway's page that quotes the request", nil, fault(echoing(502, func(body string) string { return "<html>" + body }))},
		{"the request, sent back", nil, fault(echoing(200, func(body string) string { return body }))},
		{"the request, sent back as an error", nil, fault(echoing(400, func(body string) string { return body }))},
		{"an error without a type that quotes the request", nil, fault(echoing(400, inJSON("")))},
		{"a proxy's error that quotes the request", nil, fault(echoing(400, inJSON("Bad Request")))},
		{"an unknown error that quotes the request", nil, fault(echoing(400, inJSON("OddException")))},
		{"an invalid request that is quoted", nil, fault(echoing(400, inJSON("com.amazon.coral.validate#ValidationException")))},
		{"a failure that quotes the request", nil, fault(echoing(500, inJSON("com.amazonaws.dynamodb.v20120810#InternalServerError")))},
		{"an error whose type is the request", nil, fault(echoing(400, func(body string) string {
			return inJSON(body)("")
		}))},
		{"values where others belong", nil, fault(echoing(200, func(string) string {
			return `{"Item":{"data":{"S":["` + secretValue + `"]},"expires":{"` + secretValue + `":1}},"Attributes":"` + secretValue + `","Items":"` + secretValue + `","Table":"` + secretValue + `"}`
		}))},
		{"values of no type", nil, fault(echoing(200, func(string) string {
			return `{"Item":{"data":{"B":"` + secretValue + `!"}},"Attributes":{"data":{"B":"` + secretValue + `!"}},"Items":[{"id":{"B":"` + secretValue + `!"}}]}`
		}))},
		{"a wrong checksum", nil, fault(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				resp.Header.Set("X-Amz-Crc32", "1")
			}
			return resp, err
		})},

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
		{"a gob of another type", nil, altered(dynamotest.Item{"data": dynamotest.B(encodeGob(t, secretValue)), "codec": dynamotest.S("gob")})},
		{"a gob of an unknown type", nil, altered(dynamotest.Item{
			"data":  dynamotest.B([]byte(strings.ReplaceAll(string(encodeGob(t, map[any]any{"k": marked{secretValue}})), "marked", secretValue[:6]))),
			"codec": dynamotest.S("gob")})},
		{"a gob that its type refuses", nil, altered(dynamotest.Item{"data": dynamotest.B(encodeGob(t, map[any]any{"k": picky(secretValue)})), "codec": dynamotest.S("gob")})},
		{"no JSON", nil, altered(dynamotest.Item{"data": dynamotest.S(secretValue), "codec": dynamotest.S("json")})},
		{"JSON of an unknown type", nil, altered(dynamotest.Item{"data": dynamotest.S(`{"k":{"$` + secretValue + `":"` + secretValue + `"}}`), "codec": dynamotest.S("json")})},
		{"JSON that its type refuses", nil, altered(dynamotest.Item{
			"data": dynamotest.S(`{"k":{"$storetest.quoting":"` + secretValue + `"}}`), "codec": dynamotest.S("json")})},
		{"JSON of a wrong time", nil, altered(dynamotest.Item{"data": dynamotest.S(`{"k":{"$time":"` + secretValue + `"}}`), "codec": dynamotest.S("json")})},
		{"what a user's codec quotes", nil, altered(dynamotest.Item{"data": dynamotest.S("bad " + secretValue), "codec": dynamotest.S("raw")})},

		// What cannot be stored.
		{"an unknown type", nil, value(unlisted{secretValue})},
		{"a pointer to an unknown type", nil, value(&unlisted{secretValue})},
		{"a function", nil, value(func() string { return secretValue })},
		{"a list of the unknown", nil, value([]any{secretValue, unlisted{secretValue}})},
		{"what cannot encode itself", nil, value(quoting{secretValue})},
		{"a list of what cannot encode itself", nil, value([]any{secretValue, quoting{secretValue}})},
		{"a key of an unknown type", nil, changed(func(s *sessions.Session) { s.Values[unlisted{secretValue}] = 1 })},
		{"a key that cannot encode itself", nil, changed(func(s *sessions.Session) { s.Values[quoting{secretValue}] = 1 })},
		{"a user of another type", nil, changed(func(s *sessions.Session) { s.Values["user"] = marked{secretUser} })},
		{"a user that quotes itself", nil, changed(func(s *sessions.Session) { s.Values["user"] = quoting{secretUser} })},
		{"a label of another type", nil, changed(func(s *sessions.Session) { s.Values["label"] = marked{secretValue} })},
		{"a label that is too long", nil, changed(func(s *sessions.Session) { s.Values["label"] = strings.Repeat(secretValue, 30) })},
		{"a value that contains itself", nil, changed(func(s *sessions.Session) {
			ring := map[string]any{secretValue: 1}
			ring["k"] = ring
			s.Values["k"] = ring
		})},
		{"a cookie that net/http refuses", nil, changed(func(s *sessions.Session) { s.Options.Path = "/;" })},
		{"a name that is not a cookie's", nil, func(a *audit) {
			a.visitor.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, "a name")
				a.check("Get", err)
				a.check("Save", a.store.Save(r, w, session))
			})
		}},
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
			c.Codec = dynamostore.JSONCodec{Types: []any{marked{}, quoting{}}}
			c.EncryptionKeys, c.ReadPlaintext = [][]byte{secretItemKey}, true
			c.DataType = dynamostore.String
		}},
	}
	scenarios := slices.Concat(inEveryMode, inTwoModes)
	runsIn := func(i, mode int) bool {
		period := 1
		if i >= len(inEveryMode) {
			period = 2
		}
		if dynamotest.RaceDetector {
			period = 4
		}
		return (i+mode)%period == 0
	}
	var all []error
	logTo, logged := captureLog(t)
	for n, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			errs := make([][]error, len(scenarios))
			var run []int
			for i := range scenarios {
				if runsIn(i, n) {
					run = append(run, i)
				}
			}
			sideBySide(t, len(run), func(i int) (string, func(*testing.T)) {
				i = run[i]
				scenario := scenarios[i]
				form := forms[(i+n/2)%len(forms)] // each scenario in both, if it runs in two modes
				return form.name + ", " + scenario.name, func(t *testing.T) {
					inBubble(t, func(t *testing.T) {
						a := newAudit(t, logTo, func(c *dynamostore.Config) {
							c.Concurrency = mode.mode
							form.set(c)
							if scenario.configure != nil {
								scenario.configure(c)
							}
						})
						a.errs = &errs[i]
						scenario.run(a)
					})
				}
			})
			if secrets := secretsIn(logged()); len(secrets) > 0 {
				t.Errorf("the log holds %q:\n%s", secrets, logged())
			}
			if t.Failed() {
				return
			}
			all = append(all, slices.Concat(errs...)...)
			for i, errs := range errs {
				others := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return errors.Is(err, dynamostore.ErrReadOnly) })
				if runsIn(i, n) && len(others) == 0 && !isHarmless(scenarios[i].name, mode.mode) {
					t.Errorf("%s: leads to no error", scenarios[i].name)
				}
			}
		})
	}
	if t.Failed() {
		return
	}
	// The scenarios lead to every error that a Store returns.
	told := errors.Join(all...)
	for _, sentinel := range []error{
		dynamostore.ErrConflict, dynamostore.ErrGone, dynamostore.ErrNotLoaded, dynamostore.ErrReadOnly, dynamostore.ErrTooLarge,
		dynamostore.ErrUndecodable, dynamostore.ErrLockTimeout, dynamostore.ErrLockLost,
	} {
		if !errors.Is(told, sentinel) {
			t.Errorf("no scenario leads to %q", sentinel)
		}
	}
}

// captureLog returns an option by which a client logs, and what was logged since, by that client
// and by package log.
func captureLog(t *testing.T) (logTo func(*dynamodb.Options), logged func() string) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	isolate(t)
	stderr := os.Stderr
	os.Stderr = file
	cfg, err := config.LoadDefaultConfig(t.Context()) // whose logger writes to os.Stderr
	os.Stderr = stderr
	if err != nil {
		t.Fatal(err)
	}
	log.SetOutput(file)
	t.Cleanup(func() { log.SetOutput(stderr) })
	return func(o *dynamodb.Options) { o.Logger = cfg.Logger }, func() string {
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// isHarmless reports whether a scenario need not lead to an error in that mode.
func isHarmless(scenario string, mode dynamostore.Concurrency) bool {
	switch scenario {
	case "another request wrote":
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

// Nor do the errors of New and Open.
func TestConfigMistakesHoldNoKey(t *testing.T) {
	isolate(t)
	a := &audit{app: &app{T: t}, errs: new([]error)}
	lengths := []int{0, 16, 31, 33}
	for _, keys := range [][][]byte{{keyA}, nil, {nil, []byte(secretKey)}, {[]byte(secretKey)}, {keyA, []byte(secretKey)}, {keyA, nil, nil, []byte(secretKey)}} {
		for _, cfg := range []dynamostore.Config{
			{},
			{Table: "?", KeyAttribute: "codec", SortKeyAttribute: "x", DataAttribute: "gone", DataType: 9, ExpiresAttribute: "user"},
			{KeyPrefix: "\xff", KeyAttribute: strings.Repeat("x", 300), DataAttribute: "y", ExpiresAttribute: "y", SortKeyValue: "z"},
			{SortKeyAttribute: "z", SortKeyValue: strings.Repeat("z", 2000)},
			{Codec: namedCodec{}, ReadCodecs: []dynamostore.Codec{nil, namedCodec{name: "a+b"}, dynamostore.JSONCodec{Types: []any{nil, quoting{secretValue}, quoting{secretValue}}}}},
			{ReadPlaintext: true, Concurrency: 9, Lock: dynamostore.LockConfig{Wait: -1, MinRetry: 2, MaxRetry: 1}, Lifetime: -1, MaxLifetime: -1, Timeout: -1, UserIndex: "?"},
		} {
			for i, n := range lengths {
				if i > 0 {
					cfg.EncryptionKeys = append(cfg.EncryptionKeys, []byte(strings.Repeat(secretKey, 10)[:n]))
				}
				_, err := dynamostore.New(nil, cfg, keys...)
				a.check("New", err)
				_, err = dynamostore.New((*dynamodb.Client)(nil), cfg, keys...)
				a.check("New with a nil client", err)
				_, err = dynamostore.Open(t.Context(), cfg, keys...)
				a.check("Open", err)
				cfg.EncryptionKeys = slices.Clip(cfg.EncryptionKeys)
			}
		}
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_CA_BUNDLE", "missing.pem")
	_, err := dynamostore.Open(t.Context(), dynamostore.Config{EncryptionKeys: [][]byte{secretItemKey}}, keyA)
	a.check("Open with a broken AWS configuration", err)
	if len(*a.errs) < 100 {
		t.Errorf("%d errors, want one of nearly each Config", len(*a.errs))
	}
}

// Printing a Config or a Store, with any verb and by package log/slog, shows no key: the text does
// not depend on them.
func TestPrintingShowsNoKey(t *testing.T) {
	t.Parallel()
	type keys struct {
		item   [][]byte
		cookie [][]byte
	}
	configOf := func(k keys) dynamostore.Config {
		return dynamostore.Config{Table: "sessions-table", EncryptionKeys: k.item, Concurrency: dynamostore.Lock}
	}
	storeOf := func(k keys) *dynamostore.Store {
		store, err := dynamostore.New(&dynamotest.Fixed{}, configOf(k), k.cookie...)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	pointer := func(cfg dynamostore.Config) *dynamostore.Config { return &cfg }
	wrapped := func(v any) any { return struct{ V any }{v} }
	forms := map[string]func(keys) any{
		"Config":               func(k keys) any { return configOf(k) },
		"Config in a field":    func(k keys) any { return wrapped(configOf(k)) },
		"Config in a list":     func(k keys) any { return []dynamostore.Config{configOf(k)} },
		"pointer to a Config":  func(k keys) any { return pointer(configOf(k)) },
		"Store":                func(k keys) any { return storeOf(k) },
		"Store in a field":     func(k keys) any { return wrapped(storeOf(k)) },
		"Store in an error":    func(k keys) any { return fmt.Errorf("of %v", storeOf(k)) },
		"Config in an error":   func(k keys) any { return fmt.Errorf("of %+v", configOf(k)) },
		"Config, without keys": func(keys) any { return configOf(keys{}) },
	}
	secret := keys{[][]byte{secretItemKey}, [][]byte{keyA, keyB}}
	other := keys{[][]byte{itemKeyA, itemKeyB}, [][]byte{keyB}}
	address := regexp.MustCompile(`(0[xX])?[0-9a-fA-FoO]{8,}`) // of pointers, in any base
	for name, form := range forms {
		ways := map[string]func(v any) string{}
		// For %p and %w of what is neither a pointer nor an error, fmt calls no method of any type.
		// go vet reports them.
		for _, verb := range "vTtbcdoOqxXUeEfFgGs" {
			for _, flags := range []string{"", "+", "#", "-40", " ", "+#"} {
				format := "%" + flags + string(verb)
				ways[format] = func(v any) string { return fmt.Sprintf(format, v) }
			}
		}
		ways["slog, text"] = func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: withoutTime})).Info("made", "v", v)
			return b.String()
		}
		ways["slog, JSON"] = func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: withoutTime})).Info("made", "v", v)
			return b.String()
		}
		ways["log"] = func(v any) string {
			var b bytes.Buffer
			log.New(&b, "", 0).Print(v)
			return b.String()
		}
		ways["encoding/json"] = func(v any) string {
			data, err := json.Marshal(v)
			return fmt.Sprint(string(data), err)
		}
		for way, print := range ways {
			text := print(form(secret))
			if secrets := secretsIn(text); len(secrets) > 0 {
				t.Errorf("%s by %s holds %q: %.300s", name, way, secrets, text)
			}
			a, b := address.ReplaceAllString(text, "(address)"), address.ReplaceAllString(print(form(other)), "(address)")
			if a != b {
				t.Errorf("%s by %s depends on the keys:\n%.300s\n%.300s", name, way, a, b)
			}
		}
		if text := fmt.Sprintf("%+v", form(secret)); !strings.Contains(text, "sessions-table") {
			t.Errorf("%s by %%+v is %q, want the table's name in it", name, text)
		}
	}
	// Without the methods of Config, a key would be found.
	type bare dynamostore.Config
	if secrets := secretsIn(fmt.Sprintf("%+v", bare(configOf(secret)))); len(secrets) == 0 {
		t.Error("in a Config that prints its keys, no key is found")
	}
}

func withoutTime(_ []string, attr slog.Attr) slog.Attr {
	if attr.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return attr
}

// A Store that is not behind a pointer shows no key either.
func TestPrintingAStoreByValueShowsNoKey(t *testing.T) {
	t.Parallel()
	store, err := dynamostore.New(&dynamotest.Fixed{}, dynamostore.Config{}, keyA)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%t", "%c"} {
		if text := fmt.Sprintf(format, *store); len(secretsIn(text)) > 0 {
			t.Errorf("%s prints a key: %.300s", format, text)
		}
	}
}
