package main

import (
	"net/http"
	"net/url"
	"testing"

	"example.com/dynamostore/internal/dynamotest"
)

// add and remove send the forms of the cart.
func (v *visitor) add(products ...string) {
	v.Helper()
	v.sendCart("/cart/add", products)
}

func (v *visitor) remove(products ...string) {
	v.Helper()
	v.sendCart("/cart/remove", products)
}

func (v *visitor) sendCart(path string, products []string) {
	v.Helper()
	for _, product := range products {
		v.post(path, url.Values{"product": {product}}).wantRedirect(v, "/#cart")
	}
}

// wantInCart asserts what the visitor's home page and the page of the cart show.
func (v *visitor) wantInCart(lines ...string) {
	v.Helper()
	home, page := v.home(), v.do("GET", "/cart", nil).body
	for _, line := range lines {
		wantText(v, home, "<span>"+line+"</span>")
		wantText(v, page, "<li>"+line+"</li>")
	}
	if len(lines) == 0 {
		wantText(v, home, `id="cart-count">0<`)
		wantText(v, page, "It is empty.")
	}
}

func TestCart(t *testing.T) {
	s := newSite(t)
	v, other := s.visitor(), s.visitor()
	v.wantInCart()
	v.add("Tea", "Honey", "Tea")
	v.wantInCart("2 × Tea", "1 × Honey")
	wantText(t, v.home(), `id="cart-count">3<`)

	v.login("Ann", false).wantRedirect(t, "/")
	v.wantInCart("2 × Tea", "1 × Honey")
	v.remove("Tea", "Honey", "Bread")
	v.wantInCart("1 × Tea")
	wantNoText(t, v.home(), "× Honey")
	v.remove("Tea")
	v.wantInCart()
	v.add("Bread")
	other.wantInCart()
	v.post("/logout", nil).wantRedirect(t, "/")
	v.wantInCart()
}

func TestCartPageOnlyReads(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	v.add("Tea")
	s.backend.Counts()
	a := v.do("GET", "/cart", nil)
	a.wantNoCookie(t)
	wantText(t, a.body, "Ann’s cart")
	wantText(t, a.body, "1 read, 0 written</b>: $0.125 for a million page views")
	s.wantRequests(map[string]int{"GetItem": 1})
}

func TestParallelRequestsAddDifferentProducts(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.add("Tea")
	tab, cookie := s.visitor(), v.cookie()
	s.backend.Inject("GetItem", func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		// While that request has the session loaded.
		tab.post("/cart/add", url.Values{"product": {"Honey"}}, "Cookie", cookie).wantRedirect(t, "/#cart")
		return resp, err
	})
	v.add("Bread")
	v.wantInCart("1 × Tea", "1 × Honey", "1 × Bread")
}

func TestFullCart(t *testing.T) {
	c := cart{"Tea": maxCount, "Honey": 1}
	if c.add("Tea", 1); c["Tea"] != maxCount {
		t.Errorf("a full cart with one more Tea has %d, want %d", c["Tea"], maxCount)
	}
	if c.add("Honey", -1); len(c) != 1 {
		t.Errorf("without Honey, the cart is %v", c)
	}
}

func TestUnknownProductsAreRefused(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	for _, path := range []string{"/cart/add", "/cart/remove"} {
		for _, product := range []string{"", "Gold", "tea"} {
			v.post(path, url.Values{"product": {product}}).wantStatus(t, http.StatusUnprocessableEntity)
		}
	}
	s.wantSessions(0)
}

func TestCartThatCannotBeSavedIsAsItWas(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.add("Tea")
	for _, op := range []string{"GetItem", "UpdateItem"} {
		s.backend.Inject(op, dynamotest.Denied)
		v.post("/cart/add", url.Values{"product": {"Honey"}}).wantUnavailable(t)
		v.wantInCart("1 × Tea")
		wantText(t, v.home(), `id="cart-count">1<`)
	}
}
