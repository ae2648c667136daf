package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"example.com/dynamostore/internal/dynamotest"
)

// add and remove send the forms of the cart, for as many as are named.
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
		a := v.post(path, url.Values{"product": {product}})
		a.is(v, http.StatusSeeOther)
		if got := a.Header.Get("Location"); got != "/#cart" {
			v.Errorf("%s leads to %q, want /#cart", path, got)
		}
	}
}

// hasInCart asserts what the visitor's page shows.
func (v *visitor) hasInCart(total int, lines ...string) {
	v.Helper()
	body := v.home()
	holds(v, body, fmt.Sprintf(`id="cart-count">%d<`, total))
	for _, line := range lines {
		holds(v, body, "<p>"+line+"</p>")
	}
	if len(lines) == 0 {
		holds(v, body, "It is empty.")
	}
}

func TestCart(t *testing.T) {
	s := newSite(t)
	v, other := s.visitor(), s.visitor()
	v.hasInCart(0)
	v.add("Tea", "Honey", "Tea")
	v.hasInCart(3, "2 × Tea", "1 × Honey")
	holds(t, v.home(), `"cart":{"$main.cart":[{"count":2,"product":"Tea"},{"count":1,"product":"Honey"}]}`)

	v.login("Ann", false).backHome(t)
	v.hasInCart(3, "2 × Tea", "1 × Honey")
	v.remove("Tea", "Honey", "Bread")
	v.hasInCart(1, "1 × Tea")
	lacks(t, v.home(), "× Honey")
	v.remove("Tea")
	v.hasInCart(0)
	v.add("Bread")
	other.hasInCart(0)
	v.post("/logout", nil).backHome(t)
	v.hasInCart(0)
}

func TestFullCart(t *testing.T) {
	c := cart{{"Tea", maxCount}, {"Honey", 1}}
	if got := c.with("Tea", 1); !slices.Equal(got, c) {
		t.Errorf("a full cart with one more Tea is %v, want %v", got, c)
	}
	if got := c.with("Tea", -1); c[0].Count != maxCount || got[0].Count != maxCount-1 {
		t.Errorf("a cart changed to %v and was %v, want it changed in the copy alone", got, c)
	}
}

func TestCartTakesItsProductsAlone(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	for _, path := range []string{"/cart/add", "/cart/remove"} {
		for _, product := range []string{"", "Gold", "tea"} {
			v.post(path, url.Values{"product": {product}}).is(t, http.StatusUnprocessableEntity)
		}
	}
	if items := s.backend.Items(t); len(items) != 0 {
		t.Errorf("the table holds %v, want nothing", items)
	}
}

func TestCartThatCannotBeSavedIsAsItWas(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.add("Tea")
	v.home()
	for _, op := range []string{"GetItem", "UpdateItem"} {
		s.backend.Inject(op, dynamotest.Denied)
		v.post("/cart/add", url.Values{"product": {"Honey"}}).is(t, http.StatusServiceUnavailable)
		v.hasInCart(1, "1 × Tea")
	}
}
