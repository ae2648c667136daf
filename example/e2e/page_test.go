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

// Every page fits the screen and satisfies axe-core, at each width, light and dark.
func TestEveryPage(t *testing.T) {
	for _, test := range []struct {
		width int64
		name  string // which no other test uses, so the list of devices is this test's own
	}{{390, "Noor"}, {820, "Sasha"}, {1440, "Robin"}} {
		t.Run(fmt.Sprint(test.width), func(t *testing.T) {
			page := newProfile(t)
			page.do("set the width", chromedp.EmulateViewport(test.width, 900))
			check := func(name string) {
				t.Helper()
				page.wantFit(test.width)
				for _, scheme := range []string{"light", "dark"} {
					page.scheme(scheme)
					page.wantAccessible(name + ", " + scheme)
					page.keep(fmt.Sprintf("%d-%s-%s", test.width, name, scheme))
				}
			}
			page.open("/")
			check("1-visitor")
			page.do("enter no name", chromedp.SetValue(chromedp.CSS("#name"), "  "))
			page.submitFor("#login", http.StatusUnprocessableEntity)
			check("2-problem")
			page.login(strings.Repeat("Longname", 8), true)
			page.submit("#try-together")
			page.wantFit(test.width)
			page.submit("#logout")

			page.login(test.name, true)
			page.submit("#add-Tea")
			page.submit("#add-Tea")
			page.submit("#add-Honey")
			page.submit("#phone")
			check("3-logged-in")
			page.submit("a[href='/cart']")
			check("4-read-only")
			page.submit("main a")
			page.submit("#try-together")
			check("5-together")
			page.submit("#try-views")
			check("6-views")
			page.submit("#try-logout")
			check("8-logout")

			page.login(test.name, true)
			second := page.another()
			second.open("/")
			second.submit("#end-all")
			page.until(`!document.getElementById("ended").hidden`)
			check("9-ended-elsewhere")

			page.login(test.name, true)
			page.submit("#add-Tea")
			page.submitFor("#try-outage", http.StatusServiceUnavailable)
			check("7-outage")
		})
	}
}

// wantFit asserts that the page does not scroll sideways, that a finger can meet its buttons, and
// that no text is small.
func (t *tab) wantFit(width int64) {
	t.Helper()
	if got := eval[int64](t, "document.documentElement.scrollWidth"); got > width {
		t.Errorf("the page is %d wide, want at most %d: %q", got, width, eval[[]string](t, fmt.Sprintf(
			`Array.from(document.body.querySelectorAll("*")).filter((e) => e.getBoundingClientRect().right > %d).map((e) => e.outerHTML.slice(0, 80))`, width)))
	}
	if low := eval[[]string](t, `Array.from(document.querySelectorAll("button, .button")).filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44).map((e) => e.outerHTML)`); len(low) != 0 {
		t.Errorf("less than 44 pixels high: %q", low)
	}
	if small := eval[[]string](t, `Array.from(document.body.querySelectorAll("*")).filter((e) => parseFloat(getComputedStyle(e).fontSize) < 14).map((e) => e.outerHTML.slice(0, 80))`); len(small) != 0 {
		t.Errorf("text of less than 14 pixels: %q", small)
	}
}

// scheme makes the browser prefer light or dark, and no motion.
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

// keep leaves a screenshot of the whole page, if screenshots are asked for.
func (t *tab) keep(name string) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	png := get(t, "take a screenshot", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A form brings a new page. Its button is then where it was on the screen, and the keyboard is
// where it was.
func TestFocusStaysAtTheForm(t *testing.T) {
	for _, width := range []int64{390, 820, 1440} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			page := newProfile(t)
			page.do("set the width", chromedp.EmulateViewport(width, 900))
			page.login(fmt.Sprint("Focus", width), false)
			page.submit("#phone")
			for _, test := range []struct{ button, focus string }{
				{"add-Tea", "add-Tea"},
				{"add-Tea", "add-Tea"},
				{"remove-Tea", "remove-Tea"},
				{"remove-Tea", "session"}, // the button is gone
				{"try-together", "try-together"},
				{"try-views", "try-views"},
				{"phone", "phone"},
				{"end-others", "end-others"},
				{"try-logout", "try-logout"},
			} {
				page.do("focus "+test.button, chromedp.Focus(chromedp.CSS("#"+test.button)))
				top := page.top(test.focus)
				if status := page.leads("press "+test.button, chromedp.KeyEvent(kb.Enter)); status != 200 {
					t.Fatalf("%s leads to a page with the status %d", test.button, status)
				}
				if got := eval[string](page, "document.activeElement.id"); got != test.focus {
					t.Errorf("after %s, the focus is at %q, want %q", test.button, got, test.focus)
				}
				atTop := eval[bool](page, "scrollY === 0") // no room for more above
				if got := page.top(test.focus); (got < top-1 || got > top+1) && !(atTop && got < top) {
					t.Errorf("after %s, %s is at %v on the screen, want %v as before", test.button, test.focus, got, top)
				}
			}
			page.submit("#try-logout")
			page.login("Ann", false)
			page.submitFor("#try-outage", http.StatusServiceUnavailable)
			if got := eval[string](page, "document.activeElement.textContent"); got != "Try again" {
				t.Errorf("after an outage, the focus is at %q, want Try again", got)
			}
		})
	}
}

// top returns how far an element is from the top of the screen.
func (t *tab) top(id string) float64 {
	t.Helper()
	return eval[float64](t, fmt.Sprintf("document.getElementById(%q).getBoundingClientRect().top", id))
}

// What a button does is next to it: below it, or beside it in the same place on the screen.
func TestCauseAndEffectAreAdjacent(t *testing.T) {
	for _, width := range []int64{390, 820, 1440} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			page := newProfile(t)
			page.do("set the width", chromedp.EmulateViewport(width, 900))
			page.login(fmt.Sprint("Near", width), false)
			page.submit("#add-Tea")
			if gap := page.gap("session", "live"); gap > 20 {
				t.Errorf("the item is %v pixels away from the cart", gap)
			}
			for _, mishap := range []string{"together", "views", "logout"} {
				page.submit(chromedp.CSS("#try-" + mishap))
				if gap := page.gap(mishap, "live"); gap > 20 {
					t.Errorf("after %s, the item is %v pixels away", mishap, gap)
				}
			}
		})
	}
}

// gap returns how many pixels are between two elements, in the direction in which they are farther
// apart.
func (t *tab) gap(one, other string) float64 {
	t.Helper()
	return eval[float64](t, fmt.Sprintf(`(([a, b]) => Math.max(
		Math.max(a.top, b.top) - Math.min(a.bottom, b.bottom),
		Math.max(a.left, b.left) - Math.min(a.right, b.right),
	))([%q, %q].map((id) => document.getElementById(id).getBoundingClientRect()))`, one, other))
}

// A line of the item's JSON does not end inside a word.
func TestJSONBreaksBetweenWords(t *testing.T) {
	for _, width := range []int64{390, 820, 1440} {
		page := newProfile(t)
		page.do("set the width", chromedp.EmulateViewport(width, 900))
		page.login(fmt.Sprint("Json", width), false)
		page.submit("#try-together")
		broken := eval[[]string](page, `(() => {
			const broken = [];
			const walk = document.createTreeWalker(document.querySelector("[data-name=data] code"), NodeFilter.SHOW_TEXT);
			while (walk.nextNode()) {
				for (const word of walk.currentNode.data.matchAll(/\w+/g)) {
					const range = new Range();
					range.setStart(walk.currentNode, word.index);
					range.setEnd(walk.currentNode, word.index + word[0].length);
					if (new Set(Array.from(range.getClientRects(), (r) => r.top)).size > 1) broken.push(word[0]);
				}
			}
			return broken;
		})()`)
		if len(broken) != 0 {
			t.Errorf("at a width of %d, lines end inside %q", width, broken)
		}
	}
}

// The main button is the one that the visitor should press, and there is no other.
func TestMainButtonIsTheNextStep(t *testing.T) {
	page := newProfile(t)
	page.open("/")
	check := func(want string) {
		t.Helper()
		page.wantText("header", "press "+want+".")
		if got := eval[[]string](page, `Array.from(document.querySelectorAll("main button:not(.quiet), main .button"))
			.filter((e) => e.checkVisibility()).map((e) => e.textContent)`); len(got) != 1 || got[0] != want {
			t.Errorf("the main buttons are %q, want %q alone", got, want)
		}
	}
	check("Log in")
	page.login("Ann", false)
	check("Send 20 requests at once")
	page.submit("#try-together")
	check("Measure two page views")
	page.submit("#try-views")
	check("Cut DynamoDB off for 5 seconds")
	page.submitFor("#try-outage", http.StatusServiceUnavailable)
	check("Try again")
	for page.open("/?after=outage") != http.StatusOK { // the outage goes on
	}
	check("Log out during a slow request")
	page.submit("#try-logout")
	check("Start again")
}

func TestOutage(t *testing.T) {
	page, bob := newProfile(t), newProfile(t)
	bob.login("Bob", false)
	page.login("Ann", false)
	page.submit("#add-Tea")
	page.submitFor("#try-outage", http.StatusServiceUnavailable)
	page.wantText("main", "Please try again in 5 seconds.")
	// That is so for every page of the session, and for nobody else's.
	second := page.another()
	if status := second.open("/"); status != http.StatusServiceUnavailable {
		t.Errorf("a page during the outage has the status %d, want 503", status)
	}
	second.wantText("main", "Please try again in 5 seconds.")
	bob.open("/")
	bob.wantText("#hello", "Hello, Bob")

	for page.leads("try again", chromedp.Click(chromedp.CSS("#retry a"))) != http.StatusOK { // the outage goes on
	}
	page.open("/?after=outage")
	page.wantText(".note", "DynamoDB answers again")
	page.wantText("#hello", "Hello, Ann")
	page.wantText("#cart", "1 × Tea")
}

func TestWithoutJavaScript(t *testing.T) {
	page := newProfile(t)
	page.disableScripts()
	page.login("Sam", true)
	page.submit("#add-Tea")
	page.submit("#add-Tea")
	page.wantText("#cart", "2 × Tea")
	page.submit("#remove-Tea")
	page.wantText("#cart", "1 × Tea")
	page.wantText("#live", `"user":"Sam"`)
	page.wantText("#live", "POST /cart/remove")
	page.submit("#phone")
	page.wantText("#sessions", "Safari on iPhone")
	page.submit("#end-others")
	page.wantText("#sessions", "1 other device is logged out.")
	page.submit("#try-together")
	page.wantText("#together .bad", "19 of 20 keys are lost")
	page.wantText("#together .good", "All 20 keys are kept")
	page.submit("#try-views")
	page.wantText("#views .good", "0 written")
	page.submitFor("#try-outage", http.StatusServiceUnavailable)
	page.wantText(".bad", "The session is lost")
	page.wantText(".good", "Nothing is lost")

	page = newProfile(t)
	page.disableScripts()
	page.login("Sam", true)
	page.submit("#try-logout")
	page.wantText("#logout .good", "The session stays ended")
	page.submit("#try-logout")
	page.wantLoggedOut()
}

// disableScripts disables the scripts of the tab's pages.
func (t *tab) disableScripts() {
	t.Helper()
	t.noScripts = true
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
			t.Errorf("%s has the outline %q when it has the focus, want one that is seen", what, style)
		}
	}
	tabTo("what to press", `document.activeElement.closest("header") !== null`)
	tabTo("the name", `document.activeElement.id === "name"`)
	page.do("type", chromedp.KeyEvent("Ann"))
	tabTo("the button", `document.activeElement.textContent === "Log in"`)
	tabTo("the check box", `document.activeElement.name === "remember"`)
	page.do("check", chromedp.KeyEvent(" "))
	if status := page.leads("press Enter", chromedp.KeyEvent(kb.Enter)); status != 200 {
		t.Fatalf("Enter leads to a page with the status %d", status)
	}
	page.wantText("#hello", "Hello, Ann")
	page.wantText("main", "for 30 days")
}

// A form of another site has no effect, with or without the visitor's cookie.
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
	page.wantText("main", "Another site sent that form")
	page.submit("main a")
	page.wantText("#hello", "Hello, Ann")
}
