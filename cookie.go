package dynamostore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/sessiondb"
)

// checkName returns an error if a session's name is not a valid cookie name.
func checkName(name string) error {
	if err := (&http.Cookie{Name: name, Value: "v"}).Valid(); err != nil {
		return fmt.Errorf("dynamostore: the session name %.40q is not a valid cookie name; use letters, digits and any of !#$%%&'*+-.^_`|~", name)
	}
	return nil
}

// decodeCookie returns the session ID in a cookie, and whether the cookie was signed with an older
// key. The error is securecookie's; only that for a CookieStore's cookie is wrapped.
func (s *Store) decodeCookie(c *http.Cookie) (id string, resign bool, err error) {
	var errs securecookie.MultiError
	for i, codec := range s.Codecs {
		err := codec.Decode(c.Name, c.Value, &id)
		if err == nil {
			return id, i > 0, nil
		}
		errs = append(errs, err)
	}
	switch {
	case errs == nil:
		return "", false, securecookie.DecodeMulti(c.Name, c.Value, &id) // reports that there are no codecs
	case strings.Contains(errs.Error(), "gob: decoding into local type *string, received remote type map"):
		return "", false, fmt.Errorf("dynamostore: the cookie holds values, as sessions.CookieStore writes them, instead of an ID; give this Store's session another name: %w", errs)
	}
	return "", false, errs
}

// newCookie returns the cookie that carries id, or an error if net/http would not send it as it is.
func (s *Store) newCookie(name, id string, options *sessions.Options) (*http.Cookie, error) {
	value, err := securecookie.EncodeMulti(name, id, s.Codecs...)
	if err != nil {
		return nil, fmt.Errorf("dynamostore: make the cookie: %w", err)
	}
	c := sessions.NewCookie(name, value, options)
	if int64(options.MaxAge) > math.MaxInt64/int64(time.Second) {
		c.Expires = time.Time{} // would overflow; MaxAge is enough
	}
	return c, checkCookie(c)
}

// checkCookie returns an error if net/http would silently drop a cookie or a part of it.
func checkCookie(c *http.Cookie) error {
	err := c.Valid()
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "Value"): // quotes a byte of the value
		err = errors.New("its value has bytes that are not allowed in a cookie")
	}
	return fmt.Errorf("dynamostore: make the cookie: %w; correct the session's Options, or Store.Codecs", err)
}

// optionsText returns what is stored of options to detect a change: nothing for the Store's, and a
// short hash for others. MaxAge is stored separately.
func (s *Store) optionsText(options sessions.Options) string {
	if sameButMaxAge(options, s.options(nil)) {
		return ""
	}
	o := options
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %t %t %t %d", o.Path, o.Domain, o.Secure, o.HttpOnly, o.Partitioned, o.SameSite))
	return hex.EncodeToString(sum[:4])
}

func sameButMaxAge(a, b sessions.Options) bool {
	a.MaxAge = b.MaxAge
	return a == b
}

// setCookie sets c on the response, replacing any other cookie with its name.
func setCookie(w http.ResponseWriter, c *http.Cookie) {
	const header = "Set-Cookie"
	h := w.Header()
	h[header] = slices.DeleteFunc(h[header], func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return name == c.Name
	})
	if len(h[header]) == 0 {
		delete(h, header)
	}
	http.SetCookie(w, c)
}

// nameOf returns the name of a session with a new ID, or an error if the ID cannot be stored.
func (s *Store) nameOf(id string) (sessiondb.Name, error) {
	key, ok := s.key(id)
	switch {
	case ok:
		return sessiondb.Name{ID: id, Key: key}, nil
	case id == "" || len(key) > maxKey || !utf8.ValidString(key):
		return sessiondb.Name{}, fmt.Errorf("dynamostore: the session's ID, from Config.NewID or the application, has %d bytes; want 1 to %d of UTF-8, Config.KeyPrefix included", len(id), maxKey)
	default:
		return sessiondb.Name{}, fmt.Errorf("dynamostore: the session's ID, from Config.NewID or the application, contains the last character of Config.KeyPrefix, %q; end the prefix with a character that no ID contains, or set HashIDs", s.cfg.KeyPrefix)
	}
}

// key returns the partition key of the session with that ID, and whether one of this Store's items
// can have that key.
func (s *Store) key(id string) (string, bool) {
	if id == "" {
		return "", false
	}
	if s.cfg.HashIDs {
		sum := sha256.Sum256([]byte(id))
		return s.cfg.KeyPrefix + hex.EncodeToString(sum[:]), true
	}
	key := s.cfg.KeyPrefix + id
	return key, len(key) <= maxKey && utf8.ValidString(key) && s.table.Schema().Owns(key)
}
