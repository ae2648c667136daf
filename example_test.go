package dynamostore_test

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"time"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
	"github.com/gorilla/sessions"
)

// A store on a client of one's own, and a handler that uses it. The client here is one in memory,
// and newBrowser stands for a visitor's browser, which keeps the cookies.
func ExampleNew() {
	client := dynamostoretest.Open() // in production: dynamostore.NewClient(awsConfig)
	store, err := dynamostore.New(client, dynamostore.Config{}, []byte("32 or 64 random bytes, from a file"))
	if err != nil {
		log.Fatal(err)
	}
	if err := store.EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}

	count := func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if err != nil {
			log.Print(err) // the session is a new one, and Save does no harm
		}
		visits, _ := session.Values["visits"].(int)
		visits++
		session.Values["visits"] = visits
		if err := session.Save(r, w); err != nil { // before the body is written
			http.Error(w, "please try again soon", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "visit %d", visits)
	}

	ann, bob := newBrowser(), newBrowser()
	fmt.Println("ann:", ann.visit(count))
	fmt.Println("ann:", ann.visit(count))
	fmt.Println("bob:", bob.visit(count))
	// Output:
	// ann: visit 1
	// ann: visit 2
	// bob: visit 1
}

// Open takes region, credentials and endpoint from the environment, as the AWS command line does.
// Here they name a DynamoDB in memory.
func ExampleOpen() {
	server := httptest.NewServer(dynamostoretest.NewHandler())
	defer server.Close()
	defer setenv(map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": server.URL, // not set in production
		"AWS_REGION":                "eu-central-1",
		"AWS_PROFILE":               "", // a developer may have one
		"AWS_ACCESS_KEY_ID":         "key",
		"AWS_SECRET_ACCESS_KEY":     "secret",
	})()

	ctx := context.Background()
	store, err := dynamostore.Open(ctx, dynamostore.Config{Table: "web-sessions"}, []byte("32 or 64 random bytes, from a file"))
	if err != nil {
		log.Fatal(err)
	}
	if err := store.EnsureTable(ctx); err != nil {
		log.Fatal(err)
	}
	n := 0
	for _, err := range store.Sessions(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println("sessions:", n)
	// Output: sessions: 0
}

// Where somebody logs in, Regenerate takes the place of Save.
func ExampleStore_Regenerate() {
	store := newStore(dynamostore.Config{})
	visit := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		fmt.Fprintf(w, "user %v, cart %v", session.Values["user"], session.Values["cart"])
	}
	fill := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["cart"] = "tea"
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
	}
	login := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["user"] = "ann" // once the password was checked
		if err := store.Regenerate(r, w, session); err != nil {
			log.Fatal(err)
		}
	}

	browser := newBrowser()
	browser.visit(fill)
	thief := browser.copy() // who saw the cookie, or had planted it
	browser.visit(login)
	fmt.Println("browser:", browser.visit(visit))
	fmt.Println("thief:  ", thief.visit(visit))
	// Output:
	// browser: user ann, cart tea
	// thief:   user <nil>, cart <nil>
}

// "Log out everywhere else", as after a change of password.
func ExampleStore_DestroyUser() {
	store := newStore(dynamostore.Config{UserKey: "user"})
	phone, laptop := newBrowser(), newBrowser()
	for _, browser := range []*browserForExamples{phone, laptop} {
		browser.visit(func(w http.ResponseWriter, r *http.Request) {
			session, _ := store.Get(r, "session")
			session.Values["user"] = "ann"
			if err := store.Regenerate(r, w, session); err != nil {
				log.Fatal(err)
			}
		})
	}

	laptop.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		n, err := store.DestroyUser(r.Context(), "ann", store.Key(session))
		fmt.Println("ended:", n, err)
	})

	user := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		fmt.Fprint(w, session.Values["user"])
	}
	fmt.Println("phone: ", phone.visit(user))
	fmt.Println("laptop:", laptop.visit(user))
	// Output:
	// ended: 1 <nil>
	// phone:  <nil>
	// laptop: ann
}

// A user's sessions, for a page that lists them. The Key stays out of the page.
func ExampleStore_UserSessions() {
	store := newStore(dynamostore.Config{UserKey: "user"})
	newBrowser().visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["user"] = "ann"
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}

		for info, err := range store.UserSessions(r.Context(), "ann") {
			if err != nil {
				log.Fatal(err)
			}
			days := time.Until(info.Expires).Round(time.Hour) / (24 * time.Hour)
			fmt.Printf("%s, for %d more days, this one: %v\n", info.User, days, info.Key == store.Key(session))
		}
	})
	// Output: ann, for 30 more days, this one: true
}

// What an application answers to the errors of Save.
func ExampleStore_Save() {
	store := newStore(dynamostore.Config{})
	answer := func(w http.ResponseWriter, err error) {
		switch {
		case errors.Is(err, dynamostore.ErrGone):
			http.Error(w, "You are logged out.", http.StatusUnauthorized)
		case errors.Is(err, dynamostore.ErrConflict):
			http.Error(w, "Please try again.", http.StatusConflict)
		case err != nil: // ErrNotLoaded, or what DynamoDB said
			http.Error(w, "Please try again soon.", http.StatusServiceUnavailable)
		}
	}
	save := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["draft"] = "Dear Bob"
		answer(w, session.Save(r, w))
	}
	logout := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Options.MaxAge = -1
		answer(w, session.Save(r, w))
	}

	browser := newBrowser()
	browser.visit(save)
	otherTab := browser.copy()
	fmt.Print(browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		otherTab.visit(logout) // while this request is under way
		session.Values["draft"] = "Dear Bob, how are you?"
		answer(w, session.Save(r, w))
	}))
	// Output: You are logged out.
}

// Cart is a type of the application's own.
type Cart struct{ Items []string }

// Gob knows the types that were registered.
func ExampleGobCodec() {
	gob.Register(Cart{}) // in main, or an init function

	store := newStore(dynamostore.Config{}) // GobCodec is the default
	browser := newBrowser()
	browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["cart"] = Cart{Items: []string{"tea"}}
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
	})
	fmt.Println(browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		cart, ok := session.Values["cart"].(Cart)
		fmt.Fprint(w, cart.Items, ok)
	}))
	// Output: [tea] true
}

// JSON that people and other programs can read, and that gives back the types that were put in.
func ExampleJSONCodec() {
	cfg := dynamostore.Config{Codec: dynamostore.JSONCodec{Types: []any{Cart{}}}}

	data, err := cfg.Codec.Encode(map[any]any{
		"user":   "ann",
		"visits": 3,
		"since":  time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC),
		"cart":   Cart{Items: []string{"tea"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(data))
	values, err := cfg.Codec.Decode(data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%T %T %T %T\n", values["user"], values["visits"], values["since"], values["cart"])
	// Output:
	// {"cart":{"$dynamostore_test.Cart":{"Items":["tea"]}},"since":{"$time":"2026-11-24T09:30:00Z"},"user":"ann","visits":3}
	// string int time.Time dynamostore_test.Cart
}

// From gob to JSON without logging anyone out: a session that gob wrote is read, and the next Save
// writes it as JSON.
func ExampleConfig_readCodecs() {
	client := dynamostoretest.Open()
	key := []byte("32 or 64 random bytes, from a file")
	before := dynamostore.Must(dynamostore.New(client, dynamostore.Config{}, key))
	after := dynamostore.Must(dynamostore.New(client, dynamostore.Config{
		Codec:      dynamostore.JSONCodec{},
		ReadCodecs: []dynamostore.Codec{dynamostore.GobCodec{}},
	}, key))
	if err := after.EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}

	browser := newBrowser()
	browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := before.Get(r, "session")
		session.Values["user"] = "ann"
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
	})
	fmt.Println(browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := after.Get(r, "session")
		if err == nil {
			err = session.Save(r, w)
		}
		fmt.Fprintln(w, session.Values["user"], err)
	}))
	// Output: ann <nil>
}

// plainJSON keeps strings only, as one JSON object that every language reads.
type plainJSON struct{}

func (plainJSON) Name() string { return "plain-json" }

func (plainJSON) Encode(values map[any]any) ([]byte, error) {
	object := make(map[string]string, len(values))
	for k, v := range values {
		key, ok := k.(string)
		value, ok2 := v.(string)
		if !ok || !ok2 {
			return nil, errors.New("plainJSON takes strings only")
		}
		object[key] = value
	}
	return json.Marshal(object)
}

func (plainJSON) Decode(data []byte) (map[any]any, error) {
	var object map[string]string
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	values := make(map[any]any, len(object))
	for k, v := range object {
		values[k] = v
	}
	return values, nil
}

// A codec of one's own is three methods. The sessions that another codec wrote are still read.
func ExampleCodec() {
	cfg := dynamostore.Config{
		Codec:      plainJSON{},
		ReadCodecs: []dynamostore.Codec{dynamostore.GobCodec{}},
	}
	data, err := cfg.Codec.Encode(map[any]any{"user": "ann"})
	fmt.Printf("%s %v\n", data, err)
	// Output: {"user":"ann"} <nil>
}

// A user's devices, for a page that lists them and can end one. The Keys stay out of the page: its
// form sends the position.
func ExampleConfig_labelKey() {
	store := newStore(dynamostore.Config{UserKey: "user", LabelKey: "device"})
	login := func(device string) *browserForExamples {
		browser := newBrowser()
		browser.visit(func(w http.ResponseWriter, r *http.Request) {
			session, _ := store.Get(r, "session")
			session.Values["user"] = "ann" // once the password was checked
			session.Values["device"] = device
			session.Options.MaxAge = map[string]int{"Firefox on Linux": 86400, "Safari on iOS": 604800}[device]
			if err := store.Regenerate(r, w, session); err != nil {
				log.Fatal(err)
			}
		})
		return browser
	}
	laptop, phone := login("Firefox on Linux"), login("Safari on iOS")

	devices := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		for info, err := range store.UserSessions(r.Context(), "ann") {
			if err != nil {
				log.Fatal(err)
			}
			note := ""
			if info.Key == store.Key(session) {
				note = " (this device)"
			}
			fmt.Fprintf(w, "%s, last used %.0f minutes ago%s\n", info.Label, time.Since(info.LastSeen).Minutes(), note)
		}
	}
	fmt.Print(laptop.visit(devices))

	laptop.visit(func(w http.ResponseWriter, r *http.Request) {
		for info, err := range store.UserSessions(r.Context(), "ann") {
			if err == nil && info.Label == "Safari on iOS" {
				err = store.Destroy(r.Context(), info.Key)
			}
			if err != nil {
				log.Fatal(err)
			}
		}
	})
	fmt.Print("after the phone was logged out:\n", laptop.visit(devices))
	fmt.Println("the phone's user:", phone.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		fmt.Fprint(w, session.Values["user"])
	}))
	// Output:
	// Firefox on Linux, last used 0 minutes ago (this device)
	// Safari on iOS, last used 0 minutes ago
	// after the phone was logged out:
	// Firefox on Linux, last used 0 minutes ago (this device)
	// the phone's user: <nil>
}

// What is stored of a session, outside of its requests.
func ExampleStore_Load() {
	store := newStore(dynamostore.Config{UserKey: "user"})
	var key string // such as SessionInfo.Key
	newBrowser().visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["user"], session.Values["cart"] = "ann", []string{"tea"}
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
		key = store.Key(session)
	})

	ctx := context.Background()
	info, values, err := store.Load(ctx, key)
	fmt.Println(info.User, values["cart"], err)

	if err := store.Destroy(ctx, key); err != nil {
		log.Fatal(err)
	}
	_, _, err = store.Load(ctx, key)
	fmt.Println("gone:", errors.Is(err, dynamostore.ErrGone))
	// Output:
	// ann [tea] <nil>
	// gone: true
}

// A message for somebody who is not there at the moment. Twenty at once are twenty messages: change
// runs again if somebody else wrote the session meanwhile.
func ExampleStore_Update() {
	store := newStore(dynamostore.Config{})
	browser := newBrowser()
	var key string
	browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["unread"] = 0
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
		key = store.Key(session)
	})

	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := store.Update(context.Background(), key, func(values map[any]any) error {
				unread, _ := values["unread"].(int)
				values["unread"] = unread + 1
				return nil
			})
			if err != nil { // ErrGone if the session has ended
				log.Fatal(err)
			}
		})
	}
	wg.Wait()
	fmt.Println(browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		fmt.Fprint(w, session.Values["unread"], " unread")
	}))
	// Output: 20 unread
}

// An administrator takes a role away: from the next request on, on all of the user's devices.
func ExampleStore_UpdateUser() {
	store := newStore(dynamostore.Config{UserKey: "user"})
	phone, laptop := newBrowser(), newBrowser()
	for _, browser := range []*browserForExamples{phone, laptop} {
		browser.visit(func(w http.ResponseWriter, r *http.Request) {
			session, _ := store.Get(r, "session")
			session.Values["user"], session.Values["roles"] = "ann", []string{"author", "editor"}
			if err := store.Regenerate(r, w, session); err != nil {
				log.Fatal(err)
			}
		})
	}

	n, err := store.UpdateUser(context.Background(), "ann", func(values map[any]any) error {
		roles, _ := values["roles"].([]string)
		values["roles"] = slices.DeleteFunc(roles, func(role string) bool { return role == "editor" })
		return nil
	})
	fmt.Println("sessions:", n, err)

	roles := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		fmt.Fprint(w, session.Values["roles"])
	}
	fmt.Println(phone.visit(roles), laptop.visit(roles))
	// Output:
	// sessions: 2 <nil>
	// [author] [author]
}

// A page that only reads the session. With Concurrency: Lock, it does not wait for a request that
// holds the lock, such as a slow upload, and it cannot change anything by mistake.
func ExampleStore_Peek() {
	store := newStore(dynamostore.Config{Concurrency: dynamostore.Lock})
	browser := newBrowser()
	browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["user"] = "ann"
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
	})

	header := func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Peek(r, "session")
		fmt.Fprint(w, session.Values["user"], " ", err)
	}
	otherTab := browser.copy()
	browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session") // holds the lock
		fmt.Println(otherTab.visit(header))
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
	})
	browser.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Peek(r, "session")
		fmt.Println("read only:", errors.Is(session.Save(r, w), dynamostore.ErrReadOnly))
	})
	// Output:
	// ann <nil>
	// read only: true
}

// With AutoSave around them, handlers need not save: what they changed is stored before their
// response is sent.
func ExampleAutoSave() {
	store := newStore(dynamostore.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("/add", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		cart, _ := session.Values["cart"].([]string)
		session.Values["cart"] = append(cart, r.URL.Query().Get("item"))
		fmt.Fprintf(w, "%d in your cart", len(cart)+1)
	})
	handler := dynamostore.AutoSave(mux, func(w http.ResponseWriter, r *http.Request, err error) {
		switch { // instead of what the handler responded
		case errors.Is(err, dynamostore.ErrGone):
			http.Error(w, "You are logged out.", http.StatusUnauthorized)
		default:
			http.Error(w, "Please try again soon.", http.StatusServiceUnavailable)
		}
	})

	browser := newBrowser()
	add := func(item string) string {
		return browser.visit(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path, r.URL.RawQuery = "/add", "item="+item
			handler.ServeHTTP(w, r)
		})
	}
	fmt.Println(add("tea"))
	fmt.Println(add("milk"))
	// Output:
	// 1 in your cart
	// 2 in your cart
}

// Where each page saves its session, SkipEmpty spares the visitors that have nothing to keep, such
// as bots: no request, no item, and no cookie.
func ExampleConfig_skipEmpty() {
	store := newStore(dynamostore.Config{SkipEmpty: true})
	page := func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		if item := r.URL.Query().Get("add"); item != "" {
			session.Values["cart"] = item
		}
		if err := session.Save(r, w); err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(w, "cookies: ", len(w.Header()["Set-Cookie"]))
	}

	bot, visitor := newBrowser(), newBrowser()
	fmt.Println("bot,", bot.visit(page))
	fmt.Println("visitor,", visitor.visit(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery = "add=tea"
		page(w, r)
	}))
	n := 0
	for range store.Sessions(context.Background()) {
		n++
	}
	fmt.Println("sessions:", n)
	// Output:
	// bot, cookies: 0
	// visitor, cookies: 1
	// sessions: 1
}

// Without transactions, Regenerate creates the session under the new ID and then ends the one under
// the old ID, each conditionally.
func ExampleConfig_noTransactions() {
	store := newStore(dynamostore.Config{
		NoTransactions: true,
		Observe: func(_ context.Context, e dynamostore.Event) {
			if e.Op == dynamostore.OpRegenerate {
				fmt.Println("requests for a new ID:", e.Requests)
			}
		},
	})
	browser := newBrowser()
	page := func(change func(*sessions.Session), save func(*http.Request, http.ResponseWriter, *sessions.Session) error) string {
		return browser.visit(func(w http.ResponseWriter, r *http.Request) {
			session, _ := store.Get(r, "session")
			change(session)
			if err := save(r, w, session); err != nil {
				log.Fatal(err)
			}
			fmt.Fprint(w, session.Values["user"], " with ", session.Values["cart"])
		})
	}
	page(func(s *sessions.Session) { s.Values["cart"] = "tea" }, store.Save)
	fmt.Println(page(func(s *sessions.Session) { s.Values["user"] = "ann" }, store.Regenerate))
	// Output:
	// requests for a new ID: 3
	// ann with tea
}

// What follows makes the examples short.

// newStore returns a Store on a DynamoDB in memory.
func newStore(cfg dynamostore.Config) *dynamostore.Store {
	store := dynamostore.Must(dynamostore.New(dynamostoretest.Open(), cfg, []byte("32 or 64 random bytes, from a file")))
	if err := store.EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}
	return store
}

// browserForExamples keeps cookies from one visit to the next.
type browserForExamples struct{ cookies map[string]*http.Cookie }

func newBrowser() *browserForExamples {
	return &browserForExamples{make(map[string]*http.Cookie)}
}

// copy returns another browser with the same cookies.
func (b *browserForExamples) copy() *browserForExamples {
	return &browserForExamples{maps.Clone(b.cookies)}
}

// visit returns what the handler writes.
func (b *browserForExamples) visit(handler http.HandlerFunc) string {
	r, w := httptest.NewRequest(http.MethodGet, "https://app.example/", nil), httptest.NewRecorder()
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	handler(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w.Body.String()
}

// setenv sets variables of the environment, and returns what restores them.
func setenv(variables map[string]string) (restore func()) {
	var undo []func() error
	for name, value := range variables {
		if before, ok := os.LookupEnv(name); ok {
			undo = append(undo, func() error { return os.Setenv(name, before) })
		} else {
			undo = append(undo, func() error { return os.Unsetenv(name) })
		}
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
	}
	return func() {
		for _, f := range undo {
			if err := f(); err != nil {
				log.Fatal(err)
			}
		}
	}
}
