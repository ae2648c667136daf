package storetest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// moving has a test of each recipe and each trap in docs/moving.md, by its heading.
var moving = map[string]func(*testing.T){
	"Keeping sessions alive":                      movingKeepsSessionsAlive,
	"From CookieStore":                            movingFromCookieStore,
	"From FilesystemStore":                        movingFromFilesystemStore,
	"From Redis":                                  movingFromRedis,
	"nabeken/gorilla-sessions-dynamodb":           movingFromNabeken,
	"denizeren/dynamostore":                       movingFromDenizeren,
	"savaki/dynastore":                            movingFromSavaki,
	"Any other":                                   movingFromAnyOther,
	"From PHP":                                    movingFromPHP,
	"From scs":                                    movingFromSCS,
	"FilesystemStore deletes at MaxAge 0":         movingMaxAgeZero,
	"A CookieStore cookie of the same name":       movingSameCookieName,
	"Secure is on by default":                     movingSecure,
	"SameSite=Lax and callbacks by POST":          movingSameSite,
	"Reading does not extend a session's life":    movingReadingDoesNotExtend,
	"A Save that changed nothing sets no cookie":  movingUnchangedSetsNoCookie,
	"The ID is not there before the first Save":   movingIDBeforeSave,
	"An error of Get need not be the cookie's":    movingErrorOfGet,
	"A session that was ended does not come back": movingEndedStaysEnded,
}

// groups are headings in docs/moving.md that have no test of their own.
var groups = []string{"From another DynamoDB store", "Traps"}

// docs/moving.md promises what is tested here, heading by heading.
func TestMoving(t *testing.T) {
	t.Parallel()
	guide := readFile(t, "../../docs/moving.md")
	var headings []string
	for _, match := range regexp.MustCompile(`(?m)^##+ (.+)$`).FindAllStringSubmatch(guide, -1) {
		if !slices.Contains(groups, match[1]) {
			headings = append(headings, match[1])
		}
	}
	for _, heading := range headings {
		test := moving[heading]
		if test == nil {
			t.Errorf("docs/moving.md has the heading %q, and there is no test of it", heading)
			continue
		}
		t.Run(heading, test)
	}
	for heading := range moving {
		if !slices.Contains(headings, heading) {
			t.Errorf("there is a test of %q, which is not a heading of docs/moving.md", heading)
		}
	}
}

// The code in docs/moving.md is the code that is tested here.
func TestMovingCode(t *testing.T) {
	t.Parallel()
	tested := unindented(readFile(t, "moving_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readFile(t, "../../docs/moving.md"), -1)
	if len(blocks) < 5 {
		t.Errorf("docs/moving.md has %d blocks of code", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(tested, unindented(block[1])) {
			t.Errorf("docs/moving.md has code that is not in moving_test.go:\n%s", block[1])
		}
	}
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// spaces align comments and values.
var spaces = regexp.MustCompile(`[ \t]+`)

func unindented(code string) string {
	lines := strings.Split(strings.TrimSpace(code), "\n")
	for i, line := range lines {
		lines[i] = spaces.ReplaceAllString(strings.TrimSpace(line), " ")
	}
	return strings.Join(lines, "\n")
}

// cookieNamed returns the value of a cookie that the browser sends, or "" if it sends none.
func (b *browser) cookieNamed(name string) string {
	for _, c := range b.client.Jar.Cookies(b.url()) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// loginBy logs ann in by another store.
func (b *browser) loginBy(old sessions.Store, name string) {
	b.app.Helper()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := old.Get(r, name)
		if err != nil {
			b.app.Errorf("the old store's Get: %v", err)
		}
		session.Values["user"] = "ann"
		if err := session.Save(r, w); err != nil {
			b.app.Errorf("the old store's Save: %v", err)
		}
	})
}

// adopt gives session, which is new, the values that the visitor has in the old store, if any.
func adopt(w http.ResponseWriter, r *http.Request, session *sessions.Session, old sessions.Store, oldName string) error {
	before, err := old.New(r, oldName)
	if err != nil || before.IsNew {
		return nil // there is none to adopt
	}
	maps.Copy(session.Values, before.Values)
	if err := session.Save(r, w); err != nil {
		return err // the old cookie stays, for the next request
	}
	// Otherwise it would log the visitor in again after a logout.
	options := *before.Options
	options.MaxAge = -1
	http.SetCookie(w, sessions.NewCookie(oldName, "", &options))
	return nil
}

// visitAdopting visits a handler that adopts, and returns the user and the error.
func (b *browser) visitAdopting(oldStore sessions.Store) (user any, err error) {
	store := b.app.store
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		var session *sessions.Session
		session, err = store.Get(r, "session")
		if err == nil && session.IsNew {
			err = adopt(w, r, session, oldStore, "old")
		}
		user = session.Values["user"]
	})
	return user, err
}

func movingKeepsSessionsAlive(t *testing.T) {
	fileStore := sessions.NewFilesystemStore(t.TempDir(), keyB)
	for name, oldStore := range map[string]sessions.Store{"CookieStore": sessions.NewCookieStore(keyB), "FilesystemStore": fileStore} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.loginBy(oldStore, "old")
			other := b.tab() // what the browser sent at the same moment

			a.backend.Inject("PutItem", dynamotest.Denied)
			if _, err := b.visitAdopting(oldStore); err == nil {
				t.Error("adopting while DynamoDB fails is no error")
			}
			if b.cookieNamed("old") == "" || b.cookie() != "" {
				t.Error("after a failure, the browser has lost the old cookie, or has a new one")
			}

			if user, err := b.visitAdopting(oldStore); user != "ann" || err != nil {
				t.Errorf("the first visit finds user %v, %v, want ann", user, err)
			}
			if b.cookieNamed("old") != "" || b.cookie() == "" {
				t.Error("the browser still has the old cookie, or none of the Store")
			}
			if got := b.values()["user"]; got != "ann" {
				t.Errorf("the second visit finds user %v, want ann", got)
			}
			if user, err := other.visitAdopting(oldStore); user != "ann" || err != nil {
				t.Errorf("a request at the same time finds user %v, %v, want ann", user, err)
			}

			b.logout()
			if user, err := b.visitAdopting(oldStore); user != nil || err != nil {
				t.Errorf("after the logout, the user is %v, %v, want none", user, err)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		a := newApp(t)
		if user, err := a.browser().visitAdopting(fileStore); user != nil || err != nil {
			t.Errorf("a visitor without a cookie is %v, %v", user, err)
		}
		a.wantSent()
	})
}

func movingFromCookieStore(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.loginBy(sessions.NewCookieStore(keyA), "old")
	session, err := b.load() // under a name of its own
	if err != nil || !session.IsNew {
		t.Errorf("Get = %+v, %v, want a new session", session, err)
	}
	// A copy of a CookieStore's cookie outlives the logout; here it is worth nothing.
	b.set("user", "ann")
	thief := b.tab()
	b.logout()
	if got := thief.values(); len(got) != 0 {
		t.Errorf("a copy of the cookie finds %v after the logout", got)
	}
	// A session may be larger than a cookie.
	if _, err := b.with(func(s *sessions.Session) { s.Values["page"] = strings.Repeat("x", 100_000) }); err != nil {
		t.Errorf("Save of 100,000 bytes: %v", err)
	}
}

func movingFromFilesystemStore(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.loginBy(sessions.NewFilesystemStore(t.TempDir(), keyA), cookieName)
	session, err := b.load()
	if err != nil || !session.IsNew || session.ID != "" {
		t.Errorf("Get = %+v, %v, want a new session, no error, and not the old ID", session, err)
	}
	b.set("user", "ann")
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("after that, the user is %v, want ann", got)
	}
}

// redisItem is the item of a session that is stored in Redis under key, and lives for ttl more (PTTL).
func redisItem(key string, value []byte, ttl time.Duration) map[string]types.AttributeValue {
	end := time.Now().Add(ttl).Unix()
	return map[string]types.AttributeValue{
		"id":      &types.AttributeValueMemberS{Value: strings.TrimPrefix(key, "session_")},
		"data":    &types.AttributeValueMemberB{Value: value},
		"expires": &types.AttributeValueMemberN{Value: strconv.FormatInt(end, 10)},
	}
}

func movingFromRedis(t *testing.T) {
	const id = "OC5XL5MZ2HNCWDJZ2PCH6U3PAQ4CBTAC5H4XZBTOCU2BM6RXOKZQ"
	for _, test := range []struct {
		name  string
		cfg   dynamostore.Config
		value []byte
	}{
		{"GobSerializer", dynamostore.Config{}, encodeGob(t, map[any]any{"user": "ann", "visits": 3})},
		{"JSONSerializer", dynamostore.Config{ReadCodecs: []dynamostore.Codec{dynamostore.JSONCodec{}}}, jsonOf(t, map[string]any{"user": "ann", "visits": 3})},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Now()
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg })
			put := func() error {
				_, err := a.backend.Raw().PutItem(t.Context(), &dynamodb.PutItemInput{
					TableName:           &a.cfg.Table,
					Item:                redisItem("session_"+id, test.value, time.Hour),
					ConditionExpression: aws.String("attribute_not_exists(id)"),
				})
				return err
			}
			if err := put(); err != nil {
				t.Fatal(err)
			}
			b := a.browser()
			b.setCookie(signed(t, id, keyA)) // as redistore signed it
			session, err := b.load()
			if err != nil || session.ID != id || !reflect.DeepEqual(session.Values, map[any]any{"user": "ann", "visits": 3}) {
				t.Errorf("Get = %+v, %v, want the session of Redis", session, err)
			}
			wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, time.Hour)
			b.set("visits", 4)
			var refused *types.ConditionalCheckFailedException
			if err := put(); !errors.As(err, &refused) {
				t.Errorf("a second copy: %v, want it refused", err)
			}
			if got := b.values()["visits"]; got != 4 {
				t.Errorf("after a Save, visits = %v, want 4", got)
			}
		})
	}
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantConverted asserts that the browser's session is ann's, under that ID, also after the first
// Save.
func (b *browser) wantConverted(id string) {
	b.app.Helper()
	session, err := b.load()
	if err != nil || session.IsNew || session.ID != id || session.Values["user"] != "ann" {
		b.app.Fatalf("Get = %+v, %v, want the other store's session", session, err)
	}
	b.set("visits", 1)
	if got := b.values(); got["user"] != "ann" || got["visits"] != 1 {
		b.app.Errorf("after a Save, the values are %v", got)
	}
	b.logout()
	b.app.wantLive(0)
}

const otherID = "ZS7MB6DNHDYQXGLBNU4OZSNRUVQGSZJ4BTYVQDPTBKZ5BXUOXPRQ"

func movingFromNabeken(t *testing.T) {
	cfg := dynamostore.Config{
		KeyAttribute:     "session_id",
		DataAttribute:    "session_data",
		ExpiresAttribute: "session_expires_at",
	}
	theirs := func(values map[any]any) dynamotest.Item {
		return dynamotest.Item{
			"session_id":         dynamotest.S(otherID),
			"session_data":       dynamotest.B(encodeGob(t, values)),
			"session_expires_at": dynamotest.N(secondsFromNow(time.Hour)),
		}
	}
	t.Run("converted", func(t *testing.T) {
		a := newApp(t, func(c *dynamostore.Config) { *c = cfg })
		a.backend.Put(t, theirs(map[any]any{"user": "ann"}))
		b := a.browser()
		b.setCookie(signed(t, otherID, keyA))
		b.wantConverted(otherID)
	})
	t.Run("both at once", func(t *testing.T) {
		cfg.NoCompression = true
		a := newApp(t, func(c *dynamostore.Config) { *c = cfg })
		large := strings.Repeat("x", 5000)
		a.backend.Put(t, theirs(map[any]any{"user": "ann", "large": large}))
		b := a.browser()
		b.setCookie(signed(t, otherID, keyA))
		b.set("visits", 1)
		// Their load reads two attributes, their save puts the whole item.
		item := a.item()
		values, err := dynamostore.GobCodec{}.Decode(item["session_data"].(*types.AttributeValueMemberB).Value)
		if err != nil || values["visits"] != 1 || values["large"] != large {
			t.Fatalf("the other store reads %v, %v", values, err)
		}
		attrNumber(t, item, "session_expires_at")
		values["visits"] = 2
		a.backend.Put(t, theirs(values))
		if got := b.values()["visits"]; got != 2 {
			t.Errorf("after the other store's Save, visits = %v, want 2", got)
		}
		b.wantConverted(otherID)
	})
}

func movingFromDenizeren(t *testing.T) {
	begin := time.Now()
	a := newApp(t, func(c *dynamostore.Config) { c.KeyAttribute, c.DataAttribute = "Id", "Data" })
	client, table, key := a.backend.Client, a.cfg.Table, keyA
	secretKey := "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

	store, err := dynamostore.New(client, dynamostore.Config{
		Table:         table,
		KeyAttribute:  "Id",
		DataAttribute: "Data",
	}, key, nil, []byte(secretKey))

	if err != nil {
		t.Fatal(err)
	}
	a.store = store
	a.backend.Put(t, dynamotest.Item{
		"Id":   dynamotest.S(otherID),
		"Data": dynamotest.S(base64.StdEncoding.EncodeToString(encodeGob(t, map[any]any{"user": "ann"}))),
	})
	b := a.browser()
	b.setCookie(signed(t, otherID, []byte(secretKey)))
	if cookies := b.set("visits", 0); len(cookies) != 1 {
		t.Errorf("the first Save sets the cookies %v, want one", cookies)
	}
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 30*24*time.Hour)
	if a.store, err = dynamostore.New(client, dynamostore.Config{Table: table, KeyAttribute: "Id", DataAttribute: "Data"}, key); err != nil {
		t.Fatal(err)
	}
	b.wantConverted(otherID) // by the new key
}

// plainID reads the cookies of savaki/dynastore: IDs, not signed.
type plainID struct{}

func (plainID) Encode(string, any) (string, error) {
	return "", errors.New("plainID only reads")
}

func (plainID) Decode(name, value string, dst any) error {
	id, ok := dst.(*string)
	if !ok || len(value) != 52 {
		return errors.New("the cookie is not one of savaki/dynastore")
	}
	*id = value
	return nil
}

// secureValues reads sessions that securecookie encoded.
type secureValues struct {
	name   string // the cookie's
	codecs []securecookie.Codec
}

func (secureValues) Name() string { return "securecookie" }

func (secureValues) Encode(map[any]any) ([]byte, error) {
	return nil, errors.New("secureValues only reads")
}

func (c secureValues) Decode(data []byte) (values map[any]any, err error) {
	err = securecookie.DecodeMulti(c.name, string(data), &values, c.codecs...)
	return values, err
}

func movingFromSavaki(t *testing.T) {
	oldCodecs := securecookie.CodecsFromPairs(keyB)
	encoded, err := securecookie.EncodeMulti(cookieName, map[any]any{"user": "ann"}, oldCodecs...)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string]string{
		"without Codecs": base64.StdEncoding.EncodeToString(encodeGob(t, map[any]any{"user": "ann"})),
		"with Codecs":    encoded,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := dynamostore.Config{
				DataAttribute: "values",
			}
			if name == "with Codecs" {
				cfg.ReadCodecs = []dynamostore.Codec{secureValues{"session", oldCodecs}}
			}
			a := newApp(t, func(c *dynamostore.Config) { *c = cfg })
			store := a.store
			a.backend.Put(t, dynamotest.Item{
				"id":     dynamotest.S(otherID),
				"values": dynamotest.S(values),
				"options": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
					"Path": dynamotest.S("/"), "MaxAge": dynamotest.N("0"), "HttpOnly": &types.AttributeValueMemberBOOL{Value: true},
				}},
			})

			b := a.browser()
			b.setCookie(otherID)
			if session, err := b.load(); err == nil || !session.IsNew {
				t.Errorf("without plainID, Get = %+v, %v, want a new session and an error", session, err)
			}
			store.Codecs = append(store.Codecs, plainID{})
			forger := a.browser()
			forger.setCookie(signed(t, otherID, keyB))
			if session, err := forger.load(); err == nil || !session.IsNew {
				t.Errorf("with plainID, a cookie of another key: Get = %+v, %v, want a new session and an error", session, err)
			}
			dead := a.browser()
			dead.setCookie(strings.Repeat("A", 52))
			if session, err := dead.load(); err != nil || !session.IsNew || session.ID != "" {
				t.Errorf("with plainID, an ID of no session: Get = %+v, %v, want a new session with an ID of its own", session, err)
			}

			if cookies := b.set("visits", 0); len(cookies) != 1 || cookies[0].Value == otherID {
				t.Errorf("the first Save sets the cookies %v, want one that is signed", cookies)
			}
			store.Codecs = store.Codecs[:1]
			b.wantConverted(otherID)
		})
	}
}

func movingFromAnyOther(t *testing.T) {
	cfg := dynamostore.Config{
		KeyPrefix:  "session:",
		ReadCodecs: []dynamostore.Codec{dynamostore.JSONCodec{}},
	}
	for name, data := range map[string]types.AttributeValue{
		"gob":                   dynamotest.B(encodeGob(t, map[any]any{"user": "ann"})),
		"gob in base64":         dynamotest.S(base64.StdEncoding.EncodeToString(encodeGob(t, map[any]any{"user": "ann"}))),
		"a JSON object":         dynamotest.S(`{"user":"ann"}`),
		"JSON in binary":        dynamotest.B([]byte(`{"user":"ann"}`)),
		"a JSON object, base64": dynamotest.S(base64.StdEncoding.EncodeToString([]byte(`{"user":"ann"}`))),
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { *c = cfg })
			a.put(otherID, dynamotest.Item{"data": data, "expires": dynamotest.N(secondsFromNow(time.Hour))}).wantConverted(otherID)
		})
	}
}

func movingFromPHP(t *testing.T) {
	// The options of Aws\DynamoDb\SessionConnectionConfigTrait stand in the guide, and what is
	// named beside them is there.
	_, section, _ := strings.Cut(readFile(t, "../../docs/moving.md"), "## From PHP\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, option := range []string{
		"table_name", "hash_key", "data_attribute", "data_attribute_type", "session_lifetime", "session_lifetime_attribute",
		"consistent_read", "locking", "batch_config", "max_lock_wait_time", "min_lock_retry_microtime", "max_lock_retry_microtime",
	} {
		if !strings.Contains(section, "| `"+option+"` ") {
			t.Errorf("the guide says nothing of PHP's option %s", option)
		}
	}
	for _, match := range regexp.MustCompile("`Config\\.([A-Z][A-Za-z]+)").FindAllStringSubmatch(section, -1) {
		if _, ok := reflect.TypeFor[dynamostore.Config]().FieldByName(match[1]); !ok {
			t.Errorf("the guide names Config.%s, which is not there", match[1])
		}
	}

	cfg := dynamostore.Config{
		KeyPrefix:   "go_",
		Lifetime:    24 * time.Minute,
		Concurrency: dynamostore.Lock, // if locking was on
	}
	a := newApp(t, func(c *dynamostore.Config) { *c = cfg })
	store := a.store
	store.MaxAge(0) // session.cookie_lifetime
	begin := time.Now()
	php := dynamotest.Item{
		"id":      dynamotest.S("PHPSESSID_1h2kb6b3nhcv3tjr4u5k0vq2d1"),
		"data":    dynamotest.S(`user|s:3:"ann";`),
		"expires": dynamotest.N(secondsFromNow(time.Hour)),
	}
	a.backend.Put(t, php)
	b := a.browser()
	cookies := b.set("user", "ann")
	if len(cookies) != 1 || cookies[0].MaxAge != 0 {
		t.Errorf("Save sets the cookies %v, want one that ends with the browser", cookies)
	}
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("the user is %v, want ann", got)
	}

	// In one table with PHP's.
	n := 0
	for info, err := range store.Sessions(t.Context()) {
		if err != nil || !strings.HasPrefix(info.Key, "go_") {
			t.Errorf("Sessions: %+v, %v, want none of PHP's", info, err)
		}
		wantTime(t, "the session's end", info.Expires.Unix(), begin, 24*time.Minute)
		n++
	}
	if n != 1 {
		t.Errorf("Sessions finds %d, want 1", n)
	}
	b.logout()
	if got := a.item(); !reflect.DeepEqual(got, php) {
		t.Errorf("PHP's item is now %v", got)
	}

	// What PHP serialized is not read.
	a = newApp(t)
	reader := a.put("1h2kb6b3nhcv3tjr4u5k0vq2d1", dynamotest.Item{"data": php["data"], "expires": php["expires"]})
	_, err := reader.load()
	wantError(t, err, dynamostore.ErrUndecodable)
}

func movingFromSCS(t *testing.T) {
	begin := time.Now()
	a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime = 24 * time.Hour })
	table, key := a.cfg.Table, keyA
	var client dynamostore.Client = a.backend.Client
	if noTransactions {
		client = struct{ dynamostore.Client }{client}
	}
	store, err := dynamostore.New(client, dynamostore.Config{
		Table:       table,
		MaxLifetime: 24 * time.Hour, // scs: Lifetime
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	store.MaxAge(20 * 60) // scs: IdleTimeout, in seconds
	a.store = store

	scs := a.browser()
	scs.setCookie("mSQ0ffL4Gk4hbTYtA7Yt9GaexsZ4TKTzDHuYYMkeG-Y") // a token, not signed
	if session, err := scs.load(); err == nil || !session.IsNew {
		t.Errorf("on scs's cookie, Get = %+v, %v, want a new session and an error", session, err)
	}

	b := a.browser()
	b.set("user", "ann")
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 20*time.Minute)

	// RenewToken.
	before := b.cookie()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, cookieName)
		if err := store.Regenerate(r, w, session); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
	})
	if b.cookie() == before || b.values()["user"] != "ann" {
		t.Error("Regenerate kept the ID, or lost the values")
	}

	// Lifetime: a session of 23 h 50 min has ten minutes left, one of 24 h none.
	begin = time.Now()
	a.alter(dynamotest.Item{"created": dynamotest.N(secondsFromNow(-24*time.Hour + 10*time.Minute)), "expires": dynamotest.N(secondsFromNow(5 * time.Minute))})
	b.set("visits", 1)
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 10*time.Minute)
	a.alter(dynamotest.Item{"created": dynamotest.N(secondsFromNow(-24 * time.Hour)), "expires": dynamotest.N(secondsFromNow(time.Hour))})
	if got := b.values(); len(got) != 0 {
		t.Errorf("after 24 h, the values are %v, want none", got)
	}

	// Destroy.
	b.set("user", "ann")
	b.logout()
	if b.cookie() != "" {
		t.Error("after the logout, the browser has the cookie")
	}
}

func movingMaxAgeZero(t *testing.T) {
	untilTheBrowserCloses := func(s *sessions.Session) {
		s.Values["user"] = "ann"
		s.Options.MaxAge = 0
	}
	a := newApp(t)
	dir := t.TempDir()
	files := sessions.NewFilesystemStore(dir, keyA)
	files.Options.Secure = true
	b := a.browser()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := files.Get(r, cookieName)
		untilTheBrowserCloses(session)
		if err := session.Save(r, w); err != nil {
			t.Errorf("FilesystemStore's Save: %v", err)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 || b.cookie() != "" {
		t.Errorf("FilesystemStore left %v, %v, and the cookie %q, want nothing", left, err, b.cookie())
	}

	b = a.browser()
	begin := time.Now()
	cookies, err := b.with(untilTheBrowserCloses)
	if err != nil || len(cookies) != 1 || cookies[0].MaxAge != 0 || cookies[0].Value == "" {
		t.Errorf("Save = %v, and cookies %v, want one without Max-Age", err, cookies)
	}
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("the user is %v, want ann", got)
	}
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 24*time.Hour)
	if cookies, err = b.with(func(s *sessions.Session) { s.Options.MaxAge = -1 }); err != nil || len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("Save of MaxAge -1 = %v, and cookies %v, want one that has expired", err, cookies)
	}
	a.wantLive(0)
}

func movingSameCookieName(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.loginBy(sessions.NewCookieStore(keyA), cookieName)
	session, err := b.load()
	var cookieError securecookie.Error
	if !errors.As(err, &cookieError) || !cookieError.IsDecode() || !session.IsNew || len(session.Values) != 0 {
		t.Errorf("Get = %+v, %v, want a new session and securecookie's error", session, err)
	}
	a.wantSent()
	// A handler that goes on replaces the cookie, and the error is gone.
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["user"] = "ann"
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
	})
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("the user is %v, want ann", got)
	}
	// An instance that still has the old version meets the same, the other way round.
	b.visit(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := sessions.NewCookieStore(keyA).Get(r, cookieName); err == nil {
			t.Error("CookieStore reads the Store's cookie")
		}
	})
}

func movingSecure(t *testing.T) {
	a := newApp(t)
	plain := &app{T: t, backend: a.backend, cfg: a.cfg, store: a.store}
	plain.serve()
	plain.url = "http://app.example" // for localhost, this browser, too, makes an exception
	b := plain.browser()
	b.set("user", "ann")
	if got := b.values(); len(got) != 0 {
		t.Errorf("over plain HTTP, the next request finds %v, want nothing", got)
	}

	store := a.open(a.cfg, keyA)
	store.Options.Secure = false // while developing, without HTTPS
	plain.store = store
	b.set("user", "ann")
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("without Secure, the user is %v, want ann", got)
	}
}

// crossSitePOST is the request by which a browser sends a form that stands on another site: it
// leaves cookies out unless they are SameSite=None (RFC 6265bis, section 5.6.7.1).
func crossSitePOST(cookies []*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://app.example/callback", strings.NewReader("code=1"))
	for _, c := range cookies {
		if c.SameSite == http.SameSiteNoneMode && c.Secure {
			r.AddCookie(c)
		}
	}
	return r
}

func movingSameSite(t *testing.T) {
	a := newApp(t)
	client, cfg, key := a.backend.Client, a.cfg, keyA
	beginLogin := func(store *dynamostore.Store) []*http.Cookie {
		r, w := httptest.NewRequest(http.MethodGet, "https://app.example/login", nil), httptest.NewRecorder()
		session, err := store.Get(r, "login")
		if err != nil {
			t.Fatal(err)
		}
		session.Values["state"] = "random"
		if err := session.Save(r, w); err != nil {
			t.Fatal(err)
		}
		return w.Result().Cookies()
	}

	cookies := beginLogin(a.store)
	if len(cookies) != 1 || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Errorf("the Store sets the cookies %v, want one of SameSite=Lax", cookies)
	}
	if session, err := a.store.Get(crossSitePOST(cookies), "login"); err != nil || !session.IsNew {
		t.Errorf("at the callback, Get = %+v, %v, want a new session", session, err)
	}

	// For the time of a login at another site.
	logins := dynamostore.Must(dynamostore.New(client, cfg, key))
	logins.Options.SameSite = http.SameSiteNoneMode
	logins.MaxAge(10 * 60)

	session, err := logins.Get(crossSitePOST(beginLogin(logins)), "login")
	if err != nil || session.Values["state"] != "random" {
		t.Errorf("at the callback, Get = %+v, %v, want the state", session, err)
	}
	// CookieStore's is SameSite=None by default.
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "https://app.example/login", nil)
	old, _ := sessions.NewCookieStore(key).Get(r, "login")
	if err := old.Save(r, w); err != nil || w.Result().Cookies()[0].SameSite != http.SameSiteNoneMode {
		t.Errorf("CookieStore sets %v, %v, want SameSite=None", w.Result().Cookies(), err)
	}
}

func movingReadingDoesNotExtend(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	inAnHour := dynamotest.N(secondsFromNow(time.Hour))
	a.alter(dynamotest.Item{"expires": inAnHour}) // as after 30 days less an hour

	b.values()
	if got := a.item()["expires"]; !reflect.DeepEqual(got, inAnHour) {
		t.Errorf("after a Get alone, expires is %s, want %s", attrText(got), attrText(inAnHour))
	}
	begin := time.Now()
	cookies, err := b.with(func(*sessions.Session) {})
	if err != nil || len(cookies) != 1 || cookies[0].MaxAge != 30*24*60*60 {
		t.Errorf("Save of the unchanged session = %v, and cookies %v, want the cookie for 30 days", err, cookies)
	}
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 30*24*time.Hour)
}

func movingUnchangedSetsNoCookie(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	if cookies := b.set("user", "ann"); len(cookies) != 1 {
		t.Errorf("the first Save sets the cookies %v, want one", cookies)
	}
	for range 2 {
		if cookies := b.set("user", "ann"); len(cookies) != 0 {
			t.Errorf("Save of the same values sets the cookies %v, want none", cookies)
		}
	}
	store := a.open(dynamostore.Config{
		Table:         a.cfg.Table,
		TouchInterval: -1, // every Save writes, and sets the cookie
	}, keyA)
	a.store = store
	if cookies := b.set("user", "ann"); len(cookies) != 1 {
		t.Errorf("with a negative TouchInterval, Save sets the cookies %v, want one", cookies)
	}
}

func movingIDBeforeSave(t *testing.T) {
	a := newApp(t)
	if _, err := a.browser().with(func(s *sessions.Session) {
		if s.ID != "" {
			t.Errorf("before the first Save, the ID is %q", s.ID)
		}
	}); err != nil {
		t.Errorf("Save: %v", err)
	}
	b := a.browser()
	b.set("user", "ann")
	if session, err := b.load(); err != nil || session.ID == "" {
		t.Errorf("afterwards, Get = %+v, %v, want an ID", session, err)
	}
}

func movingErrorOfGet(t *testing.T) {
	a := newApp(t)
	store := a.store
	b := a.browser()
	b.set("user", "ann")
	saved := false
	handler := func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if cookieError := securecookie.Error(nil); err != nil && !errors.As(err, &cookieError) {
			http.Error(w, "Please try again soon.", http.StatusServiceUnavailable)
			return
		}
		saved = true
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
	}
	a.backend.Inject("GetItem", dynamotest.Denied)
	if b.visit(handler); saved {
		t.Error("while DynamoDB refuses, the handler goes on")
	}
	a.backend.Inject("GetItem", dynamotest.Denied)
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["visits"] = 1
		wantError(t, session.Save(r, w), dynamostore.ErrNotLoaded)
	})
	if got := b.values(); len(cookies) != 0 || len(got) != 1 || got["user"] != "ann" {
		t.Errorf("a handler that goes on set the cookies %v, and the session is %v, want neither changed", cookies, got)
	}
	bad := a.browser()
	bad.setCookie("forged")
	if bad.visit(handler); !saved {
		t.Error("on a forged cookie, the handler does not go on")
	}
}

func movingEndedStaysEnded(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	cookies, err := b.with(func(s *sessions.Session) {
		b.tab().logout() // in another tab, while this request runs
		s.Values["visits"] = 1
	})
	wantError(t, err, dynamostore.ErrGone)
	if len(cookies) != 0 {
		t.Errorf("the late request set the cookies %v, want none", cookies)
	}
	a.wantLive(0)
}
