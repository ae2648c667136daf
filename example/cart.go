package main

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gorilla/securecookie"
)

// cartKey is the key of the cart in Session.Values.
const cartKey = "cart"

// cart counts products. It is a type of the application's own, which JSONCodec.Types lists. Two
// requests that change different products at once are merged. If they change the same one, the
// later write wins; an application that minds uses Store.Update, or Config.Concurrency: Lock.
type cart map[string]int

// products are what the demo sells.
var products = []string{"Tea", "Coffee", "Honey", "Bread"}

// maxCount is the most of one product in a cart.
const maxCount = 99

// Total returns how many things are in the cart.
func (c cart) Total() int {
	total := 0
	for _, n := range c {
		total += n
	}
	return total
}

// add puts n more of a product into the cart, or takes some out.
func (c cart) add(product string, n int) {
	c[product] = min(max(c[product]+n, 0), maxCount)
	if c[product] == 0 {
		delete(c, product)
	}
}

func (a *app) addToCart(w http.ResponseWriter, r *http.Request)      { a.changeCart(w, r, 1) }
func (a *app) removeFromCart(w http.ResponseWriter, r *http.Request) { a.changeCart(w, r, -1) }

// changeCart puts n more of the form's product into the cart.
func (a *app) changeCart(w http.ResponseWriter, r *http.Request, n int) {
	if !a.parseForm(w, r) {
		return
	}
	product := r.PostForm.Get("product")
	if !slices.Contains(products, product) {
		a.problem(w, http.StatusUnprocessableEntity, "There is no such product.")
		return
	}
	session := a.session(r)
	if _, ok := session.Values[cartKey]; !ok {
		session.Values[cartKey] = make(cart)
	}
	session.Values[cartKey].(cart).add(product, n)
	if err := session.Save(r, w); err != nil {
		a.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/#cart", http.StatusSeeOther)
}

// showCart only reads the session, so it uses Peek, and there is nothing to save.
func (a *app) showCart(w http.ResponseWriter, r *http.Request) {
	session, err := a.store.Peek(r, cookieName)
	var forged securecookie.Error
	if err != nil && !errors.As(err, &forged) {
		a.failed(w, r, err)
		return
	}
	user, _ := session.Values[userKey].(string)
	c, _ := session.Values[cartKey].(cart)
	a.render(w, http.StatusOK, "cart", page{demo: a.demo, User: user, Cart: c, Spent: spent(r.Context())})
}
