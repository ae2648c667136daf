package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// page is a response as a browser gets it.
type page struct {
	*http.Response
	body  string
	err   error        // of the request, or of reading the body
	early http.Header  // of a response 103 before it
	set   *http.Cookie // the session's cookie, nil if the response does not set it
}

// get sends a request, which handler answers with AutoSave around it.
func (b *browser) get(handler http.HandlerFunc, failed func(http.ResponseWriter, *http.Request, error)) page {
	b.app.Helper()
	return b.send(http.MethodGet, dynamostore.AutoSave(handler, failed))
}

// send sends a request that handler answers.
func (b *browser) send(method string, handler http.Handler) (p page) {
	b.app.Helper()
	b.app.mu.Lock()
	b.app.handlers = append(b.app.handlers, handler.ServeHTTP)
	n := len(b.app.handlers) - 1
	b.app.mu.Unlock()
	ctx := httptrace.WithClientTrace(b.app.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, header textproto.MIMEHeader) error { p.early = http.Header(header); return nil },
	})
	r, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("%s/?handler=%d", b.app.url, n), nil)
	if err != nil {
		b.app.Fatal(err)
	}
	if p.Response, p.err = b.client.Do(r); p.err != nil {
		p.Response = &http.Response{}
		return p
	}
	defer p.Body.Close()
	body, err := io.ReadAll(p.Body)
	p.body, p.err = string(body), err
	for _, c := range p.Cookies() {
		if c.Name == cookieName {
			p.set = c
		}
	}
	return p
}

// want asserts that the response has that status and body.
func (p page) want(t *testing.T, status int, body string) {
	t.Helper()
	if p.err != nil || p.StatusCode != status || p.body != body {
		t.Errorf("the response is %d, %q, %v, want %d, %q", p.StatusCode, p.body, p.err, status, body)
	}
}

// protocols are those that servers speak.
var protocols = []struct {
	name  string
	major int
}{{"HTTP/1.1", 1}, {"HTTP/2", 2}}

// newServedApp is an app whose server speaks that version of HTTP.
func newServedApp(t *testing.T, major int, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	a := newApp(t, configure...)
	a.serveTLS(major == 2)
	return a
}

// plainReader is a reader that io.Copy hands to the writer's ReadFrom, if it has that.
type plainReader struct{ io.Reader }

// responses are the ways in which a handler can respond. Each is of the body "hello", except where
// it says otherwise.
var responses = []struct {
	name    string
	respond func(t *testing.T, w http.ResponseWriter, r *http.Request)
	status  int
	body    string
}{
	{"nothing", func(*testing.T, http.ResponseWriter, *http.Request) {}, 200, ""},
	{"Write", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		for _, c := range "hello" {
			io.WriteString(w, string(c))
		}
	}, 200, "hello"},
	{"WriteHeader", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "hello")
	}, 418, "hello"},
	{"no content", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, 204, ""},
	{"an error", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) { http.Error(w, "hello", 500) }, 500, "hello\n"},
	{"Flush", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		io.WriteString(w, "hello")
	}, 200, "hello"},
	{"Flush by ResponseController", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		io.WriteString(w, "hello")
	}, 200, "hello"},
	{"ReadFrom", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		if n, err := io.Copy(w, plainReader{strings.NewReader("hello")}); n != 5 || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
	}, 200, "hello"},
	{"a file", func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "hello.txt", time.Time{}, strings.NewReader("hello"))
	}, 200, "hello"},
	{"early hints", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "hello")
	}, 200, "hello"},
	{"deadlines", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		rc := http.NewResponseController(w)
		if err := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Hour)), rc.SetWriteDeadline(time.Now().Add(time.Hour))); err != nil {
			t.Errorf("ResponseController: %v", err)
		}
		io.WriteString(w, "hello")
	}, 200, "hello"},
	{"a panic after the body", func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, 200, "hello"},
}

// A handler that never saves has what it changed stored, and its cookie set, before whatever it
// responds. The response is as without AutoSave.
func TestAutoSave(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols {
		for _, test := range responses {
			t.Run(protocol.name+", "+test.name, func(t *testing.T) {
				a := newServedApp(t, protocol.major)
				b := a.browser()
				for _, load := range []string{"", "GetItem"} { // a new session, and then a stored one
					var before map[any]any
					plain := b.tab().send(http.MethodGet, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { test.respond(t, w, r) }))
					a.backend.Counts()
					p := b.get(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil || session.IsNew != (load == "") {
							t.Errorf("Get = %+v, %v", session, err)
						}
						before = session.Values
						session.Values["n"] = fmt.Sprint(load, 1)
						test.respond(t, w, r)
						session.Values["late"] = 1 // the header is out by then, except of an empty response
					}, nil)
					if load == "" {
						a.wantSent("PutItem")
					} else {
						a.wantSent("GetItem", "UpdateItem")
					}
					if p.ProtoMajor != protocol.major {
						t.Errorf("the response is %s, want %s", p.Proto, protocol.name)
					}
					if p.err == nil || plain.err == nil {
						p.want(t, test.status, test.body)
					}
					if (p.set != nil) != (load == "") || len(p.Header["Set-Cookie"]) > 1 {
						t.Errorf("the cookies are %q, want one if the session is new", p.Header["Set-Cookie"])
					}
					if test.name == "early hints" && (p.early.Get("Link") == "" || p.early.Get("Set-Cookie") != "") {
						t.Errorf("the response 103 has %v, want the link, and no cookie", p.early)
					}
					header := p.Header.Clone()
					header.Del("Set-Cookie")
					header.Set("Date", plain.Header.Get("Date"))
					if !reflect.DeepEqual(header, plain.Header) {
						t.Errorf("the header is %v, want that without AutoSave, %v", header, plain.Header)
					}
					got := b.values()
					if got["n"] != before["n"] || (got["late"] != nil) != (test.name == "nothing") {
						t.Errorf("the session holds %v, want what was there before the response, n = %v", got, before["n"])
					}
				}
			})
		}
	}
}

// A hijacked connection does not get the cookies. The session is saved before it is handed over.
func TestAutoSaveAndHijack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		hijack func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error)
	}{
		{"Hijacker", func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() }},
		{"ResponseController", func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newServedApp(t, 1)
			b := a.browser()
			b.set("n", 0)
			a.backend.Counts()
			p := b.get(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Values["n"] = 1
				conn, rw, err := test.hijack(w)
				if err != nil {
					t.Errorf("Hijack: %v", err)
					return
				}
				a.wantSent("GetItem", "UpdateItem")
				defer conn.Close()
				io.WriteString(rw, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
				rw.Flush()
			}, nil)
			p.want(t, 200, "hello")
			a.wantSent()
			if got := b.values()["n"]; got != 1 {
				t.Errorf("n = %v, want 1", got)
			}
		})
	}
	t.Run("HTTP/2", func(t *testing.T) {
		a := newServedApp(t, 2)
		p := a.browser().get(func(w http.ResponseWriter, _ *http.Request) {
			if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("Hijack = %v, want ErrNotSupported", err)
			}
			io.WriteString(w, "hello")
		}, nil)
		p.want(t, 200, "hello")
	})
}

func TestAutoSaveOfAHeadRequest(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	b := a.browser()
	p := b.send(http.MethodHead, dynamostore.AutoSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["n"] = 1
		if n, err := io.WriteString(w, "hello"); n != 5 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	}), nil))
	p.want(t, 200, "")
	if got := b.values()["n"]; p.set == nil || p.ContentLength != 5 || got != 1 {
		t.Errorf("the response has the cookie %v and the length %d, and n = %v", p.set, p.ContentLength, got)
	}
}

// If the handler panics before anything was sent, nothing is saved.
func TestAutoSaveAfterAPanic(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprint("of a stored session: ", stored), func(t *testing.T) {
			a := newServedApp(t, 1)
			b := a.browser()
			if stored {
				b.set("n", 0)
			}
			before := a.backend.Items(t)
			var writer http.ResponseWriter
			p := b.get(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Values["n"] = 1
				w.Header().Set("X-Test", "1")
				writer = w
				panic(http.ErrAbortHandler)
			}, func(http.ResponseWriter, *http.Request, error) { t.Error("failed was called") })
			if p.err == nil {
				t.Errorf("the response is %d, want a connection that breaks off", p.StatusCode)
			}
			if _, err := writer.Write([]byte("late")); err == nil {
				t.Error("Write after the panic: no error")
			}
			if after := a.backend.Items(t); !reflect.DeepEqual(after, before) {
				t.Errorf("the table holds %v, want what it held: %v", after, before)
			}
		})
	}
	// A handler around it that recovers can respond.
	a := newServedApp(t, 1)
	p := a.browser().send(http.MethodGet, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			recover()
			http.Error(w, "sorry", 500)
		}()
		dynamostore.AutoSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := a.store.Get(r, cookieName)
			session.Values["n"] = 1
			panic("oops")
		}), nil).ServeHTTP(w, r)
	}))
	p.want(t, 500, "sorry\n")
	a.wantSent()
}

// A request that does not touch a session costs nothing, and one that only reads it the read alone,
// until the end has to move.
func TestAutoSaveWithoutAChange(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	b := a.browser()
	b.set("n", 0)
	a.backend.Counts()
	b.get(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, nil).want(t, 200, "hello")
	a.wantSent()
	read := func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		fmt.Fprint(w, session.Values["n"])
	}
	p := b.get(read, nil)
	p.want(t, 200, "0")
	a.wantSent("GetItem")
	if p.set != nil {
		t.Errorf("the response sets the cookie %v", p.set)
	}
	a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Hour))})
	begin := time.Now()
	p = b.get(read, nil)
	p.want(t, 200, "0")
	a.wantSent("GetItem", "UpdateItem")
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 30*24*time.Hour)
	if p.set == nil {
		t.Error("the response does not set the cookie of the extended session")
	}
}

// A handler that saves by itself pays nothing more. What it changes after that is saved as well,
// before the header.
func TestAutoSaveAroundAHandlerThatSaves(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	b := a.browser()
	for _, test := range []struct {
		name    string
		after   func(*sessions.Session)
		sent    []string
		cookies int
	}{
		{"new", func(*sessions.Session) {}, []string{"PutItem"}, 1},
		{"unchanged after it", func(*sessions.Session) {}, []string{"GetItem", "UpdateItem"}, 0},
		{"changed after it", func(s *sessions.Session) { s.Values["m"] = "x" }, []string{"GetItem", "UpdateItem", "UpdateItem"}, 0},
	} {
		p := b.get(func(w http.ResponseWriter, r *http.Request) {
			session, _ := a.store.Get(r, cookieName)
			session.Values["n"] = test.name
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			test.after(session)
			io.WriteString(w, "hello")
		}, nil)
		p.want(t, 200, "hello")
		a.wantSent(test.sent...)
		if n := len(p.Header["Set-Cookie"]); n != test.cookies {
			t.Errorf("%s: %d cookies, want %d", test.name, n, test.cookies)
		}
		if got := b.values()["n"]; got != test.name {
			t.Errorf("n = %v, want %v", got, test.name)
		}
		a.backend.Counts()
	}
	if got := b.values()["m"]; got != "x" {
		t.Errorf("m = %v, want what was changed after the handler's own Save", got)
	}
}

func TestAutoSaveOfALogout(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	b := a.browser()
	b.set("n", 0)
	p := b.get(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Options.MaxAge = -1
	}, nil)
	p.want(t, 200, "")
	if p.set == nil || p.set.MaxAge >= 0 || b.cookie() != "" {
		t.Errorf("the response sets %v, want an expired cookie", p.set)
	}
	a.wantLive(0)
}

// failures are Saves that fail, and the error that failed finds then.
var failures = []struct {
	name   string
	happen func(a *app, tab *browser) // between Get and Save
	want   error
}{
	{"a conflict", func(_ *app, tab *browser) { tab.set("n", 5) }, dynamostore.ErrConflict},
	{"a logout", func(_ *app, tab *browser) { tab.logout() }, dynamostore.ErrGone},
	{"DynamoDB cannot be reached", func(a *app, _ *browser) {
		a.backend.Inject("UpdateItem", dynamotest.Times(3, dynamotest.Refused)...)
	}, syscall.ECONNREFUSED},
}

// If the Save fails and failed is nil, the response is 503, whatever the handler responds. Without
// the cookie.
func TestAutoSaveThatFails(t *testing.T) {
	t.Parallel()
	const body = "The session could not be saved. Please try again.\n"
	for _, protocol := range protocols {
		for _, failure := range failures {
			for _, test := range responses {
				t.Run(protocol.name+", "+failure.name+", "+test.name, func(t *testing.T) {
					a := newServedApp(t, protocol.major, func(c *dynamostore.Config) { c.Concurrency, c.TouchInterval = dynamostore.Refuse, -1 })
					b := a.browser()
					b.set("n", 0)
					tab := b.tab()
					p := b.get(func(w http.ResponseWriter, r *http.Request) {
						session, _ := a.store.Get(r, cookieName)
						failure.happen(a, tab)
						session.Values["n"] = 1
						if test.name != "a panic after the body" {
							test.respond(t, w, r)
							return
						}
						if n, err := io.WriteString(w, "hello"); n != 5 || err != nil {
							t.Errorf("Write of what is discarded = %d, %v, want 5, nil", n, err)
						}
					}, nil)
					p.want(t, http.StatusServiceUnavailable, body)
					if p.set != nil {
						t.Errorf("the response sets the cookie %v", p.set)
					}
					if got := p.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
						t.Errorf("Content-Type = %q", got)
					}
					if got := b.values()["n"]; got == 1 {
						t.Error("the session is stored")
					}
				})
			}
		}
	}
	t.Run("Hijack", func(t *testing.T) {
		a := newServedApp(t, 1)
		b := a.browser()
		b.set("n", 0)
		tab := b.tab()
		p := b.get(func(w http.ResponseWriter, r *http.Request) {
			session, _ := a.store.Get(r, cookieName)
			tab.logout()
			session.Values["n"] = 1
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
				t.Error("Hijack after a failed Save: no error")
			}
		}, nil)
		p.want(t, http.StatusServiceUnavailable, body)
	})
	t.Run("HEAD", func(t *testing.T) {
		a := newServedApp(t, 1)
		b := a.browser()
		a.backend.Inject("PutItem", dynamotest.Denied)
		p := b.send(http.MethodHead, dynamostore.AutoSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := a.store.Get(r, cookieName)
			session.Values["n"] = 1
		}), nil))
		p.want(t, http.StatusServiceUnavailable, "")
	})
}

// failed is called once, with an error in which errors.Is finds the Store's, and what it writes
// replaces the response. If it writes nothing, the response is the handler's.
func TestAutoSaveCallsFailed(t *testing.T) {
	t.Parallel()
	for _, failure := range failures {
		for _, respond := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, failed responds: %v", failure.name, respond), func(t *testing.T) {
				a := newServedApp(t, 1, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Refuse })
				b := a.browser()
				b.set("n", 0)
				tab := b.tab()
				var errs []error
				p := b.get(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					failure.happen(a, tab)
					session.Values["n"] = 1
					w.Header().Set("X-Page", "1")
					w.WriteHeader(http.StatusCreated)
					for range 3 {
						io.WriteString(w, "hello")
					}
				}, func(w http.ResponseWriter, r *http.Request, err error) {
					errs = append(errs, err)
					if r.URL.Query().Get("handler") == "" {
						t.Errorf("failed got a request of %v, want the handler's", r.URL)
					}
					if respond {
						w.Header().Set("X-Failed", "1")
						w.WriteHeader(http.StatusConflict)
						io.WriteString(w, "please ")
						io.WriteString(w, "try again")
					}
				})
				if len(errs) != 1 || !errors.Is(errs[0], failure.want) || strings.Contains(errs[0].Error(), tab.cookie()) && tab.cookie() != "" {
					t.Errorf("failed was told %v, want once, %v", errs, failure.want)
				}
				if respond {
					p.want(t, http.StatusConflict, "please try again")
				} else {
					p.want(t, http.StatusCreated, "hellohellohello")
				}
				if (p.Header.Get("X-Failed") == "1") != respond || p.set != nil {
					t.Errorf("the header is %v", p.Header)
				}
			})
		}
	}
}

// A handler that goes on after its session could not be read, or was given a new ID, as a page does
// that has something to show without it, is left alone. If it stored something in the session, that
// is an error.
func TestAutoSaveOfASessionThatMustNotBeSaved(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		visitor func(t *testing.T, a *app) *browser // of such a session
		want    error
	}{
		{"unreadable", func(t *testing.T, a *app) *browser {
			b := a.browser()
			b.set("n", 0)
			a.backend.Inject("GetItem", dynamotest.Denied)
			return b
		}, dynamostore.ErrNotLoaded},
		{"rotated", func(t *testing.T, a *app) *browser {
			b := a.browser()
			b.set("n", 0)
			if _, err := b.tab().login(); err != nil {
				t.Fatal(err)
			}
			return b
		}, dynamostore.ErrGone},
	} {
		for _, stores := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, the handler stores something: %v", test.name, stores), func(t *testing.T) {
				a := newServedApp(t, 1)
				b := test.visitor(t, a)
				a.backend.Counts()
				var failed error
				p := b.get(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					if stores {
						session.Values["n"] = 1
					}
					io.WriteString(w, "hello")
				}, func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err })
				p.want(t, 200, "hello")
				if want := map[bool]error{true: test.want}[stores]; !errors.Is(failed, want) {
					t.Errorf("failed was told %v, want %v", failed, want)
				}
				if p.set != nil {
					t.Errorf("the response sets the cookie %v", p.set)
				}
				a.wantSent("GetItem")
			})
		}
	}
}

// Sessions of other stores, and all sessions of one Store, are saved. One that fails does not keep
// the others from it, and failed is told.
func TestAutoSaveOfSeveralSessions(t *testing.T) {
	t.Parallel()
	cookies := sessions.NewCookieStore(keyB)
	for _, test := range []struct {
		name   string
		change func(other, own, second *sessions.Session)
		says   []string // that failed is told
		is     error
	}{
		{"all saved", func(other, own, second *sessions.Session) {}, nil, nil},
		{"the other store fails", func(other, _, _ *sessions.Session) { other.Values["large"] = strings.Repeat("x", 5000) }, []string{"the value is too long"}, nil},
		{"one of this Store fails", func(_, own, _ *sessions.Session) { own.Values["f"] = func() {} }, []string{`"f"`}, nil},
		{"both of this Store fail", func(_, own, second *sessions.Session) {
			own.Values["f"] = func() {}
			second.Values["large"] = strings.Repeat("x", 2<<20)
		}, []string{`"f"`, "too large"}, dynamostore.ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newServedApp(t, 1)
			b := a.browser()
			var failed []error
			p := b.get(func(w http.ResponseWriter, r *http.Request) {
				other, _ := cookies.Get(r, "other")
				own, _ := a.store.Get(r, cookieName)
				second, _ := a.store.Get(r, "second")
				for _, s := range []*sessions.Session{other, own, second} {
					s.Values["n"] = s.Name()
				}
				test.change(other, own, second)
				io.WriteString(w, "hello")
			}, func(_ http.ResponseWriter, _ *http.Request, err error) { failed = append(failed, err) })
			p.want(t, 200, "hello")
			if (len(failed) == 1) != (test.says != nil) {
				t.Fatalf("failed was told %v", failed)
			}
			for _, want := range test.says {
				if !strings.Contains(failed[0].Error(), want) {
					t.Errorf("failed was told %q, want that to say %q", failed[0], want)
				}
			}
			if test.is != nil && !errors.Is(failed[0], test.is) {
				t.Errorf("failed was told %v, want %v", failed[0], test.is)
			}
			b.visit(func(_ http.ResponseWriter, r *http.Request) {
				saved := 0
				for name, store := range map[string]sessions.Store{"other": cookies, cookieName: a.store, "second": a.store} {
					session, err := store.Get(r, name)
					if err != nil {
						t.Errorf("Get of %q: %v", name, err)
					}
					if session.Values["n"] == name {
						saved++
					}
				}
				if want := 3 - len(test.says); saved != want {
					t.Errorf("%d sessions are saved, want %d", saved, want)
				}
			})
		})
	}
}

// Handlers and middleware that go on with other requests share the session, and one AutoSave within
// another is harmless.
func TestAutoSaveOfADerivedRequest(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	b := a.browser()
	type contextKey struct{}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r.WithContext(context.WithValue(r.Context(), contextKey{}, 1)), cookieName)
		session.Values["n"] = 1
		io.WriteString(w, "hello")
	})
	mux := http.NewServeMux()
	mux.Handle("/", dynamostore.AutoSave(inner, nil))
	p := b.get(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.Clone(context.WithValue(r.Context(), contextKey{}, 2)))
	}, nil)
	p.want(t, 200, "hello")
	a.wantSent("PutItem")
	if n := len(p.Header["Set-Cookie"]); n != 1 {
		t.Errorf("%d cookies, want 1", n)
	}
	if got := b.values()["n"]; got != 1 {
		t.Errorf("n = %v, want 1", got)
	}
}

// Visitors without cookies cost nothing with SkipEmpty.
func TestAutoSaveWithSkipEmpty(t *testing.T) {
	t.Parallel()
	a := newSkippingApp(t)
	p := a.browser().get(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		fmt.Fprint(w, session.IsNew)
	}, nil)
	p.want(t, 200, "true")
	a.wantSent()
	if p.set != nil {
		t.Errorf("the response sets the cookie %v", p.set)
	}
}

// Under Lock, the lock is released when the header goes out, and so does not last for as long as
// the body takes.
func TestAutoSaveReleasesTheLock(t *testing.T) {
	t.Parallel()
	for _, change := range []bool{false, true} {
		t.Run(fmt.Sprint("changed: ", change), func(t *testing.T) {
			a := newLockingApp(t)
			b := a.browser()
			b.set("n", 0)
			p := b.get(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				if change {
					session.Values["n"] = 1
				}
				if !a.holdsLock() {
					t.Error("the session is not locked before the response")
				}
				io.WriteString(w, "hel")
				if a.holdsLock() {
					t.Error("the session is locked amid the response")
				}
				io.WriteString(w, "lo")
			}, nil)
			p.want(t, 200, "hello")
		})
	}
}

// What is written after the handler returned is refused, by whatever method.
func TestAutoSaveRefusesWhatIsLate(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	b := a.browser()
	var late http.ResponseWriter
	var session *sessions.Session
	p := b.get(func(w http.ResponseWriter, r *http.Request) {
		late = w
		session, _ = a.store.Get(r, cookieName)
		session.Values["n"] = 1
		io.WriteString(w, "hello")
	}, nil)
	p.want(t, 200, "hello")
	a.backend.Counts()
	session.Values["n"] = 2
	if n, err := late.Write([]byte("late")); n != 0 || err == nil {
		t.Errorf("Write = %d, %v, want 0 and an error", n, err)
	}
	if n, err := late.(io.ReaderFrom).ReadFrom(strings.NewReader("late")); n != 0 || err == nil {
		t.Errorf("ReadFrom = %d, %v, want 0 and an error", n, err)
	}
	if err := http.NewResponseController(late).Flush(); err == nil {
		t.Error("Flush: no error")
	}
	if _, _, err := http.NewResponseController(late).Hijack(); err == nil {
		t.Error("Hijack: no error")
	}
	late.WriteHeader(500)
	late.(http.Flusher).Flush()
	a.wantSent()
	if got := b.values()["n"]; got != 1 {
		t.Errorf("n = %v, want 1", got)
	}
}

// overContext is a context whose deadline passes when over is closed.
type overContext struct {
	context.Context
	over chan struct{}
}

func (c overContext) Done() <-chan struct{} { return c.over }
func (c overContext) Err() error {
	select {
	case <-c.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// A handler whose own Save fails may save again, as without AutoSave, and is told the truth.
func TestAutoSaveAndASecondSaveOfTheHandler(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	b := a.browser()
	b.set("n", 0)
	b.get(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["n"] = 1
		a.backend.Inject("UpdateItem", dynamotest.Times(3, dynamotest.Refused)...)
		if err := session.Save(r, w); err == nil {
			t.Error("first Save: no error")
		}
		if err := session.Save(r, w); err != nil {
			t.Errorf("second Save: %v", err)
		}
	}, func(http.ResponseWriter, *http.Request, error) {})
	if got := b.values()["n"]; got != 1 {
		t.Errorf("a Save returned nil, and n = %v, want 1", got)
	}
}

// A handler's own Save of a session that could not be read fails as without AutoSave.
func TestAutoSaveAndASaveOfAnUnreadableSession(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	b := a.browser()
	b.set("n", 0)
	a.backend.Inject("GetItem", dynamotest.Denied)
	b.get(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		wantError(t, session.Save(r, w), dynamostore.ErrNotLoaded)
	}, nil)
}

// A handler that responds to the error of its own Save knows of it, so its response stays, and
// failed is not called.
func TestAutoSaveAndAHandlerThatRespondsToItsOwnError(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Refuse })
	b := a.browser()
	b.set("n", 0)
	tab := b.tab()
	p := b.get(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		tab.set("n", 5)
		session.Values["n"] = 1
		if err := session.Save(r, w); errors.Is(err, dynamostore.ErrConflict) {
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, "please look again")
		}
	}, nil)
	p.want(t, http.StatusConflict, "please look again")
}

// What the handler said of a body that is discarded must not be said of the one that replaces it:
// its length has the client wait for more, its encoding makes the text unreadable, and its
// Cache-Control has the error cached.
func TestAutoSaveDiscardsTheHeaderOfTheBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		failed func(http.ResponseWriter, *http.Request, error)
		status int
		body   string
	}{
		{"failed is nil", nil, 503, "The session could not be saved. Please try again.\n"},
		{"failed responds", func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(409)
			io.WriteString(w, "try again")
		}, 409, "try again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newServedApp(t, 1)
			a.backend.Inject("PutItem", dynamotest.Denied)
			p := a.browser().get(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Values["n"] = 1
				for name, value := range map[string]string{
					"Content-Length": "1000", "Content-Encoding": "br", "Cache-Control": "public, max-age=31536000", "ETag": `"page"`,
				} {
					w.Header().Set(name, value)
				}
				w.Write(make([]byte, 1000))
			}, test.failed)
			p.want(t, test.status, test.body)
			for _, name := range []string{"Content-Encoding", "Cache-Control", "ETag"} {
				if got := p.Header.Get(name); got != "" {
					t.Errorf("%s = %q, want none", name, got)
				}
			}
		})
	}
}

// http.TimeoutHandler belongs around AutoSave: what it replaces then sets no cookie. Within
// AutoSave, its response is one like any other, so what the handler changed until then is saved.
func TestAutoSaveAndTimeoutHandler(t *testing.T) {
	t.Parallel()
	for _, around := range []bool{true, false} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("around it: %v, too late: %v", around, late), func(t *testing.T) {
				a := newServedApp(t, 1)
				b := a.browser()
				over, responded, finished := make(chan struct{}), make(chan struct{}), make(chan struct{})
				handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					session.Values["n"] = 1
					if !around || !late {
						io.WriteString(w, "hello")
					}
					if late {
						close(over)
						<-responded
						_, err := io.WriteString(w, "late")
						if !errors.Is(err, http.ErrHandlerTimeout) {
							t.Errorf("Write after the timeout: %v, want ErrHandlerTimeout", err)
						}
					}
				})
				finishing := func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer close(finished)
						h.ServeHTTP(w, r)
					})
				}
				var all http.Handler
				if around {
					all = http.TimeoutHandler(finishing(dynamostore.AutoSave(handler, nil)), time.Minute, "too slow")
				} else {
					all = dynamostore.AutoSave(http.TimeoutHandler(finishing(handler), time.Minute, "too slow"), nil)
				}
				p := b.send(http.MethodGet, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					all.ServeHTTP(w, r.WithContext(overContext{r.Context(), over}))
				}))
				close(responded)
				<-finished
				a.wantSent("PutItem")
				if late {
					p.want(t, http.StatusServiceUnavailable, "too slow")
				} else {
					p.want(t, 200, "hello")
				}
				if (p.set != nil) != (!around || !late) {
					t.Errorf("the response sets the cookie %v", p.set)
				}
				if got := b.values()["n"]; (got == 1) != (p.set != nil) {
					t.Errorf("the browser's session holds n = %v", got)
				}
			})
		}
	}
}

// After the handler has returned, a 1xx response is not sent: it could get into the next response of the
// connection.
func TestAutoSaveSendsNoLateInformation(t *testing.T) {
	t.Parallel()
	a := newServedApp(t, 1)
	var late http.ResponseWriter
	passed := false
	a.browser().visit(func(w http.ResponseWriter, r *http.Request) {
		spy := &headerSpy{ResponseWriter: w}
		dynamostore.AutoSave(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { late = w }), nil).ServeHTTP(spy, r)
		late.WriteHeader(http.StatusEarlyHints)
		passed = spy.called
	})
	if passed {
		t.Error("a response 103 was sent after the handler had returned")
	}
}

// headerSpy is a ResponseWriter that notes whether WriteHeader was called.
type headerSpy struct {
	http.ResponseWriter
	called bool
}

func (s *headerSpy) WriteHeader(int) { s.called = true }
