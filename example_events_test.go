package dynamostore_test

import (
	"context"
	"expvar"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// request sends a request through the store, as an application handles it, and returns the browser's
// cookie after it.
func request(store *dynamostore.Store, cookie *http.Cookie, change func(values map[any]any)) *http.Cookie {
	r := httptest.NewRequest("GET", "/", nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	session, err := store.Get(r, "session")
	if err != nil {
		fmt.Println(err)
	}
	change(session.Values)
	if err := session.Save(r, w); err != nil {
		fmt.Println(err)
	}
	for _, c := range w.Result().Cookies() {
		cookie = c
	}
	return cookie
}

// What was done to sessions, in the log: failures as warnings, the rest for debugging.
func ExampleEvent_slog() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" {
				return slog.Attr{} // for an output that is always the same
			}
			return a
		},
	}))
	store := dynamostore.Must(dynamostore.New(dynamostoretest.Open(), dynamostore.Config{
		Observe: func(ctx context.Context, e dynamostore.Event) {
			level := slog.LevelDebug
			if e.Err != nil {
				level = slog.LevelWarn
			}
			log.LogAttrs(ctx, level, "session", slog.String("op", string(e.Op)), slog.Duration("duration", e.Duration),
				slog.Int("requests", e.Requests), slog.Float64("read_units", e.ReadUnits), slog.Float64("write_units", e.WriteUnits), slog.Any("error", e.Err))
		},
	}, []byte("32 random bytes, from a secret..")))
	if err := store.EnsureTable(context.Background()); err != nil {
		fmt.Println(err)
	}

	cookie := request(store, nil, func(values map[any]any) { values["user"] = "ann" })
	request(store, cookie, func(values map[any]any) {})
	cookie.Value = "Zm9yZ2Vk"
	request(store, cookie, func(values map[any]any) {})
	// Output:
	// level=DEBUG msg=session op=load requests=0 read_units=0 write_units=0 error=<nil>
	// level=DEBUG msg=session op=create requests=1 read_units=0 write_units=1 error=<nil>
	// level=DEBUG msg=session op=load requests=1 read_units=1 write_units=0 error=<nil>
	// level=DEBUG msg=session op=skip requests=0 read_units=0 write_units=0 error=<nil>
	// level=WARN msg=session op=load requests=0 read_units=0 write_units=0 error="securecookie: the value is not valid"
	// securecookie: the value is not valid
	// level=DEBUG msg=session op=create requests=1 read_units=0 write_units=1 error=<nil>
}

// Counters by operation, which expvar publishes on /debug/vars.
func ExampleEvent_expvar() {
	var operations, failures, requests expvar.Map // expvar.NewMap("sessions") and so on, to publish them
	var readUnits, writeUnits expvar.Float
	store := dynamostore.Must(dynamostore.New(dynamostoretest.Open(), dynamostore.Config{
		Observe: func(_ context.Context, e dynamostore.Event) {
			operations.Add(string(e.Op), 1)
			requests.Add(string(e.Op), int64(e.Requests))
			readUnits.Add(e.ReadUnits)
			writeUnits.Add(e.WriteUnits)
			if e.Err != nil {
				failures.Add(string(e.Op), 1)
			}
		},
	}, []byte("32 random bytes, from a secret..")))
	if err := store.EnsureTable(context.Background()); err != nil {
		fmt.Println(err)
	}

	cookie := request(store, nil, func(values map[any]any) { values["visits"] = 1 })
	for n := range 3 {
		request(store, cookie, func(values map[any]any) { values["visits"] = 1 + n })
	}
	fmt.Println("operations", operations.String())
	fmt.Println("requests  ", requests.String())
	fmt.Println("failures  ", failures.String())
	fmt.Println("units     ", readUnits.String(), "read,", writeUnits.String(), "written")
	// Output:
	// operations {"create": 1, "load": 4, "skip": 1, "update": 2}
	// requests   {"create": 1, "load": 3, "skip": 0, "update": 2}
	// failures   {}
	// units      3 read, 3 written
}
