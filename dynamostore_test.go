package dynamostore_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// TestSession follows a session from its first request to its end, through the public API. The
// tests of each behaviour are in internal/storetest.
func TestSession(t *testing.T) {
	store, err := dynamostore.New(dynamostoretest.NewClient(t), dynamostore.Config{UserKey: "user"}, []byte("a test's key, which is no secret"))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}

	// A browser has a cookie, and its requests bring it.
	var browser []*http.Cookie
	request := func(handle func(w http.ResponseWriter, r *http.Request, session *sessions.Session) error) {
		t.Helper()
		r, w := httptest.NewRequest(http.MethodGet, "https://app.example/", nil), httptest.NewRecorder()
		for _, c := range browser {
			r.AddCookie(c)
		}
		session, err := store.Get(r, "session")
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		if err := handle(w, r, session); err != nil {
			t.Fatalf("Save: %v", err)
		}
		if set := w.Result().Cookies(); len(set) > 0 {
			browser = slices.DeleteFunc(set, func(c *http.Cookie) bool { return c.MaxAge < 0 })
		}
	}
	wantValues := func(want map[any]any) {
		t.Helper()
		request(func(_ http.ResponseWriter, _ *http.Request, session *sessions.Session) error {
			for k, v := range want {
				if session.Values[k] != v {
					t.Errorf("the session holds %v, want %v", session.Values, want)
				}
			}
			if session.IsNew != (len(want) == 0) || len(session.Values) != len(want) {
				t.Errorf("the session is new: %t, and holds %v, want %v", session.IsNew, session.Values, want)
			}
			return nil
		})
	}
	wantUserSessions := func(want int) (keys []string) {
		t.Helper()
		for info, err := range store.UserSessions(t.Context(), "ann") {
			if err != nil {
				t.Fatalf("UserSessions: %v", err)
			}
			keys = append(keys, info.Key)
		}
		if len(keys) != want {
			t.Errorf("ann has %d sessions, want %d", len(keys), want)
		}
		return keys
	}

	// It is created by the first Save, changed, and read.
	wantValues(nil)
	request(func(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
		session.Values["cart"] = "tea"
		return session.Save(r, w)
	})
	if len(browser) != 1 || !browser[0].Secure || !browser[0].HttpOnly {
		t.Fatalf("the first Save set the cookies %v, want one, Secure and HttpOnly", browser)
	}
	wantValues(map[any]any{"cart": "tea"})

	// What two requests change at once is merged.
	request(func(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
		request(func(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
			session.Values["theme"] = "dark"
			return session.Save(r, w)
		})
		session.Values["cart"] = "milk"
		return session.Save(r, w)
	})
	wantValues(map[any]any{"cart": "milk", "theme": "dark"})

	// A login gives it a new ID, so that the old cookie is worthless.
	before := browser
	request(func(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
		session.Values["user"] = "ann"
		return store.Regenerate(r, w, session)
	})
	after := browser
	wantValues(map[any]any{"cart": "milk", "theme": "dark", "user": "ann"})
	browser = before
	wantValues(nil)
	browser = after
	keys := wantUserSessions(1)

	// It is read and changed from outside of its requests.
	if info, values, err := store.Load(t.Context(), keys[0]); err != nil || info.User != "ann" || values["cart"] != "milk" {
		t.Errorf("Load: %+v with %v, %v, want ann's session", info, values, err)
	}
	if err := store.Update(t.Context(), keys[0], func(values map[any]any) error { values["plan"] = "paid"; return nil }); err != nil {
		t.Errorf("Update: %v", err)
	}
	wantValues(map[any]any{"cart": "milk", "theme": "dark", "user": "ann", "plan": "paid"})

	// A logout ends it and deletes the cookie, and a request that is under way does not bring it
	// back.
	request(func(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
		request(func(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
			session.Options.MaxAge = -1
			return session.Save(r, w)
		})
		session.Values["cart"] = "salt"
		if err := session.Save(r, w); !errors.Is(err, dynamostore.ErrGone) {
			t.Errorf("Save after the logout: %v, want ErrGone", err)
		}
		return nil
	})
	if len(browser) != 0 {
		t.Errorf("the browser has the cookies %v after the logout", browser)
	}
	browser = after
	wantValues(nil)
	wantUserSessions(0)

	// An administrator ends one that somebody uses.
	request(func(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
		session.Values["user"] = "ann"
		return store.Regenerate(r, w, session)
	})
	if err := store.Destroy(t.Context(), wantUserSessions(1)[0]); err != nil {
		t.Errorf("Destroy: %v", err)
	}
	wantValues(nil)
	wantUserSessions(0)
}
