package history

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"

	"example.com/dynamostore"
)

// auditor looks at what is there when all is quiet. It opens every session that any ID leads to, by
// a Store of its own and over a network that does not fail.
type auditor struct {
	*world
	ctx  context.Context
	live map[string]state // what is there, by ID
	at   clock
}

// audit checks what is there when everything has been delivered.
func (w *world) audit(ctx context.Context) error {
	w.journal.add("all messages are delivered")
	w.facts.mu.Lock()
	a := &auditor{world: w, ctx: ctx, live: make(map[string]state), at: w.facts.tick()}
	w.facts.mu.Unlock()
	if err := a.checkLocksLeft(); err != nil {
		return err
	}
	store := w.open(w.transport, a.config())
	a.look(store)
	a.checkSessions()
	if w.plan.setup.users {
		if err := a.checkListing(store); err != nil {
			return err
		}
	}
	a.checkLocksTaken()
	return nil
}

// config is that of the history, but gives nothing up on a busy machine.
func (a *auditor) config() dynamostore.Config {
	cfg := a.world.config()
	cfg.Timeout = time.Minute
	cfg.Concurrency, cfg.Lock = dynamostore.Merge, dynamostore.LockConfig{}
	return cfg
}

// look opens the sessions.
func (a *auditor) look(store *dynamostore.Store) {
	for _, id := range slices.Sorted(maps.Keys(a.facts.ids)) {
		s, err := a.load(store, id)
		if err != nil {
			a.facts.report(WrongError, "at the end, Get of %s: %v", id, err)
		}
		if s != nil {
			a.live[id] = *s
			a.journal.add("%s is open: %v", id, *s)
		}
	}
}

// load returns the state of the session with an ID, nil if there is none.
func (a *auditor) load(store *dynamostore.Store, id string) (*state, error) {
	value, err := securecookie.EncodeMulti(sessionName, id, store.Codecs...)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(a.ctx)
	defer end()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, siteURL.String(), nil)
	r.AddCookie(&http.Cookie{Name: sessionName, Value: value})
	session, err := store.Get(r, sessionName)
	if err != nil || session.IsNew {
		return nil, err
	}
	s := parse(session)
	return &s, nil
}

// checkSessions checks each session, under whatever IDs it is open, and each browser's cookie.
func (a *auditor) checkSessions() {
	a.facts.mu.Lock()
	defer a.facts.mu.Unlock()
	for _, l := range a.facts.lineages {
		a.checkSession(l)
	}
	for _, b := range a.browsers {
		a.checkBrowser(b)
	}
}

func (a *auditor) checkSession(l *lineage) {
	f := a.facts
	var open []string
	for _, id := range slices.Sorted(maps.Keys(a.live)) {
		if a.live[id].birth == l.birth || l.forked && f.ids[id].lineage == l {
			open = append(open, id)
		}
	}
	if a.plan.setup.noTransactions {
		// A move in two steps that was not completed may leave an item that no cookie opens.
		open = slices.DeleteFunc(open, func(id string) bool { return f.ids[id].lineage == nil })
		if len(open) == 0 && l.mayHaveMoved() {
			return
		}
	}
	stored := l.any(func(w *write) bool { return !w.kind.ends() && w.kind != writeUpdate && w.verdict == acknowledged })
	switch {
	case len(open) == 0:
		unnamed := l.forked && l.mayHaveMoved() // and nothing in it may tell
		if stored && !a.mayBeGone(l) && !unnamed {
			f.violate(SessionLost, "at the end, the session of %s is open under no ID", l.birth)
		}
		return
	case l.creations() > 1 && (len(open) > 1 || stored && f.ids[open[0]].lineage == nil && !l.mayHaveMoved()):
		f.violate(CreatedTwice, "at the end, the session of %s is open as %v, and was acknowledged as %v", l.birth, open, f.idsOf(l))
		return // whatever one of them lacks, the other may have
	case len(open) > 1:
		f.violate(Forked, "at the end, the session of %s is open as %v", l.birth, open)
		return
	}
	id := open[0]
	i, where := f.ids[id], "at the end, "+id
	if w := l.endedBefore(a.at); w != nil {
		f.violate(Revived, "%s is open, which %v by %s had ended", where, w.kind, w.who)
		return
	}
	if i.leftBy != nil {
		f.violate(Revived, "%s is open, from which %s had moved the session to %s", where, i.leftBy.who, i.leftBy.to)
	}
	if i.dead != 0 {
		f.violate(Revived, "%s is open, where a request had found nothing", where)
	}
	if !l.any((*write).wrote) {
		f.violate(Phantom, "%s is open, and every write of it said that nothing was written", where)
	}
	f.checkState(finding{l, a.live[id], a.at, true, where})
}

// mayBeGone reports whether there is a reason why a session is open under none of its IDs. That it
// may have been given a new one is none, since all are known.
func (a *auditor) mayBeGone(l *lineage) bool { return a.facts.mayBeEnded(l, time.Now()) }

// mayHaveMoved reports whether the session may have been given an ID that nobody was told of.
func (l *lineage) mayHaveMoved() bool {
	return l.any(func(w *write) bool { return w.moves() && w.verdict == unknown })
}

// idsOf returns the IDs under which a session is known to have been stored.
func (f *facts) idsOf(l *lineage) []string {
	var ids []string
	for id, i := range f.ids {
		if i.lineage == l {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// checkBrowser checks that the cookie in a browser's jar leads to a session, if it should.
func (a *auditor) checkBrowser(b *browser) {
	f := a.facts
	id := f.cookieID(b.cookie())
	i := f.ids[id]
	if _, open := a.live[id]; open || i == nil || i.lineage == nil || a.mayBeGone(i.lineage) {
		return
	}
	if i.leftBy == nil {
		if !f.mayBeGone(i.lineage, id, nil, time.Now()) {
			f.violate(DeadCookie, "at the end, browser %d has the cookie of %s, which is not open, and nobody ended it", b.number, id)
		}
		return
	}
	arrived, displaced := b.heardOf(i.leftBy.by.visit)
	if arrived && (!displaced || a.needless(i.lineage, b.setBy)) {
		f.violate(DeadCookie, "at the end, browser %d has the cookie of %s, although it got the response of %s, by which the session is %s",
			b.number, id, i.leftBy.who, i.leftBy.to)
	}
}

// needless reports whether a response had no reason to set the cookie of an ID that the session had
// already: its request did not start the session, and could not have moved its end.
func (a *auditor) needless(l *lineage, by *visit) bool {
	setup := a.plan.setup
	if a.pace != 1 || setup.maxAge == shortLived {
		return false
	}
	if l.any(func(w *write) bool {
		started := w.by != nil && w.by.visit == by && (w.creates || w.kind == writeRotation)
		return started || !w.kind.ends() && (w.set[maxAgeRegister] > 0 || w.reset[maxAgeRegister])
	}) {
		return false
	}
	first, last := l.writes[0].beginAt, l.writes[len(l.writes)-1].beginAt
	return setup.touch == 0 || last.Before(first.Add(setup.touch-5*time.Second))
}

// checkListing checks that each user's sessions are listed, and nothing else.
func (a *auditor) checkListing(store *dynamostore.Store) error {
	if a.plan.setup.maxAge == shortLived && a.pace != 1 {
		return nil // some expire meanwhile
	}
	for _, user := range a.users {
		var listed, want []string
		for info, err := range store.UserSessions(a.ctx, user) {
			if err != nil {
				return fmt.Errorf("list the sessions of %s: %w", user, err)
			}
			listed = append(listed, info.Key)
		}
		for id, s := range a.live {
			if s.registers[userKey] == user {
				want = append(want, a.facts.ids[id].key)
			}
		}
		slices.Sort(listed)
		slices.Sort(want)
		if !slices.Equal(listed, want) {
			a.facts.report(Unlisted, "at the end, %s has the sessions %v, and the listing shows %v", user, want, listed)
		}
	}
	return nil
}

// checkLocksLeft checks that no lock is left where no call was cut short. Otherwise one may be, to
// its lease.
func (a *auditor) checkLocksLeft() error {
	if a.plan.setup.mode != dynamostore.Lock || !a.plan.setup.weather.calm() {
		return nil
	}
	client := a.client(a.transport)
	for _, id := range slices.Sorted(maps.Keys(a.facts.ids)) {
		i := a.facts.ids[id]
		if i.lineage == nil || i.lineage.cutShort() || a.facts.mayHaveExpired(i.lineage, time.Now()) {
			continue
		}
		out, err := client.GetItem(a.ctx, &dynamodb.GetItemInput{
			TableName: &a.table, ConsistentRead: aws.Bool(true),
			Key: map[string]types.AttributeValue{keyAttribute: &types.AttributeValueMemberS{Value: i.key}},
		})
		if err != nil {
			return err
		}
		if out.Item["lock_until"] != nil {
			a.facts.report(LockLeft, "at the end, %s is locked, although no request failed", id)
		}
	}
	return nil
}

// cutShort reports whether a call was given up while its request to DynamoDB was under way.
func (l *lineage) cutShort() bool {
	return l.any(func(w *write) bool { return w.verdict == unknown }) || slices.ContainsFunc(l.loads, func(l *loading) bool {
		return l.err != nil || l.visit.left.Load() || !l.visit.deadline.IsZero()
	})
}

// checkLocksTaken checks that the locks that are left end with their leases.
func (a *auditor) checkLocksTaken() {
	if a.plan.setup.mode != dynamostore.Lock {
		return
	}
	a.sleep(a.plan.setup.lease + time.Second)
	cfg := a.world.config()
	cfg.Timeout = time.Minute
	cfg.Lock.Wait = cfg.Lock.MinRetry
	store := a.open(a.transport, cfg)
	for _, id := range slices.Sorted(maps.Keys(a.live)) {
		if _, err := a.load(store, id); err != nil {
			a.facts.report(LockLeft, "at the end, when all leases are over: Get of %s: %v", id, err)
		}
	}
}
