package history

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"
)

// browser is a visitor's browser, with one cookie jar for all its tabs.
type browser struct {
	world  *world
	number int
	jar    http.CookieJar

	mu sync.Mutex
	// setBy is the request whose response brought the cookie that the jar has, nil for none.
	setBy *visit
	// heard are the requests whose responses arrived, in that order.
	heard []*visit
}

var siteURL = &url.URL{Scheme: "https", Host: "app.example", Path: "/"}

func newBrowser(w *world, number int) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // only options cause one, and there are none
	}
	return &browser{world: w, number: number, jar: jar}
}

// send sends a step's request, twice at once if so planned, and again if the response is lost. It
// returns when nothing more can arrive.
func (b *browser) send(ctx context.Context, s *step) {
	copies := 1
	if s.double {
		copies = 2
	}
	var clicks sync.WaitGroup
	for i := range copies {
		clicks.Go(func() {
			b.world.sleep(time.Duration(i) * 100 * time.Microsecond)
			for try := 0; ; try++ {
				if b.request(ctx, s, i+copies*try) || try >= s.repeats {
					return
				}
				b.world.sleep(50 * time.Millisecond)
			}
		})
	}
	clicks.Wait()
}

// request sends a request to an instance and waits for the response. It reports whether that
// arrived.
func (b *browser) request(ctx context.Context, s *step, copy int) (arrived bool) {
	w := b.world
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	v := newVisit(w, s, copy)
	v.browser = b
	v.ctx = context.WithValue(ctx, visitKey{}, v)
	if s.deadline > 0 {
		v.deadline = time.Now().Add(w.scaled(s.deadline))
		var cancel context.CancelFunc
		v.ctx, cancel = context.WithDeadline(v.ctx, v.deadline)
		defer cancel()
	}
	v.r = httptest.NewRequestWithContext(v.ctx, http.MethodPost, siteURL.String(), nil)
	for _, c := range b.jar.Cookies(siteURL) {
		v.r.AddCookie(c)
	}
	v.w = httptest.NewRecorder()
	if s.leaves > 0 {
		defer time.AfterFunc(w.scaled(s.leaves), func() { v.cancelled(); leave() }).Stop()
	}
	done := make(chan bool, 1)
	w.requests.Go(func() { done <- v.serve() })
	var answered bool
	select {
	case answered = <-done:
	case <-v.instance.down:
	case <-ctx.Done():
	}
	leave() // net/http ends a request's context with its handler
	if !answered || s.lost && copy == 0 {
		w.journal.add("%s gets no response", v)
		return false
	}
	w.sleep(s.slow)
	b.receive(v)
	return true
}

// receive applies a response to the jar.
func (b *browser) receive(v *visit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, v)
	cookies := v.w.Result().Cookies()
	if len(cookies) == 0 {
		b.world.journal.add("%s gets its response, without a cookie", v)
		return
	}
	b.jar.SetCookies(siteURL, cookies)
	b.setBy = v
	b.world.journal.add("%s gets its response, and the jar has %s", v, b.world.facts.describeCookie(b.cookie()))
}

// cookie returns the value of the session's cookie in the jar, "" for none.
func (b *browser) cookie() string {
	for _, c := range b.jar.Cookies(siteURL) {
		if c.Name == sessionName {
			return c.Value
		}
	}
	return ""
}

// heardOf reports whether the response of v arrived, and whether the jar's cookie came with a later
// one.
func (b *browser) heardOf(v *visit) (arrived, displaced bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.heard {
		if h == v {
			arrived = true
		} else if arrived && h == b.setBy {
			displaced = true
		}
	}
	return arrived, displaced
}

// visitKey is the key of a *visit in the context of its request.
type visitKey struct{}
