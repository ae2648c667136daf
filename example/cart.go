package main

import (
	"net/http"
	"slices"
)

// cartKey is where the cart lies in Session.Values.
const cartKey = "cart"

// cart is a type of the application's own, so JSONCodec.Types lists it. It lies under one key: of two
// requests that change it at once, the later stands. An application that minds takes a key for each product,
// or Config.Concurrency: Lock.
type cart []line

type line struct {
	Product string `json:"product"`
	Count   int    `json:"count"`
}

// products are what the demo sells.
var products = []string{"Tea", "Coffee", "Honey", "Bread"}

// maxCount is how many of one product a cart takes.
const maxCount = 99

// Total returns how many things there are in the cart.
func (c cart) Total() int {
	n := 0
	for _, line := range c {
		n += line.Count
	}
	return n
}

// with returns the cart with n more of a product, or less.
func (c cart) with(product string, n int) cart {
	c = slices.Clone(c)
	i := slices.IndexFunc(c, func(l line) bool { return l.Product == product })
	if i < 0 {
		c = append(c, line{Product: product})
		i = len(c) - 1
	}
	c[i].Count = min(max(c[i].Count+n, 0), maxCount)
	return slices.DeleteFunc(c, func(l line) bool { return l.Count == 0 })
}

func (a *app) addToCart(w http.ResponseWriter, r *http.Request)      { a.changeCart(w, r, 1) }
func (a *app) removeFromCart(w http.ResponseWriter, r *http.Request) { a.changeCart(w, r, -1) }

// changeCart puts n more of the form's product into the cart.
func (a *app) changeCart(w http.ResponseWriter, r *http.Request, n int) {
	if !a.readForm(w, r) {
		return
	}
	product := r.PostForm.Get("product")
	if !slices.Contains(products, product) {
		a.problem(w, http.StatusUnprocessableEntity, "There is no such product.")
		return
	}
	session := a.session(r)
	old, _ := session.Values[cartKey].(cart)
	session.Values[cartKey] = old.with(product, n)
	if err := session.Save(r, w); err != nil {
		a.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/#cart", http.StatusSeeOther)
}
