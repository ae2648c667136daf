package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a tab waits for anything.
const patience = 30 * time.Second

// tab is a tab of the browser. An error of a script, and what the Content-Security-Policy blocks,
// fail the test.
type tab struct {
	*testing.T
	ctx       context.Context
	noScripts bool
}

// newProfile returns a tab in a profile of its own: another browser, as the demo sees it.
func newProfile(t *testing.T) *tab {
	t.Helper()
	return newTab(t, browser, chromedp.WithNewBrowserContext())
}

// another returns a further tab in the same profile.
func (t *tab) another() *tab {
	t.Helper()
	return newTab(t.T, t.ctx)
}

func newTab(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	problems := make(chan string, 100)
	err := chromedp.Listen(ctx, func(event any) {
		problem := ""
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			problem = event.ExceptionDetails.Text
		case *log.EventEntryAdded:
			// Those of the network are statuses such as 503, which the tests look at themselves.
			if event.Entry.Level == log.EntryLevelError && event.Entry.Source != log.EntrySourceNetwork {
				problem = event.Entry.Text
			}
		}
		if problem != "" {
			select {
			case problems <- problem:
			default:
			}
		}
	})
	if err != nil {
		t.Fatalf("listen to a tab: %v", err)
	}
	t.Cleanup(func() {
		for {
			select {
			case problem := <-problems:
				t.Errorf("the page has a problem: %s", problem)
			default:
				return
			}
		}
	})
	return &tab{T: t, ctx: ctx}
}

// get runs an action and returns its value.
func get[T any](t *tab, what string, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return value
}

// eval returns the value of a script's expression.
func eval[T any](t *tab, expression string) T {
	t.Helper()
	return get(t, expression, chromedp.Evaluate[T](expression))
}

// leads runs the actions, which lead to another page, and returns its status.
func (t *tab) leads(what string, actions ...chromedp.Action[chromedp.Void]) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, actions...)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.settle()
	return int(response.Status)
}

// settle waits until the page's script has scrolled to where the visitor was.
func (t *tab) settle() {
	t.Helper()
	if !t.noScripts {
		get(t, "wait for a frame", chromedp.Evaluate[bool](`new Promise((resolve) => {
			const frames = () => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)));
			document.readyState === "complete" ? frames() : addEventListener("load", frames);
		})`, chromedp.EvalAwaitPromise))
	}
}

func (t *tab) open(path string) int {
	t.Helper()
	return t.leads("open "+path, chromedp.Navigate(site+path))
}

func (t *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	get(t, what, chromedp.Steps(actions...))
}

// submit clicks a button that leads to another page.
func (t *tab) submit(button chromedp.CSS) {
	t.Helper()
	t.submitFor(button, 200)
}

// submitFor is submit where the other page has another status.
func (t *tab) submitFor(button chromedp.CSS, status int) {
	t.Helper()
	if got := t.leads("click "+string(button), chromedp.Click(button)); got != status {
		t.Fatalf("the click on %s leads to a page with the status %d, want %d", button, got, status)
	}
}

func (t *tab) login(name string, remember bool) {
	t.Helper()
	t.open("/")
	t.do("enter the name", chromedp.SetValue(chromedp.CSS("#name"), name))
	if remember {
		t.do("ask to be remembered", chromedp.Click(chromedp.CSS("input[name=remember]")))
	}
	t.submit("#login")
	t.wantText("#hello", "Hello, "+name)
}

func (t *tab) text(selector string) string {
	t.Helper()
	return get(t, "read "+selector, chromedp.Text(chromedp.CSS(selector)))
}

// wantText asserts that an element contains a text.
func (t *tab) wantText(selector, text string) {
	t.Helper()
	if got := t.text(selector); !strings.Contains(got, text) {
		t.Fatalf("%s is %q, want %q in it", selector, got, text)
	}
}

// until waits for an expression to be true, on this page or one that takes its place.
func (t *tab) until(expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// There is an error while another page is loading.
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("after %v, not yet: %s; the page is %q", patience, expression, t.text("body"))
		}
	}
}

// wantLoggedOut asserts that the page is that of a visitor who is not logged in.
func (t *tab) wantLoggedOut() {
	t.Helper()
	if n := eval[int](t, `document.querySelectorAll("#user").length`); n != 0 || t.text("#hello") != "Log in" {
		t.Fatalf("the page is %q, want one on which nobody is logged in", t.text("body"))
	}
}

// cookie returns the demo's cookie as the browser has it, nil if it has none.
func (t *tab) cookie() *network.Cookie {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{site}})
	if err != nil {
		t.Fatalf("read the cookies: %v", err)
	}
	switch len(result.Cookies) {
	case 0:
		return nil
	case 1:
		return result.Cookies[0]
	}
	t.Fatalf("the browser has %d cookies of the demo, want one", len(result.Cookies))
	return nil
}
