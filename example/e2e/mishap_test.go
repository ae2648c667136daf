package e2e

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestTwentyAtOnce(t *testing.T) {
	page := newProfile(t)
	page.login("Ann", false)
	steps, verdict := page.try("together")
	if want := "20 of 20 keys and 20 of 20 flashes are in the session. Nothing was lost."; verdict != want {
		t.Errorf("the page says %q, want %q", verdict, want)
	}
	match := regexp.MustCompile(`20 were answered\. (\d+) found the session changed by others`).FindStringSubmatch(steps)
	if match == nil {
		t.Fatalf("the page says %q, want how many were merged", steps)
	}
	if merges, err := strconv.Atoi(match[1]); err != nil || merges < 1 || merges > 19 {
		t.Errorf("%s of 20 were merged, want some: the page says %q", match[1], steps)
	}
	page.open("/")
	page.holds("h1", "Hello, Ann")
}

func TestLogoutDuringASlowRequest(t *testing.T) {
	page := newProfile(t)
	page.login("Ann", false)
	steps, verdict := page.try("slow")
	if want := "Nothing was written and no cookie was set: the session stayed ended."; verdict != want || !strings.Contains(steps, "ErrGone") {
		t.Errorf("the page says %q, want ErrGone and %q", steps, want)
	}
	page.until(`document.querySelector("#live").textContent.includes("It is not there")`)
	page.keep("slow-logout", "light")
	if c := page.cookie(); c != nil {
		t.Errorf("the browser has the cookie %+v, want none", c)
	}
	page.submit("#slow-log a")
	page.isOut()
}

func TestOutage(t *testing.T) {
	page, bob := newProfile(t), newProfile(t)
	bob.login("Bob", false)
	page.login("Ann", false)
	page.submit("[aria-label='Add Tea']")
	cookie := page.cookie().Value

	page.do("begin an outage", chromedp.Click(chromedp.CSS("[data-mishap=outage]")))
	page.do("wait for a refusal", chromedp.WaitVisible(chromedp.CSS("#outage-log .step")))
	page.holds("#countdown", "DynamoDB fails for another")
	page.holds("#outage-log", "503, try again in 5 s.")
	page.keep("outage", "light")
	// A page that the visitor asks for by hand says so, and what to do.
	second := page.another()
	if status := second.open("/"); status != 503 {
		t.Errorf("a page during the outage has the status %d, want 503", status)
	}
	second.holds("main", "cannot be reached at the moment")
	second.holds("main a", "Try again")
	// Nobody else is concerned.
	bob.open("/")
	bob.holds("h1", "Hello, Bob")

	page.do("wait for the end", chromedp.WaitVisible(chromedp.CSS("#outage-log .verdict")))
	for _, text := range []string{"still logged in as Ann", "with 1 in the cart", "Nothing was lost."} {
		page.holds("#outage-log .good", text)
	}
	if page.cookie() == nil {
		t.Errorf("the browser has no cookie any more, and had %s", cookie)
	}
	page.until(`document.querySelector("#live").textContent.includes("Ends in")`)
	page.keep("outage-over", "light")
	second.submit("main a")
	second.holds("h1", "Hello, Ann")
	second.holds("#cart", "1 × Tea")
}

func TestMishapByKeyboard(t *testing.T) {
	page := newProfile(t)
	page.open("/")
	page.do("press the button", chromedp.Focus(chromedp.CSS("[data-mishap=together]")), chromedp.KeyEvent(kb.Enter))
	page.do("wait for the end", chromedp.WaitVisible(chromedp.CSS("#together-log .good")))
	if on := eval[string](page, "document.activeElement.dataset.mishap"); on != "together" {
		t.Errorf("the keyboard is at %q afterwards, want where it was", on)
	}
	if live := eval[string](page, `document.getElementById("together-log").ariaLive`); live != "polite" {
		t.Errorf("the result is announced %q, want politely", live)
	}
	if n := eval[int](page, `document.querySelectorAll("[data-mishap=slow]:disabled").length`); n != 1 {
		t.Errorf("the logout is offered to one who is not logged in")
	}
}
