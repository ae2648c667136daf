package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

func TestCookieAsTheBrowserHasIt(t *testing.T) {
	const month = 30 * 24 * time.Hour
	one := newProfile(t)
	check := func(when string, expires bool) {
		t.Helper()
		c := one.cookie()
		if c == nil {
			t.Fatalf("%s: the browser has no cookie", when)
		}
		if !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax || c.Path != "/" || c.Secure || c.Session == expires {
			t.Errorf("%s: the cookie is %+v, want it HttpOnly, SameSite=Lax, for /, not Secure on plain HTTP, with an expiry: %t", when, c, expires)
		}
		if left := time.Until(time.Unix(int64(c.Expires), 0)); expires && (left < month-time.Hour || left > month+time.Hour) {
			t.Errorf("%s: the cookie lives for %v, want 30 days", when, left)
		}
		if seen := eval[string](one, "document.cookie"); seen != "" {
			t.Errorf("%s: scripts see the cookie %q", when, seen)
		}
	}
	one.open("/")
	check("first visit", true)
	one.login("Ann", false)
	check("log in", false)
	one.holds("main", "until you close the browser")
	one.open("/")
	check("next visit", false)
	one.submit("form[action='/logout'] button")
	one.login("Ann", true)
	check("log in to be remembered", true)
	one.holds("main", "for 30 days")
}

func TestLoginAndRegenerateChangeTheCookie(t *testing.T) {
	one := newProfile(t)
	one.open("/")
	one.submit("[aria-label='Add Tea']")
	visitor := one.cookie().Value
	one.login("Ann", false)
	one.holds("#cart", "1 × Tea")
	login := one.cookie().Value
	one.submit("form[action='/regenerate'] button")
	one.holds(".flash", "The session has a new ID.")
	one.holds("h1", "Hello, Ann")
	one.holds("#cart", "1 × Tea")
	rotated := one.cookie().Value
	if visitor == login || login == rotated {
		t.Errorf("the cookie stayed the same: visitor %t, login %t", visitor == login, login == rotated)
	}

	for what, value := range map[string]string{"the visitor's": visitor, "the login's": login} {
		thief := newProfile(t)
		thief.setCookie(value)
		if status := thief.open("/"); status != 409 {
			t.Errorf("with %s old cookie, the page has the status %d, want 409", what, status)
		}
		thief.holds("main", "Your session was ended meanwhile")
		if got := thief.cookie().Value; got != value {
			t.Errorf("with %s old cookie, the browser was given another", what)
		}
	}
	one.open("/")
	one.holds("h1", "Hello, Ann")
}

// setCookie has the browser hold a cookie of the demo that it was not given.
func (t *tab) setCookie(value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: "demo", Value: value, URL: site}); err != nil {
		t.Fatalf("set a cookie: %v", err)
	}
}

func TestTwoTabs(t *testing.T) {
	one := newProfile(t)
	one.login("Ann", false)
	two := one.another()
	two.open("/")
	two.holds("h1", "Hello, Ann")
	one.submit("[aria-label='Add Tea']")
	two.submit("[aria-label='Add Honey']")
	one.open("/")
	for _, text := range []string{"1 × Tea", "1 × Honey"} {
		one.holds("#cart", text)
		two.holds("#cart", text)
	}
	one.submit("[aria-label='Remove one Tea']")
	one.holds("#cart-count", "1")

	one.submit("form[action='/logout'] button")
	one.isOut()
	// The other tab sees it without a reload, and with one.
	two.until(`!document.querySelector("#live").textContent.includes("Ann")`)
	two.open("/")
	two.isOut()
}

func TestItemIsSeenToChange(t *testing.T) {
	one := newProfile(t)
	one.login("Ann", false)
	two := one.another()
	two.open("/")
	two.submit("[aria-label='Add Bread']")
	one.until(`document.querySelector("#live").textContent.includes("Bread")`)
	one.until(`document.querySelector("#live").textContent.includes("POST /cart/add")`)
}

func TestSignOutEverywhere(t *testing.T) {
	laptop, phone, tablet, bob := newProfile(t), newProfile(t), newProfile(t), newProfile(t)
	for _, one := range []*tab{laptop, phone, tablet} {
		one.login("Zoë", true)
	}
	bob.login("Bob", true)
	laptop.open("/")
	if n := eval[int](laptop, `document.querySelectorAll("form[action='/sessions/end']").length`); n != 2 {
		t.Fatalf("the page lists %d other sessions, want 2", n)
	}

	laptop.submit("form[action='/sessions/end'] button")
	laptop.holds(".flash", "That session was ended.")
	out := 0
	for _, one := range []*tab{phone, tablet} {
		one.open("/")
		if one.text("h1") == "Hello" {
			one.holds(".flash", "has ended")
			out++
		}
	}
	if out != 1 {
		t.Errorf("%d of the other browsers are signed out, want 1", out)
	}

	laptop.submit("form[action='/sessions/end-others'] button")
	laptop.holds(".flash", "You are signed out of 1 other session.")
	laptop.holds("h1", "Hello, Zoë")
	for _, one := range []*tab{phone, tablet} {
		one.open("/")
		one.isOut()
	}
	phone.login("Zoë", false)
	phone.submit("form[action='/sessions/end-all'] button")
	phone.isOut()
	laptop.open("/")
	laptop.isOut()
	bob.open("/")
	bob.holds("h1", "Hello, Bob")
}

// After a logout, what the browser has of the pages before shows nothing, with the script and without.
func TestBackAfterLogout(t *testing.T) {
	for name, script := range map[string]bool{"with JavaScript": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			one := newProfile(t)
			if !script {
				one.disableScripts()
			}
			one.login("Ann", false)
			one.open("/icon.svg")
			one.open("/?from=elsewhere")
			one.holds("h1", "Hello, Ann")
			one.submit("form[action='/logout'] button")
			one.isOut()
			one.back("/?from=elsewhere")
			one.isOut()
			one.back("/icon.svg")
			one.back("/")
			one.isOut()

			// And where the logout was in another tab.
			one.login("Ann", false)
			one.open("/icon.svg")
			two := one.another()
			two.open("/")
			two.submit("form[action='/logout'] button")
			one.back("/")
			one.isOut()
		})
	}
}

// back goes back to a page, which the browser may ask for again, or not.
func (t *tab) back(path string) {
	t.Helper()
	history := get(t, "read the history", chromedp.NavigationEntries())
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	_, err := chromedp.Call(ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{
		EntryID: history.Entries[history.CurrentIndex-1].ID,
	})
	if err != nil {
		t.Fatalf("go back: %v", err)
	}
	t.until(fmt.Sprintf("location.href === %q && document.readyState === 'complete'", site+path))
}
