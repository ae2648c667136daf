package bill

import (
	"fmt"
	"math/rand/v2"

	"github.com/gorilla/sessions"
)

// app is the application: what it keeps in its sessions. A session of somebody who looks around is a few hundred bytes,
// that of somebody who logged in by single sign-on some 3 KiB, and both grow with the basket.
type app struct{ r *rand.Rand }

func (a app) token(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[a.r.IntN(64)]
	}
	return string(b)
}

// do is what a request does to its session.
func (a app) do(session *sessions.Session, what action) {
	v := session.Values
	if session.IsNew {
		v["csrf"] = a.token(32)
		v["lang"] = "en"
		v["from"] = "https://search.example/?q=loose+leaf+tea+online"
	}
	switch what {
	case change:
		switch basket, _ := v["basket"].([]any); a.r.IntN(3) {
		case 0:
			if len(basket) < 12 {
				n := a.r.IntN(1000)
				v["basket"] = append(basket, map[string]any{
					"sku": fmt.Sprintf("TEA-%04d", n), "name": fmt.Sprintf("Loose leaf tea number %d, 100 g tin", n),
					"count": 1 + a.r.IntN(3), "cents": 450 + n, "image": fmt.Sprintf("/static/catalogue/tea/%04d/front-small.webp", n),
				})
			}
		case 1:
			v["step"] = a.r.IntN(5)
		case 2:
			seen, _ := v["seen"].([]any)
			v["seen"] = append(seen[max(0, len(seen)-19):], fmt.Sprintf("TEA-%04d", a.r.IntN(1000)))
		}
	case login:
		v["user"] = fmt.Sprintf("user-%06d", a.r.IntN(1e6))
		v["name"] = "Ann Example"
		v["roles"] = []any{"customer", "newsletter"}
		v["access_token"] = a.token(1100)
		v["refresh_token"] = a.token(700)
		v["prefs"] = map[string]any{"theme": "dark", "page": 50, "currency": "EUR", "sort": "price", "newsletter": true}
	case logout:
		session.Options.MaxAge = -1
	}
}
