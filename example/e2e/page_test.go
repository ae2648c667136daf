package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestWithoutJavaScript(t *testing.T) {
	page := newProfile(t)
	page.disableScripts()
	page.login("Ann", true)
	page.submit("[aria-label='Add Tea']")
	page.submit("[aria-label='Add Tea']")
	page.holds("#cart", "2 × Tea")
	page.submit("[aria-label='Remove one Tea']")
	page.holds("#cart", "1 × Tea")
	page.submit("form[action='/regenerate'] button")
	page.holds(".flash", "The session has a new ID.")
	page.holds("#live", `"user":"Ann"`)
	page.holds("#live", "POST /regenerate")
	phone := newProfile(t)
	phone.login("Ann", true)
	page.open("/")
	page.submit("form[action='/sessions/end-others'] button")
	phone.open("/")
	phone.isOut()
	page.submit("form[action='/logout'] button")
	page.isOut()
}

// disableScripts turns the scripts of the tab's pages off.
func (t *tab) disableScripts() {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatalf("disable scripts: %v", err)
	}
}

func TestLoginByKeyboard(t *testing.T) {
	page := newProfile(t)
	page.open("/")
	tabTo := func(what, expression string) {
		t.Helper()
		page.do("press Tab", chromedp.KeyEvent(kb.Tab))
		if !eval[bool](page, expression) {
			t.Fatalf("Tab leads to %s, want %s", eval[string](page, "document.activeElement.outerHTML"), what)
		}
		if style := eval[string](page, "getComputedStyle(document.activeElement).outlineStyle"); style != "solid" {
			t.Errorf("%s has the outline %q when the keyboard is there, want one that is seen", what, style)
		}
	}
	tabTo("the name", `document.activeElement.id === "name"`)
	page.do("type", chromedp.KeyEvent("Ann"))
	tabTo("the check box", `document.activeElement.name === "remember"`)
	page.do("check", chromedp.KeyEvent(" "))
	tabTo("the button", `document.activeElement.textContent === "Log in"`)
	if status := page.leads("press Enter", chromedp.KeyEvent(kb.Enter)); status != 200 {
		t.Fatalf("Enter leads to a page with the status %d", status)
	}
	page.holds("h1", "Hello, Ann")
	page.holds("main", "for 30 days")
}

// Every control has a name, and every element with text is readable.
func TestAccessible(t *testing.T) {
	page := newProfile(t)
	for _, who := range []string{"visitor", "Ann"} {
		if who == "visitor" {
			page.open("/")
		} else {
			page.login(who, false)
			page.submit("[aria-label='Add Tea']")
			page.try("together")
		}
		if bad := eval[[]string](page, unnamed); len(bad) != 0 {
			t.Errorf("as %s: controls without a name: %q", who, bad)
		}
		for _, scheme := range []string{"light", "dark"} {
			page.scheme(scheme)
			if bad := eval[[]string](page, faint); len(bad) != 0 {
				t.Errorf("as %s, %s: too faint: %q", who, scheme, bad)
			}
		}
	}
}

// scheme makes the browser prefer light or dark, without motion.
func (t *tab) scheme(scheme string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if err != nil {
		t.Fatalf("prefer %s: %v", scheme, err)
	}
}

// unnamed returns the controls that a screen reader could not name.
const unnamed = `Array.from(document.querySelectorAll("button, a, input:not([type=hidden])"))
	.filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
	.map((e) => e.outerHTML)`

// faint returns the elements with text whose contrast is less than 4.5, as WCAG 2.2, 1.4.3, has it.
// Those that are disabled are exempt.
const faint = `(() => {
	const parse = (color) => color.match(/[\d.]+/g).map(Number);
	const luminance = ([r, g, b]) => {
		const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * x + 0.7152 * y + 0.0722 * z;
	};
	const ground = (e) => {
		for (; e; e = e.parentElement) {
			const color = parse(getComputedStyle(e).backgroundColor);
			if (color.length === 3 || color[3] === 1) return color;
		}
		return [255, 255, 255];
	};
	return Array.from(document.body.querySelectorAll("*"))
		.filter((e) => Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim()))
		.filter((e) => e.checkVisibility() && !e.closest(":disabled, [aria-disabled=true], noscript"))
		.map((e) => {
			const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(ground(e))].sort((a, b) => b - a);
			return [e, (a + 0.05) / (b + 0.05)];
		})
		.filter(([, contrast]) => contrast < 4.5)
		.map(([e, contrast]) => e.outerHTML.slice(0, 80) + " " + contrast.toFixed(2));
})()`

func TestWidths(t *testing.T) {
	for _, test := range []struct {
		width int64
		name  string // which no other test uses, so the list of sessions is this test's
	}{{390, "Noor"}, {820, "Sasha"}, {1200, "Robin"}, {1440, "Maya"}} {
		t.Run(fmt.Sprint(test.width), func(t *testing.T) {
			width, name := test.width, test.name
			page := newProfile(t)
			page.do("set the width", chromedp.EmulateViewport(width, 900))
			page.open("/")
			page.fits(width)
			page.keep(fmt.Sprintf("%d-visitor", width), "light")
			page.do("enter no name", chromedp.SendKeys(chromedp.CSS("#name"), "  "))
			if status := page.leads("log in", chromedp.Click(chromedp.CSS("form.login button"))); status != http.StatusUnprocessableEntity {
				t.Errorf("a login without a name is answered by %d, want 422", status)
			}
			page.fits(width)
			page.keep(fmt.Sprintf("%d-problem", width), "light")
			page.login(strings.Repeat("Longname", 8), true)
			page.fits(width)
			page.submit("form[action='/logout'] button")
			// As one sees it who tries things.
			phone := newProfile(t)
			phone.login(name, true)
			page.login(name, false)
			page.submit("[aria-label='Add Tea']")
			page.submit("[aria-label='Add Tea']")
			page.submit("[aria-label='Add Honey']")
			page.open("/")
			page.try("together")
			page.until(`document.querySelector("#live").textContent.includes("POST /mishaps/together")`)
			page.fits(width)
			page.keep(fmt.Sprintf("%d-logged-in", width), "light")
			page.keep(fmt.Sprintf("%d-logged-in", width), "dark")
		})
	}
}

// fits asserts that the page does not scroll sideways, and that a finger meets its buttons.
func (t *tab) fits(width int64) {
	t.Helper()
	if got := eval[int64](t, "document.documentElement.scrollWidth"); got > width {
		t.Errorf("the page is %d wide, want at most %d: %q", got, width, eval[[]string](t, fmt.Sprintf(
			`Array.from(document.body.querySelectorAll("*")).filter((e) => e.getBoundingClientRect().right > %d).map((e) => e.outerHTML.slice(0, 80))`, width)))
	}
	if small := eval[[]string](t, `Array.from(document.querySelectorAll("button, .button")).filter((e) => e.getBoundingClientRect().height < 44).map((e) => e.outerHTML)`); len(small) != 0 {
		t.Errorf("less than 44 pixels high: %q", small)
	}
}

// keep leaves a screenshot of the whole page, if screenshots are asked for.
func (t *tab) keep(name, scheme string) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	t.scheme(scheme)
	png := get(t, "take a screenshot", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(*screenshots, name+"-"+scheme+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A form of another site is sent with no effect, with or without the visitor's cookie.
func TestFormOfAnotherSite(t *testing.T) {
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%s/sessions/end-all"><button>Win a prize</button></form>`, site)
	}))
	defer evil.Close()
	page := newProfile(t)
	page.login("Ann", false)
	page.do("open the other site", chromedp.Navigate(evil.URL))
	if status := page.leads("send its form", chromedp.Click(chromedp.CSS("button"))); status != http.StatusForbidden {
		t.Errorf("the form is answered by %d, want 403", status)
	}
	page.holds("main", "sent by another site")
	page.submit("main a")
	page.holds("h1", "Hello, Ann")
}
