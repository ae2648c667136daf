package dynamostore

import (
	"net/http"
	"reflect"
	"sync"

	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/sessiondb"
	"example.com/dynamostore/internal/weakmap"
)

// states holds the state of each session in use. It belongs to the process and not to a Store,
// since gorilla's registry may hand a session that one Store loaded to another.
var states weakmap.Map[sessions.Session, state]

// A status says whether a session is stored, as far as is known.
type status int

const (
	statusNew        status = iota // no item: Save creates it
	statusStored                   // the item exists: Save updates it
	statusUnreadable               // unknown, since the table could not be read: Save must not write
	statusRotated                  // another request gave it a new ID, and the browser its cookie: Save must not write
	statusReadOnly                 // Peek loaded it: Save must not write
)

// state is what the Store knows about a session beyond its fields. It does not point to the
// session: see [weakmap.Map].
type state struct {
	status   status
	loaded   bool              // by a Store; if false, the application made or copied the session
	cookieID string            // the ID in the request's cookie, even if no session was found; may be empty
	stored   sessiondb.Session // as last loaded or written, with its unanswered writes
	options  sessions.Options  // set by New or used by the last Save; any others are a change
	resign   bool              // the cookie was not signed with the first key
	cookie   *http.Cookie      // the last one that Save set, for responses that do not have it yet
	failed   bool              // the last Save failed
	cause    error             // why it is unreadable
	lease    *sessiondb.Lease  // the lock under which it was loaded; nil without Concurrency: Lock
}

// leases holds the locks of each request, which its gorilla registry identifies: from leaseKey to
// *sessiondb.Lease. Like states, it belongs to the process, since one request may use two Stores.
var leases weakmap.Map[sessions.Registry, sync.Map]

type leaseKey struct {
	client                Client // nil if its type is not comparable
	table, sortValue, key string
}

// leaseOf returns the request's lease on a session, held or not. Two Stores share it if the session
// is the same item: they would wait for each other otherwise.
func (s *Store) leaseOf(r *http.Request, name sessiondb.Name) *sessiondb.Lease {
	key := leaseKey{nil, s.cfg.Table, s.cfg.SortKeyValue, name.Key}
	if reflect.TypeOf(s.client).Comparable() {
		key.client = s.client
	}
	lease, _ := leases.Get(sessions.GetRegistry(r)).LoadOrStore(key, s.db.NewLease(name))
	return lease.(*sessiondb.Lease)
}
