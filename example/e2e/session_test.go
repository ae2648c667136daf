package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
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
	if c := one.cookie(); c != nil {
		t.Errorf("a visitor who stores nothing has the cookie %+v, want none", c)
	}
	one.submit("#add-Tea")
	check("cart", true)
	one.login("Ann", false)
	check("log in", false)
	one.open("/")
	check("next page", false)
	one.submit("#logout")
	one.login("Ann", true)
	check("log in to be remembered", true)
}

func TestLoginChangesTheCookie(t *testing.T) {
	one := newProfile(t)
	one.open("/")
	one.submit("#add-Tea")
	old := one.cookie().Value
	one.login("Ann", false)
	one.wantText("#cart", "1 × Tea")
	if one.cookie().Value == old {
		t.Errorf("the cookie is the same after the login")
	}

	thief := newProfile(t)
	thief.setCookie(old)
	thief.open("/")
	thief.wantText("main", "The session that this browser had has ended")
	if got := thief.cookie().Value; got != old {
		t.Errorf("the browser with the old cookie was given another")
	}
	one.open("/")
	one.wantText("#hello", "Hello, Ann")
}

// setCookie gives the browser a cookie of the demo.
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
	two.wantText("#hello", "Hello, Ann")
	one.submit("#add-Tea")
	two.submit("#add-Honey")
	two.wantText("#cart", "1 × Tea")
	// The first tab shows the change without being loaded again, and what was open there stays open.
	one.do("open the other attributes", chromedp.Focus(chromedp.CSS("summary")), chromedp.KeyEvent(kb.Enter))
	one.until(`document.querySelector("#live").textContent.includes("Honey")`)
	one.until(`document.querySelector("details").open && document.activeElement.localName === "summary"`)

	// And the logout. The page of the ended session is greyed out.
	two.submit("#logout")
	two.wantLoggedOut()
	one.until(`!document.getElementById("ended").hidden`)
	one.wantText("#ended", "ended in another window")
	if text := one.text("body"); strings.Contains(text, "You are logged in") {
		t.Errorf("the page of an ended session says %q", text)
	}
	if n := eval[int](one, `Array.from(document.querySelectorAll("form")).filter((e) => !e.closest("[inert]")).length`); n != 0 {
		t.Errorf("the page of an ended session has %d forms to send, want none", n)
	}
	one.submit("#ended a")
	one.wantLoggedOut()
}

// A page is also greyed out if its browser has another session by now.
func TestLoginInAnotherTab(t *testing.T) {
	one := newProfile(t)
	one.login("Ann", false)
	two := one.another()
	two.open("/")
	two.submit("#logout")
	two.login("Bob", false)
	one.until(`!document.getElementById("ended").hidden`)
	two.wantText("#hello", "Hello, Bob")
	if hidden := eval[bool](two, `document.getElementById("ended").hidden`); !hidden {
		t.Errorf("the page of the new session is greyed out")
	}
}

func TestDevices(t *testing.T) {
	laptop, phone, tablet, bob := newProfile(t), newProfile(t), newProfile(t), newProfile(t)
	for _, one := range []*tab{laptop, phone, tablet} {
		one.login("Zoë", true)
	}
	bob.login("Bob", true)
	laptop.open("/")
	laptop.wantText("#sessions", "Chrome on Linux, this browser")
	laptop.wantText("#sessions", "Chrome on Linux, used in the last 5 minutes")
	if n := eval[int](laptop, `document.querySelectorAll("form[action='/sessions/end']").length`); n != 2 {
		t.Fatalf("the page lists %d other devices, want 2", n)
	}

	laptop.submit("form[action='/sessions/end'] button")
	laptop.wantText("#sessions .note", "Chrome on Linux is logged out.")
	out := 0
	for _, one := range []*tab{phone, tablet} {
		one.open("/")
		if one.text("#hello") == "Log in" {
			one.wantText(".note", "has ended")
			out++
		}
	}
	if out != 1 {
		t.Errorf("%d of the other browsers are logged out, want 1", out)
	}

	laptop.submit("#end-others")
	laptop.wantText("#sessions .note", "1 other device is logged out.")
	laptop.wantText("#hello", "Hello, Zoë")
	for _, one := range []*tab{phone, tablet} {
		one.open("/")
		one.wantLoggedOut()
	}
	phone.login("Zoë", false)
	phone.submit("#end-all")
	phone.wantLoggedOut()
	laptop.open("/")
	laptop.wantLoggedOut()
	bob.open("/")
	bob.wantText("#hello", "Hello, Bob")
}

// After a logout, the browser's pages from before show nothing, with the script and without.
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
			one.wantText("#hello", "Hello, Ann")
			one.submit("#logout")
			one.wantLoggedOut()
			one.back("/?from=elsewhere")
			one.wantLoggedOut()
			one.back("/icon.svg")
			one.back("/")
			one.wantLoggedOut()

			// The same if the logout was in another tab.
			one.login("Ann", false)
			one.open("/icon.svg")
			two := one.another()
			two.open("/")
			two.submit("#logout")
			one.back("/")
			one.wantLoggedOut()
		})
	}
}

// back goes back to a page, which the browser may request again, or not.
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
