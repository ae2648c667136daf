package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// The promise of DESIGN.md, section 4: nothing acknowledged is lost, nothing is applied twice, and
// no ended session comes back, however often answers are lost or requests arrive late. The numbers
// are those of issue 12's list "What happened".

// A fate is what becomes of a write in all of the SDK's attempts, of which none is answered.
type fate struct {
	name   string
	faults func(*dynamotest.HeldBack) []dynamotest.Fault
}

func faults(f ...dynamotest.Fault) func(*dynamotest.HeldBack) []dynamotest.Fault {
	return func(*dynamotest.HeldBack) []dynamotest.Fault { return f }
}

var (
	applied = fate{"applied", faults(dynamotest.AppliedThenReset, dynamotest.Reset, dynamotest.Reset)}
	// DynamoDB refuses the second and third attempt, because of the first.
	appliedThenRefused = fate{"applied, then refused", faults(dynamotest.Times(3, dynamotest.AppliedThenReset)...)}
	lost               = fate{"lost", faults(dynamotest.Times(3, dynamotest.Reset)...)}
	late               = fate{"late", func(h *dynamotest.HeldBack) []dynamotest.Fault {
		return []dynamotest.Fault{h.Reset, dynamotest.Reset, dynamotest.Reset}
	}}
)

// sequences returns all sequences of up to n fates.
func sequences(n int, fates ...fate) (all [][]fate) {
	longest := [][]fate{nil}
	for range n {
		var longer [][]fate
		for _, sequence := range longest {
			for _, f := range fates {
				longer = append(longer, append(slices.Clone(sequence), f))
			}
		}
		longest = longer
		all = append(all, longest...)
	}
	return all
}

func names(fates []fate) string {
	var s []string
	for _, f := range fates {
		s = append(s, f.name)
	}
	return strings.Join(s, ", ")
}

// regenerate visits a handler that gives the session a new ID and stores a value.
func (b *browser) regenerate(key, value any) (cookies []*http.Cookie, err error) {
	b.app.Helper()
	cookies = b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, getErr := b.app.store.Get(r, cookieName)
		if getErr != nil {
			b.app.Errorf("Get: %v", getErr)
		}
		session.Values[key] = value
		err = b.app.store.Regenerate(r, w, session)
	})
	return cookies, err
}

// add appends to the list in a session's values.
func add(s *sessions.Session, element string) {
	list, _ := s.Values["list"].([]string)
	s.Values["list"] = append(slices.Clone(list), element)
}

// wantOnce asserts that a list has these elements, each of them once, and no others but those that
// may be there.
func wantOnce(t testing.TB, list any, want []string, maybe ...string) {
	t.Helper()
	got, _ := list.([]string)
	count := make(map[string]int)
	for _, element := range got {
		count[element]++
	}
	for _, element := range want {
		if count[element] != 1 {
			t.Errorf("the list is %q, want %q in it once", got, element)
		}
	}
	for element, n := range count {
		if n > 1 || !slices.Contains(want, element) && !slices.Contains(maybe, element) {
			t.Errorf("the list is %q, with %q %d times, want %q and no more, but for one each of %q", got, element, n, want, maybe)
		}
	}
}

// Nos. 1 and 2: the SDK sends a write again that was applied, and DynamoDB refuses it, since others
// have written on top of it.
func TestAppliedWriteThatIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, others := range []int{0, 1, 2, 60} {
			for _, again := range []struct {
				name   string
				faults func(write dynamotest.Fault) []dynamotest.Fault
				reads  int // of what is there, where the refusal does not say
			}{
				{"once", func(write dynamotest.Fault) []dynamotest.Fault {
					return []dynamotest.Fault{dynamotest.AppliedThenReset, write}
				}, 0},
				{"once, and the refusal does not bring the item", func(write dynamotest.Fault) []dynamotest.Fault {
					return []dynamotest.Fault{dynamotest.AppliedThenReset, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
						resp, err := write(next, r)
						if err != nil {
							return nil, err
						}
						return dynamotest.WithoutItem(answered{resp}, r)
					}}
				}, 1},
				{"twice", func(write dynamotest.Fault) []dynamotest.Fault {
					return []dynamotest.Fault{dynamotest.AppliedThenReset, dynamotest.AppliedThenReset, write}
				}, 0},
				{"after a lost one", func(write dynamotest.Fault) []dynamotest.Fault {
					return []dynamotest.Fault{dynamotest.Reset, dynamotest.AppliedThenReset, write}
				}, 0},
			} {
				if others != 2 && again.name != "once" {
					continue
				}
				t.Run(fmt.Sprintf("%s, others write %d times, %s", mode.name, others, again.name), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode))
					b := a.browser()
					b.set("list", []string{"begin"})
					tab := a.elsewhere().tab(b)
					want := []string{"begin", "ours"}
					b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						write := func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
							for n := range others {
								want = append(want, fmt.Sprint("theirs ", n))
								if _, err := tab.with(func(s *sessions.Session) { add(s, want[len(want)-1]) }); err != nil {
									t.Errorf("Save elsewhere: %v", err)
								}
							}
							return next.RoundTrip(r)
						}
						list := again.faults(write)
						onUpdatesOf(a.backend, "data", list...)
						add(session, "ours")
						a.backend.Counts()
						if err := session.Save(r, w); err != nil {
							t.Errorf("Save: %v", err)
						}
						if counts := a.backend.Counts(); counts["UpdateItem"] != len(list) || counts["GetItem"] != again.reads {
							t.Errorf("DynamoDB was sent %v, want %d UpdateItem and %d GetItem", counts, len(list), again.reads)
						}
						if mode.mode == dynamostore.Merge {
							wantOnce(t, session.Values["list"], want)
						}
					})
					wantOnce(t, b.values()["list"], want)
				})
			}
		}
	}
}

// answered is a RoundTripper that has its response already.
type answered struct{ resp *http.Response }

func (a answered) RoundTrip(*http.Request) (*http.Response, error) { return a.resp, nil }

// Nos. 3 and 4, further: any number of Saves that nobody answered, of each fate, and then one that
// is answered. What it says is true; each change is there once; and what arrives afterwards changes
// nothing.
func TestSaveAfterUnansweredSaves(t *testing.T) {
	t.Parallel()
	during := fate{"late, during the last Save", late.faults}
	one := sequences(1, applied, appliedThenRefused, lost, late, during)
	two := sequences(2, applied, lost, late, during)[4:]
	three := [][]fate{
		{applied, applied, applied}, {applied, lost, late}, {lost, applied, lost}, {late, applied, lost}, {late, late, late},
		{during, lost, applied}, {during, during, during}, {appliedThenRefused, appliedThenRefused, lost},
	}
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, patientMode(mode.mode))
			elsewhere := a.elsewhere()
			for _, test := range []struct {
				sequences [][]fate
				last      string
				others    bool
			}{
				{one, "changed", false}, {one, "unchanged", false}, {one, "as loaded", false},
				{one, "changed", true}, {one, "unchanged", true}, {one, "as loaded", true},
				{two, "changed", false}, {two, "as loaded", false}, {two, "unchanged", true},
				{three, "changed", false}, {one, "logout", false}, {one, "logout", true}, {three, "logout", false},
			} {
				for _, fates := range thinned(test.sequences) {
					c := unansweredSaves{a, elsewhere, mode.mode, fates, test.last, test.others}
					c.run(fmt.Sprintf("%s; then %s; others write %t", names(fates), test.last, test.others))
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

type unansweredSaves struct {
	a, elsewhere *app
	mode         dynamostore.Concurrency
	fates        []fate
	last         string // what the handler does before the last Save
	others       bool   // write after each Save
}

func (c unansweredSaves) run(name string) {
	a := c.a
	a.Helper()
	b := a.browser()
	loaded := map[any]any{"list": []string{"begin"}, "n": 0, "keep": "x"}
	if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, loaded) }); err != nil {
		a.Errorf("%s: Save: %v", name, err)
	}
	tab := c.elsewhere.tab(b)
	during, after := &dynamotest.HeldBack{}, &dynamotest.HeldBack{}
	var ours map[any]any
	var theirs, maybe []string
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			a.Errorf("%s: Get: %v", name, err)
		}
		for n, f := range c.fates {
			held := after
			if f.name == "late, during the last Save" {
				held = during
			}
			onUpdatesOf(a.backend, "data", f.faults(held)...)
			add(session, fmt.Sprint("ours ", n))
			maybe = append(maybe, fmt.Sprint("ours ", n))
			session.Values["n"] = n + 1
			delete(session.Values, "keep")
			if err := session.Save(r, w); err == nil {
				a.Errorf("%s: Save %d succeeded, and DynamoDB did not answer it", name, n)
			} else if strings.Contains(err.Error(), "othing was written") {
				a.Errorf("%s: Save %d: error is %v, which nobody can know", name, n, err)
			}
			a.backend.Heal()
			if c.others {
				theirs = append(theirs, fmt.Sprint("theirs ", n))
				if _, err := tab.with(func(s *sessions.Session) { add(s, theirs[n]); s.Values[theirs[n]] = n }); err != nil {
					a.Errorf("%s: Save elsewhere: %v", name, err)
				}
			}
		}
		switch c.last {
		case "changed":
			add(session, "last")
		case "as loaded":
			clear(session.Values)
			maps.Copy(session.Values, loaded)
		case "logout":
			session.Options.MaxAge = -1
		}
		ours = maps.Clone(session.Values)
		onUpdates(a.backend, func(r *http.Request) bool { return setsAttribute(r, "data") || setsAttribute(r, "gone") },
			dynamotest.Do(func() { during.Deliver(a) }))
		err = session.Save(r, w)
		a.backend.Heal()
		during.Deliver(a) // in case that Save wrote nothing
		switch {
		case c.last == "logout":
			if err != nil {
				a.Errorf("%s: logout: %v", name, err)
			}
			return
		case c.others && c.mode == dynamostore.Refuse:
			wantError(a.T, err, dynamostore.ErrConflict)
		case c.others && c.mode == dynamostore.Lock:
			wantError(a.T, err, dynamostore.ErrLockLost)
		case err != nil:
			a.Errorf("%s: the last Save: %v", name, err)
		}
		if err != nil {
			return
		}
		if c.mode != dynamostore.Lock { // where another load would take the lock
			if got := b.tab().values(); !reflect.DeepEqual(got, session.Values) {
				a.Errorf("%s: the table has %v, and the session %v, want the same", name, got, session.Values)
			}
		}
		a.backend.Counts()
		if err := session.Save(r, w); err != nil {
			a.Errorf("%s: an unchanged Save after it: %v", name, err)
		}
		a.wantSent()
	})
	if c.last == "logout" {
		after.Deliver(a)
		a.wantLive(0)
		a.clear()
		if a.Failed() {
			a.Logf("in the case: %s", name)
		}
		return
	}
	before := a.itemUnder(b)
	for _, status := range after.Deliver(a) {
		if status == http.StatusOK {
			a.Errorf("%s: a write that arrived late was applied", name)
		}
	}
	if now := a.itemUnder(b); !reflect.DeepEqual(now, before) {
		a.Errorf("%s: what arrived late changed the item from %v to %v", name, show(before), show(now))
	}
	got := b.values()
	switch {
	case !c.others || c.mode == dynamostore.Overwrite:
		if !reflect.DeepEqual(got, ours) {
			a.Errorf("%s: the session holds %v, want %v", name, got, ours)
		}
	case c.mode == dynamostore.Merge:
		wantOnce(a.T, got["list"], append(ours["list"].([]string), theirs...))
		for _, key := range theirs {
			if got[key] == nil {
				a.Errorf("%s: the session holds %v, want %s as well", name, got, key)
			}
		}
		if _, ok := got["keep"]; ok != (c.last == "as loaded") || got["n"] != ours["n"] {
			a.Errorf("%s: the session holds %v, want n and keep as in %v", name, got, ours)
		}
	default: // the last Save was refused
		want := append([]string{"begin"}, theirs...)
		if c.fates[0].name == applied.name {
			want = append(want, "ours 0")
		}
		wantOnce(a.T, got["list"], want, maybe...)
	}
	a.clear()
	if a.Failed() {
		a.Logf("in the case: %s", name)
	}
}

// The Save after one that was not answered reads first, strongly consistent. If that fails, it
// writes nothing.
func TestSaveAfterAnUnansweredSaveReadsFirst(t *testing.T) {
	t.Parallel()
	for _, mode := range unlocked {
		for _, test := range []struct {
			name string
			op   string // that is not answered
			save func(a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error
		}{
			{"create", "PutItem", func(_ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error { return s.Save(r, w) }},
			{"update", "UpdateItem", func(_ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error { return s.Save(r, w) }},
			{"a new ID", "TransactWriteItems", func(a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				return a.store.Regenerate(r, w, s)
			}},
		} {
			if test.op == "TransactWriteItems" && noTransactions {
				continue
			}
			t.Run(mode.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.EventualReads = true })
				b := a.browser()
				if test.name != "create" {
					b.set("list", []string{"begin"})
				}
				want := append([]string{}, "ours", "more")
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					if !session.IsNew {
						want = append(want, "begin")
					}
					a.backend.Inject(test.op, lost.faults(nil)...)
					add(session, "ours")
					if err := test.save(a, w, r, session); err == nil {
						t.Error("the first Save succeeded, and DynamoDB did not answer it")
					}
					a.backend.Counts()
					a.backend.Inject("GetItem", dynamotest.Times(3, dynamotest.InternalError)...)
					add(session, "more")
					if err := test.save(a, w, r, session); err == nil || !strings.Contains(err.Error(), a.cfg.Table) {
						t.Errorf("the second Save: error is %v, want one of the read that names the table", err)
					}
					a.wantSent("GetItem", "GetItem", "GetItem")
					consistent := false
					a.backend.Inject("GetItem", func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
						consistent = strings.Contains(string(bodyOf(r)), `"ConsistentRead":true`)
						return next.RoundTrip(r)
					})
					if err := test.save(a, w, r, session); err != nil {
						t.Errorf("the third Save: %v", err)
					}
					a.wantSent("GetItem", test.op)
					if !consistent {
						t.Error("the read was eventually consistent, want a strongly consistent one")
					}
				})
				if len(cookies) > 1 {
					t.Errorf("the response set the cookies %v, want one at most", cookies)
				}
				wantOnce(t, b.values()["list"], want)
			})
		}
	}
}

// No. 2: the second Save waits in line behind another request of the process.
func TestSaveAfterAnUnansweredSaveWaitsInLine(t *testing.T) {
	t.Parallel()
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Overwrite} {
		for _, f := range []fate{applied, lost, late} {
			t.Run(fmt.Sprint(mode, " ", f.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency = mode })
					cookie := i.begin(map[any]any{"list": []string{"begin"}})
					ours, first := i.visit(t.Context(), cookie), i.visit(t.Context(), cookie)
					held := &dynamotest.HeldBack{}
					i.backend.Inject("UpdateItem", f.faults(held)...)
					add(ours.session, "ours")
					if err := ours.save(); err == nil {
						t.Error("Save succeeded, and DynamoDB did not answer it")
					}
					write := make(chan struct{})
					i.backend.Inject("UpdateItem", dynamotest.Do(func() { <-write }))
					add(first.session, "first")
					var errs [2]error
					done := make(chan struct{}, 2)
					go func() { errs[0] = first.save(); done <- struct{}{} }()
					synctest.Wait() // until first writes
					go func() { errs[1] = ours.save(); done <- struct{}{} }()
					synctest.Wait() // until ours waits in line
					close(write)
					<-done
					<-done
					if err := errors.Join(errs[:]...); err != nil {
						t.Errorf("Save: %v", err)
					}
					held.Deliver(t)
					got := i.visit(t.Context(), cookie).session.Values["list"]
					if mode == dynamostore.Merge {
						wantOnce(t, got, []string{"begin", "ours", "first"})
					} else {
						wantOnce(t, got, []string{"begin", "ours"})
					}
				})
			})
		}
	}
}

// A create or a new ID that was applied and is sent again, is refused as well, and is recognized.
func TestAppliedCreateThatIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, others := range []int{0, 2} {
			for _, item := range []bool{true, false} { // that a refusal brings
				t.Run(fmt.Sprintf("%s, others write %d times, refusals bring the item %t", mode.name, others, item), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode))
					tab := a.elsewhere().browser()
					tab.setCookie(signed(t, "its own", keyA))
					want := []string{"ours"}
					a.backend.Inject("PutItem", dynamotest.AppliedThenReset, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
						for n := range others {
							want = append(want, fmt.Sprint(n))
							if _, err := tab.with(func(s *sessions.Session) { add(s, fmt.Sprint(n)) }); err != nil {
								t.Errorf("Save elsewhere: %v", err)
							}
						}
						if !item {
							return dynamotest.WithoutItem(next, r)
						}
						return next.RoundTrip(r)
					})
					b := a.browser()
					cookies, err := b.with(func(s *sessions.Session) { s.ID = "its own"; add(s, "ours") })
					if err != nil || len(cookies) != 1 {
						t.Errorf("Save: %v, and the cookies %v, want one", err, cookies)
					}
					if item {
						a.wantSent("PutItem", "PutItem")
					} else {
						a.wantSent("GetItem", "PutItem", "PutItem")
					}
					wantOnce(t, b.values()["list"], want)
				})
			}
		}
	}
}

func TestAppliedRegenerateThatIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, op := range []string{"TransactWriteItems", "create", "tombstone"} {
			for _, item := range []bool{true, false} { // that a refusal brings
				t.Run(fmt.Sprintf("%s, %s, refusals bring the item %t", mode.name, op, item), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.NoTransactions = op != "TransactWriteItems" })
					b := a.browser()
					b.set("list", []string{"begin"})
					old := b.tab()
					again := through
					if !item {
						again = dynamotest.WithoutItem
					}
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						unansweredRegenerates{a: a, op: op}.inject([]dynamotest.Fault{dynamotest.AppliedThenReset, again})
						add(session, "ours")
						if err := a.store.Regenerate(r, w, session); err != nil {
							t.Errorf("Regenerate: %v", err)
						}
						a.backend.Heal()
						session.Values["more"] = 1
						if err := session.Save(r, w); err != nil {
							t.Errorf("Save after it: %v", err)
						}
					})
					got := b.values()
					wantOnce(t, got["list"], []string{"begin", "ours"})
					if len(cookies) != 1 || got["more"] != 1 || len(old.values()) != 0 {
						t.Errorf("the response set %v, which opens %v, and the old cookie opens %v, want a session with more, and nothing", cookies, got, old.values())
					}
					a.wantLive(1)
				})
			}
		}
	}
}

// No. 5: another request's acknowledged MaxAge stays, also where the merge with it was not
// answered.
func TestUnansweredMergeKeepsAnotherMaxAge(t *testing.T) {
	t.Parallel()
	for _, f := range []fate{applied, appliedThenRefused, lost, late} {
		for _, regenerate := range []bool{false, true} {
			if regenerate && noTransactions {
				continue
			}
			for _, last := range []string{"changed", "unchanged"} {
				t.Run(fmt.Sprintf("%s, a new ID %t, then %s", f.name, regenerate, last), func(t *testing.T) {
					a := newApp(t)
					b := a.browser()
					b.set("list", []string{"begin"})
					tab := a.elsewhere().tab(b)
					held := &dynamotest.HeldBack{}
					b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						elsewhere := func() {
							if _, err := tab.with(func(s *sessions.Session) { s.Options.MaxAge = 3600; s.Values["theirs"] = 1 }); err != nil {
								t.Errorf("Save elsewhere: %v", err)
							}
						}
						add(session, "ours")
						if regenerate {
							a.backend.Inject("TransactWriteItems", append([]dynamotest.Fault{dynamotest.Do(elsewhere)}, f.faults(held)...)...)
							err = a.store.Regenerate(r, w, session)
						} else {
							elsewhere()
							a.backend.Inject("UpdateItem", append([]dynamotest.Fault{through}, f.faults(held)...)...) // the first is refused
							err = session.Save(r, w)
						}
						if err == nil {
							t.Error("the first Save succeeded, and DynamoDB did not answer it")
						}
						if last == "changed" {
							session.Values["more"] = 2
						}
						if err := session.Save(r, w); err != nil {
							t.Errorf("the second Save: %v", err)
						}
						if session.Options.MaxAge != 3600 {
							t.Errorf("MaxAge = %d, want the other request's, 3600", session.Options.MaxAge)
						}
					})
					held.Deliver(t)
					if got := attrText(a.item()["max_age"]); got != "N:3600" {
						t.Errorf("max_age is %s, want N:3600", got)
					}
					got := b.values()
					wantOnce(t, got["list"], []string{"begin", "ours"})
					if got["theirs"] != 1 || (got["more"] == 2) != (last == "changed") {
						t.Errorf("the session holds %v, want theirs, and more if it was %s", got, last)
					}
				})
			}
		}
	}
}

// The same the other way round: of two changes of MaxAge the later write wins, and a Save that was
// not answered is the later one only if it did not arrive before.
func TestMaxAgeOfAnUnansweredSave(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fate fate
		want string
	}{{applied, "N:3600"}, {lost, "N:60"}, {late, "N:60"}} {
		t.Run(test.fate.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("k", 0)
			tab := a.elsewhere().tab(b)
			held := &dynamotest.HeldBack{}
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				a.backend.Inject("UpdateItem", test.fate.faults(held)...)
				session.Options.MaxAge = 60
				if err := session.Save(r, w); err == nil {
					t.Error("the first Save succeeded, and DynamoDB did not answer it")
				}
				if _, err := tab.with(func(s *sessions.Session) { s.Options.MaxAge = 3600 }); err != nil {
					t.Errorf("Save elsewhere: %v", err)
				}
				session.Values["k"] = 1
				if err := session.Save(r, w); err != nil {
					t.Errorf("the second Save: %v", err)
				}
			})
			held.Deliver(t)
			if got := attrText(a.item()["max_age"]); got != test.want {
				t.Errorf("max_age is %s, want %s", got, test.want)
			}
		})
	}
}

// No. 6: what another request consumed does not come back.
func TestConsumedFlashDoesNotComeBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		begin  []any
		ours   func(*sessions.Session) // stored, and not answered
		theirs func(*sessions.Session)
		more   func(*sessions.Session) // before the second Save
		want   []any
	}{
		{"added, and consumed between the tries", nil,
			func(s *sessions.Session) { s.AddFlash("hello") },
			func(s *sessions.Session) { s.Flashes() },
			func(*sessions.Session) {}, nil},
		{"added to others, and all consumed", []any{"a"},
			func(s *sessions.Session) { s.AddFlash("hello") },
			func(s *sessions.Session) { s.Flashes() },
			func(s *sessions.Session) { s.AddFlash("more") }, []any{"more"}},
		{"reordered, and one consumed", []any{"a", "b", "c"},
			func(s *sessions.Session) { s.Values["_flash"] = []any{"c", "b", "a"} },
			func(s *sessions.Session) { s.Values["_flash"] = []any{"c", "a"} },
			func(s *sessions.Session) { s.AddFlash("more") }, []any{"a", "c", "more"}},
		{"consumed by both", []any{"a", "b"},
			func(s *sessions.Session) { s.Flashes() },
			func(s *sessions.Session) { s.Flashes() },
			func(*sessions.Session) {}, nil},
		{"consumed by us, and another added", []any{"a"},
			func(s *sessions.Session) { s.Flashes() },
			func(s *sessions.Session) { s.AddFlash("theirs") },
			func(*sessions.Session) {}, []any{"theirs"}},
		{"added twice, and one of the two consumed", nil,
			func(s *sessions.Session) { s.AddFlash("hello"); s.AddFlash("hello") },
			func(s *sessions.Session) { s.Values["_flash"] = []any{"hello"} },
			func(*sessions.Session) {}, []any{"hello"}},
	} {
		for _, f := range []fate{applied, appliedThenRefused} {
			t.Run(test.name+", "+f.name, func(t *testing.T) {
				a := newApp(t)
				b := a.browser()
				b.set("_flash", test.begin)
				tab := a.elsewhere().tab(b)
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					a.backend.Inject("UpdateItem", f.faults(nil)...)
					test.ours(session)
					if err := session.Save(r, w); err == nil {
						t.Error("the first Save succeeded, and DynamoDB did not answer it")
					}
					if _, err := tab.with(test.theirs); err != nil {
						t.Errorf("Save elsewhere: %v", err)
					}
					test.more(session)
					if err := session.Save(r, w); err != nil {
						t.Errorf("the second Save: %v", err)
					}
				})
				got, _ := b.values()["_flash"].([]any)
				slices.SortFunc(got, func(x, y any) int { return strings.Compare(x.(string), y.(string)) })
				if !slices.Equal(got, test.want) {
					t.Errorf("flashes = %v, want %v", got, test.want)
				}
			})
		}
	}
}

// No. 7: the first request to create a session arrives after its logout.
func TestLateCreateAfterLogout(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, kept := range []int{1, 2} { // attempts that are held back, before one that is answered
			for _, logout := range []string{"logout", "Destroy"} {
				t.Run(fmt.Sprintf("%s, %d attempts, %s", mode.name, kept, logout), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode))
					b := a.browser()
					held := &dynamotest.HeldBack{}
					a.backend.Inject("PutItem", dynamotest.Times(kept, held.Reset)...)
					b.set("user", "ann")
					old := b.tab()
					if logout == "logout" {
						b.logout()
					} else if err := a.store.Destroy(t.Context(), strings.TrimPrefix(attrText(a.item()["id"]), "S:")); err != nil {
						t.Errorf("Destroy: %v", err)
					}
					wantRefused(t, held, kept)
					a.wantLive(0)
					if got := old.values()["user"]; got != nil {
						t.Errorf("the cookie opens the session of %v after the logout", got)
					}
				})
			}
		}
	}
}

// Nos. 7 and 10: creates of which none was answered, and then something else. There is one session
// in the end, whatever arrives after it, or none if it was logged out.
func TestAfterUnansweredCreates(t *testing.T) {
	t.Parallel()
	during := fate{"late, during what follows", late.faults}
	for _, mode := range modes {
		for _, ownID := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, an ID of its own %t", mode.name, ownID), func(t *testing.T) {
				t.Parallel()
				a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.UserKey = "user" })
				for n, test := range thinned(tries(func(n int) [][]fate { return sequences(n, applied, lost, late, during) }, mode.mode == dynamostore.Merge || !ownID)) {
					c := unansweredCreates{a, test.fates, test.next, ""}
					if ownID {
						c.id = fmt.Sprint("own ", n)
					}
					c.run(fmt.Sprintf("%s; then %s", names(test.fates), test.next))
					if t.Failed() {
						return
					}
				}
			})
		}
	}
}

// A try is writes of which none was answered, and what the handler does then.
type try struct {
	fates []fate
	next  string
}

// tries returns all that follow on one write, and, if many, such as tell most after two and three.
func tries(sequences func(int) [][]fate, many bool) (all []try) {
	each := func(sequences [][]fate, next ...string) {
		for _, fates := range sequences {
			for _, n := range next {
				all = append(all, try{fates, n})
			}
		}
	}
	one := sequences(1)
	each(append(one, []fate{appliedThenRefused}), "unchanged Save", "changed Save", "logout", "Regenerate")
	if many {
		each(sequences(2)[len(one):], "changed Save", "logout")
		each([][]fate{{applied, applied, applied}, {late, late, late}, {lost, applied, late}}, "unchanged Save", "logout", "Regenerate")
	}
	return all
}

type unansweredCreates struct {
	a     *app
	fates []fate
	next  string
	id    string // the application's own
}

func (c unansweredCreates) run(name string) {
	a := c.a
	a.Helper()
	b := a.browser()
	during, after := &dynamotest.HeldBack{}, &dynamotest.HeldBack{}
	list := []string{}
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			a.Errorf("%s: Get: %v", name, err)
		}
		session.ID = c.id
		session.Values["user"] = "ann"
		for n, f := range c.fates {
			held := after
			if f.name == "late, during what follows" {
				held = during
			}
			// A second try may find that the first was applied, and then updates.
			a.backend.Inject("PutItem", f.faults(held)...)
			onUpdatesOf(a.backend, "data", f.faults(held)...)
			list = append(list, fmt.Sprint(n))
			add(session, list[n])
			if err := session.Save(r, w); err == nil {
				a.Errorf("%s: Save %d succeeded, and DynamoDB did not answer it", name, n)
			}
			if session.ID != c.id {
				a.Errorf("%s: Save %d, which failed, set the session's ID to %q", name, n, session.ID)
			}
			a.backend.Heal()
		}
		for _, op := range []string{"PutItem", "UpdateItem"} {
			a.backend.Inject(op, dynamotest.Do(func() { during.Deliver(a) }))
		}
		switch c.next {
		case "unchanged Save":
			err = session.Save(r, w)
		case "changed Save":
			list = append(list, "more")
			add(session, "more")
			err = session.Save(r, w)
		case "Regenerate":
			err = a.store.Regenerate(r, w, session)
		case "logout":
			session.Options.MaxAge = -1
			err = session.Save(r, w)
		}
		a.backend.Heal()
		if err != nil {
			a.Errorf("%s: %v", name, err)
		}
	})
	live := 1
	if c.next == "logout" {
		live = 0
	}
	for _, when := range []string{"before", "after"} {
		a.wantLive(live)
		if live == 1 {
			got := b.values()
			wantOnce(a.T, got["list"], list)
			if len(cookies) != 1 || got["user"] != "ann" {
				a.Errorf("%s: %s late requests arrived, the response set %v, and the session holds %v, want a cookie and ann's", name, when, cookies, got)
			}
		}
		after.Deliver(a)
		during.Deliver(a)
	}
	a.clear()
	if a.Failed() {
		a.Logf("in the case: %s", name)
	}
}

// No. 10: there is one session in the user's list as well.
func TestUnansweredCreateIsOneSessionOfTheUser(t *testing.T) {
	t.Parallel()
	for _, f := range []fate{applied, lost, late} {
		t.Run(f.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.UserKey = "user"; c.Table = "" })
			if err := a.store.EnsureTable(t.Context()); err != nil {
				t.Fatalf("EnsureTable: %v", err)
			}
			held := &dynamotest.HeldBack{}
			a.browser().visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				session.Values["user"] = "ann"
				a.backend.Inject("PutItem", f.faults(held)...)
				if err := session.Save(r, w); err == nil {
					t.Error("the first Save succeeded, and DynamoDB did not answer it")
				}
				if err := session.Save(r, w); err != nil {
					t.Errorf("the second Save: %v", err)
				}
			})
			held.Deliver(t)
			var users []string
			for info, err := range a.store.UserSessions(t.Context(), "ann") {
				if err != nil {
					t.Errorf("UserSessions: %v", err)
				}
				users = append(users, info.User)
			}
			if !slices.Equal(users, []string{"ann"}) {
				t.Errorf("UserSessions returned sessions of %q, want one of ann", users)
			}
		})
	}
}

// No. 8, further: Regenerates of which none was answered, and then something else. There is one
// session in the end, which the browser's cookie opens, whatever arrives after it; and no other
// cookie opens it if the ID did change.
func TestAfterUnansweredRegenerates(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, writer := range writers {
			ops := []string{"TransactWriteItems"}
			if writer.noTransactions {
				ops = []string{"create", "tombstone"} // the write that is not answered; of both, the one before is
			}
			for _, op := range ops {
				t.Run(mode.name+", "+op, func(t *testing.T) {
					t.Parallel()
					a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
					for _, test := range thinned(tries(func(n int) [][]fate { return sequences(n, applied, lost, late) }, mode.mode == dynamostore.Merge || mode.mode == dynamostore.Lock)) {
						unansweredRegenerates{a, op, test.fates, test.next}.run(fmt.Sprintf("%s; then %s", names(test.fates), test.next))
						if t.Failed() {
							return
						}
					}
				})
			}
		}
	}
}

type unansweredRegenerates struct {
	a     *app
	op    string
	fates []fate
	next  string
}

// inject makes the next write of the operation meet faults.
func (c unansweredRegenerates) inject(faults []dynamotest.Fault) {
	switch c.op {
	case "create":
		c.a.backend.Inject("PutItem", faults...)
	case "TransactWriteItems":
		c.a.backend.Inject(c.op, faults...)
	}
	// Once a try was applied, the next one updates the session under its new ID.
	onUpdates(c.a.backend, func(r *http.Request) bool {
		return setsAttribute(r, "data") || c.op == "tombstone" && setsAttribute(r, "gone")
	}, faults...)
}

func (c unansweredRegenerates) run(name string) {
	a := c.a
	a.Helper()
	b := a.browser()
	b.set("list", []string{"begin"})
	old := b.tab()
	list := []string{"begin"}
	held := &dynamotest.HeldBack{}
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			a.Errorf("%s: Get: %v", name, err)
		}
		id := session.ID
		for n, f := range c.fates {
			c.inject(f.faults(held))
			list = append(list, fmt.Sprint(n))
			add(session, fmt.Sprint(n))
			if err := a.store.Regenerate(r, w, session); err == nil {
				a.Errorf("%s: Regenerate %d succeeded, and DynamoDB did not answer it", name, n)
			}
			if session.ID != id {
				a.Errorf("%s: Regenerate %d, which failed, set the session's ID", name, n)
			}
			a.backend.Heal()
		}
		switch c.next {
		case "unchanged Save":
			err = session.Save(r, w)
		case "changed Save":
			list = append(list, "more")
			add(session, "more")
			err = session.Save(r, w)
		case "Regenerate":
			err = a.store.Regenerate(r, w, session)
		case "logout":
			session.Options.MaxAge = -1
			err = session.Save(r, w)
		}
		if err != nil {
			a.Errorf("%s: %v", name, err)
		}
	})
	live := 1
	if c.next == "logout" {
		live = 0
	}
	for _, when := range []string{"before", "after"} {
		a.wantLive(live)
		if live == 1 {
			got := b.values()
			wantOnce(a.T, got["list"], list)
			rotated := c.next == "Regenerate" || c.op != "create" && c.fates[0].name == applied.name
			if rotated && (len(cookies) != 1 || old.cookie() == b.cookie() || len(old.values()) != 0) {
				a.Errorf("%s: %s late requests arrived, the response set %v, and the old cookie opens %v, want a new cookie, and nothing", name, when, cookies, old.values())
			}
		} else if len(old.values()) != 0 {
			a.Errorf("%s: %s late requests arrived, the old cookie opens %v after the logout", name, when, old.values())
		}
		held.Deliver(a)
	}
	a.clear()
	if a.Failed() {
		a.Logf("in the case: %s", name)
	}
}

// Others write the session between a Regenerate that was not answered, and did not arrive, and what
// follows.
func TestUnansweredRegenerateAndAnotherWrite(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, writer := range writers {
			for _, f := range []fate{lost, late} {
				for _, next := range []string{"Save", "Regenerate"} {
					t.Run(fmt.Sprintf("%s, %s, %s, then %s", mode.name, writer.name, f.name, next), func(t *testing.T) {
						a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
						b := a.browser()
						b.set("list", []string{"begin"})
						tab := a.elsewhere().tab(b)
						held := &dynamotest.HeldBack{}
						b.visit(func(w http.ResponseWriter, r *http.Request) {
							session, err := a.store.Get(r, cookieName)
							if err != nil {
								t.Errorf("Get: %v", err)
							}
							unansweredRegenerates{a: a, op: opOfNewID(a)}.inject(f.faults(held))
							add(session, "ours")
							if err := a.store.Regenerate(r, w, session); err == nil {
								t.Error("Regenerate succeeded, and DynamoDB did not answer it")
							}
							a.backend.Heal()
							if _, err := tab.with(func(s *sessions.Session) { add(s, "theirs") }); err != nil {
								t.Errorf("Save elsewhere: %v", err)
							}
							if next == "Save" {
								err = session.Save(r, w)
							} else {
								err = a.store.Regenerate(r, w, session)
							}
							switch mode.mode {
							case dynamostore.Refuse:
								wantError(t, err, dynamostore.ErrConflict)
							case dynamostore.Lock:
								wantError(t, err, dynamostore.ErrLockLost)
							default:
								if err != nil {
									t.Errorf("%s: %v", next, err)
								}
							}
						})
						for range 2 {
							if !writer.noTransactions || mode.mode != dynamostore.Refuse && mode.mode != dynamostore.Lock {
								a.wantLive(1) // else see TestRefusedRegenerateInTwoWritesLeavesNothing
							}
							switch got := b.values()["list"]; mode.mode {
							case dynamostore.Merge:
								wantOnce(t, got, []string{"begin", "ours", "theirs"})
							case dynamostore.Overwrite:
								wantOnce(t, got, []string{"begin", "ours"})
							default:
								wantOnce(t, got, []string{"begin", "theirs"})
							}
							held.Deliver(t)
						}
					})
				}
			}
		}
	}
}

// No. 12, further: a Save is not merged into a session that has another user by now, whatever
// became of the Saves before it that were not answered.
func TestUnansweredSaveAndAnotherUser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		theirs any // the user by now; nil for none
	}{{"taken out", nil}, {"replaced", "bob"}} {
		for _, f := range []fate{applied, lost, late} {
			for _, next := range []string{"Save", "Regenerate"} {
				t.Run(test.name+", "+f.name+", "+next, func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) { c.UserKey = "user" })
					b := a.browser()
					b.set("user", "ann")
					later, tab := b.tab(), a.elsewhere().tab(b)
					held := &dynamotest.HeldBack{}
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						a.backend.Inject("UpdateItem", f.faults(held)...)
						session.Values["early"] = "ann's address"
						if err := session.Save(r, w); err == nil {
							t.Error("the first Save succeeded, and DynamoDB did not answer it")
						}
						if _, err := tab.with(func(s *sessions.Session) {
							s.Values["user"] = test.theirs
							if test.theirs == nil {
								delete(s.Values, "user")
							}
							delete(s.Values, "early")
						}); err != nil {
							t.Errorf("Save elsewhere: %v", err)
						}
						session.Values["late"] = "ann's address"
						for range 2 {
							if next == "Save" {
								err = session.Save(r, w)
							} else {
								err = a.store.Regenerate(r, w, session)
							}
							wantError(t, err, dynamostore.ErrConflict, "ann", "bob")
						}
					})
					held.Deliver(t)
					if len(cookies) != 0 {
						t.Errorf("%s set the cookie %v", next, cookies)
					}
					if got := later.values(); got["early"] != nil || got["late"] != nil || got["user"] != test.theirs {
						t.Errorf("the session holds %v, want the user %v, and nothing of ann's", got, test.theirs)
					}
				})
			}
		}
	}
}

// No. 13: a changed Save sets no cookie that could arrive after that of a new ID.
func TestResponseThatIsOvertakenByANewID(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("k", 0)
			slow := b.tab() // another tab of the same browser, whose response comes last
			cookies := slow.set("k", 1)
			if _, err := b.regenerate("user", "ann"); err != nil {
				t.Errorf("Regenerate: %v", err)
			}
			for _, c := range cookies {
				b.setCookie(c.Value)
			}
			if got := b.values(); got["user"] != "ann" || got["k"] != 1 {
				t.Errorf("the browser's cookie opens a session with %v, want user and k", got)
			}
		})
	}
}

// No. 14: what an error, or none, says of a write whose session was given a new ID or ended, before
// the SDK sent it again. The tombstone remembers the write.
func TestAppliedWriteThatIsSentAgainToATombstone(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name string
			end  func(*app, *browser)
		}{
			{"given a new ID", func(a *app, tab *browser) {
				if _, err := tab.regenerate("theirs", 1); err != nil {
					a.Errorf("Regenerate elsewhere: %v", err)
				}
			}},
			{"written, and given a new ID", func(a *app, tab *browser) {
				for n := range 3 {
					tab.set("theirs", n)
				}
				if _, err := tab.regenerate("theirs", 1); err != nil {
					a.Errorf("Regenerate elsewhere: %v", err)
				}
			}},
			{"logged out", func(_ *app, tab *browser) { tab.logout() }},
			{"written, and logged out", func(_ *app, tab *browser) {
				for n := range 3 {
					tab.set("theirs", n)
				}
				tab.logout()
			}},
		} {
			for _, item := range []bool{true, false} { // that a refusal brings
				t.Run(fmt.Sprintf("%s, %s, refusals bring the item %t", mode.name, test.name, item), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode))
					b := a.browser()
					b.set("k", 0)
					tab := a.elsewhere().tab(b)
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						onUpdatesOf(a.backend, "data", dynamotest.AppliedThenReset, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
							test.end(a, tab)
							if !item {
								return dynamotest.WithoutItem(next, r)
							}
							return next.RoundTrip(r)
						})
						session.Values["ours"] = "v"
						session.Options.SameSite = http.SameSiteStrictMode // so that the Save would set the cookie
						if err := session.Save(r, w); err != nil {
							t.Errorf("Save: %v, and it was applied", err)
						}
						// What comes after the end is not written.
						session.Values["more"] = 1
						wantError(t, session.Save(r, w), dynamostore.ErrGone)
					})
					if len(cookies) != 0 {
						t.Errorf("Save set the cookie %v of a session that has ended", cookies)
					}
					got := tab.values()
					if strings.Contains(test.name, "new ID") {
						if got["ours"] != "v" || got["more"] != nil || got["theirs"] != 1 {
							t.Errorf("the session under its new ID holds %v, want ours and theirs", got)
						}
						return
					}
					a.wantLive(0)
					if len(got) != 0 {
						t.Errorf("the session holds %v after the logout", got)
					}
				})
			}
		}
	}
}

// The same after a Save that was not answered at all: the next one returns ErrGone, and speaks of
// itself alone.
func TestSaveAfterAnUnansweredSaveOfASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, f := range []fate{applied, lost, late} {
			for _, newID := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, given a new ID %t", mode.name, f.name, newID), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode))
					b := a.browser()
					b.set("list", []string{"begin"})
					tab := a.elsewhere().tab(b)
					held := &dynamotest.HeldBack{}
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						onUpdatesOf(a.backend, "data", f.faults(held)...)
						add(session, "ours")
						if err := session.Save(r, w); err == nil {
							t.Error("the first Save succeeded, and DynamoDB did not answer it")
						}
						if newID {
							if _, err := tab.regenerate("theirs", 1); err != nil {
								t.Errorf("Regenerate elsewhere: %v", err)
							}
						} else {
							tab.logout()
						}
						for range 2 {
							add(session, "more")
							wantError(t, session.Save(r, w), dynamostore.ErrGone)
						}
					})
					held.Deliver(t)
					if len(cookies) != 0 {
						t.Errorf("Save set the cookie %v", cookies)
					}
					if !newID {
						a.wantLive(0)
						return
					}
					want := []string{"begin"}
					if f.name == applied.name {
						want = append(want, "ours")
					}
					wantOnce(t, tab.values()["list"], want)
				})
			}
		}
	}
}

// No. 16: whoever waits in line until the end of their time gets the error of the deadline, and not
// that of a conflict.
func TestWaitingInLineUntilTheTimeIsOver(t *testing.T) {
	t.Parallel()
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Overwrite} {
		for _, test := range []struct {
			name     string
			deadline time.Duration // of the request that waits
			takes    time.Duration
		}{{"Config.Timeout", 0, 7 * time.Second}, {"the request's deadline", 3 * time.Second, 3 * time.Second}} {
			for _, regenerate := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v, %s, a new ID %t", mode, test.name, regenerate), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency, c.Timeout = mode, 7*time.Second })
						cookie := i.begin(map[any]any{"k": 0})
						ctx := t.Context()
						if test.deadline > 0 {
							var cancel context.CancelFunc
							ctx, cancel = context.WithTimeout(ctx, test.deadline)
							defer cancel()
						}
						first, waits := i.visit(t.Context(), cookie), i.visit(ctx, cookie)
						write := make(chan struct{})
						i.backend.Inject("UpdateItem", dynamotest.Do(func() { <-write })) // a transport that minds no context
						first.session.Values["first"] = 1
						done := make(chan error)
						go func() { done <- first.save() }()
						synctest.Wait()
						i.backend.Counts()
						waits.session.Values["waits"] = 1
						begin := time.Now()
						var err error
						if regenerate {
							err = i.store.Regenerate(waits.r, waits.w, waits.session)
						} else {
							err = waits.save()
						}
						wantError(t, err, context.DeadlineExceeded, cookie.Value)
						if errors.Is(err, dynamostore.ErrConflict) {
							t.Errorf("error %v is ErrConflict", err)
						}
						if got := time.Since(begin); got != test.takes {
							t.Errorf("Save took %v, want %v", got, test.takes)
						}
						if counts := i.backend.Counts(); len(counts) != 0 {
							t.Errorf("DynamoDB was sent %v, want nothing", counts)
						}
						close(write)
						<-done
						// The line goes on.
						next := i.visit(t.Context(), cookie)
						next.session.Values["next"] = 1
						if err := next.save(); err != nil {
							t.Errorf("Save of the next request: %v", err)
						}
					})
				})
			}
		}
	}
}

// The same for a request that is refused, again and again, because of others.
func TestRefusedUntilTheTimeIsOver(t *testing.T) {
	t.Parallel()
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Overwrite} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency, c.Timeout = mode, 2*time.Second })
				cookie := i.begin(map[any]any{"k": 0})
				v := i.visit(t.Context(), cookie)
				begin, n := time.Now(), 0
				i.backend.Inject("UpdateItem", dynamotest.Times(100_000, dynamotest.Do(func() {
					n++
					item := i.item()
					item["version"] = dynamotest.S(fmt.Sprint("another program's ", n))
					i.backend.Put(t, item)
				}))...)
				v.session.Values["ours"] = 1
				err := v.save()
				wantError(t, err, context.DeadlineExceeded, cookie.Value)
				if errors.Is(err, dynamostore.ErrConflict) {
					t.Errorf("error %v is ErrConflict", err)
				}
				if got := time.Since(begin); got != 2*time.Second {
					t.Errorf("Save took %v, want Config.Timeout, 2s", got)
				}
				// It pauses for longer and longer, up to 50 ms.
				if n < 2_000/50 || n > 500 {
					t.Errorf("DynamoDB was asked %d times, want pauses of up to 50 ms", n)
				}
				if got := v.cookies(); len(got) != 0 {
					t.Errorf("Save set the cookie %v", got)
				}
			})
		})
	}
}

// A touch that arrives late is refused by what was acknowledged meanwhile.
func TestLateTouch(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name string
			next func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error
			live int
		}{
			{"after the logout", func(_ *testing.T, _ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				s.Options.MaxAge = -1
				return s.Save(r, w)
			}, 0},
			{"after Destroy", func(t *testing.T, a *app, _ http.ResponseWriter, _ *http.Request, s *sessions.Session) error {
				return a.store.Destroy(t.Context(), a.store.Key(s))
			}, 0},
			{"after a change", func(_ *testing.T, _ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				s.Values["k"] = 1
				return s.Save(r, w)
			}, 1},
			{"after a shorter MaxAge", func(_ *testing.T, _ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				s.Options.MaxAge = 60
				return s.Save(r, w)
			}, 1},
			{"after a new ID", func(_ *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				return a.store.Regenerate(r, w, s)
			}, 1},
			{"after another touch", func(_ *testing.T, _ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				return s.Save(r, w)
			}, 1},
		} {
			for _, answered := range []bool{false, true} { // another attempt of the touch
				t.Run(fmt.Sprintf("%s, %s, another attempt is answered %t", mode.name, test.name, answered), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode))
					b := a.browser()
					b.set("k", 0)
					a.makeTouchDue()
					held := &dynamotest.HeldBack{}
					b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						if answered {
							onUpdatesOf(a.backend, "expires", held.Reset)
						} else {
							onUpdatesOf(a.backend, "expires", late.faults(held)...)
						}
						if err := session.Save(r, w); (err == nil) != answered {
							t.Errorf("touch: %v, want an error unless it was answered, %t", err, answered)
						}
						if err := test.next(t, a, w, r, session); err != nil {
							t.Errorf("%s: %v", test.name, err)
						}
					})
					before := a.backend.Items(t)
					wantRefused(t, held, 1)
					if after := a.backend.Items(t); !reflect.DeepEqual(after, before) {
						t.Errorf("the table holds %v, want what it held before: %v", show(after...), show(before...))
					}
					a.wantLive(test.live)
				})
			}
		}
	}
}

// DynamoDB compares no clock of its own. So a touch that was sent in time, and of which no attempt
// was answered, may still give the session the end that its request asked for, and no later one. An
// attempt that was answered leaves the others nothing.
func TestLateTouchAfterTheSessionExpired(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, answered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, another attempt is answered %t", mode.name, answered), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
					i.store.MaxAge(60)
					cookie := i.begin(map[any]any{"user": "ann"})
					time.Sleep(50 * time.Second)
					ctx, cancel := context.WithCancel(t.Context())
					v := i.visit(ctx, cookie)
					held := &dynamotest.HeldBack{}
					sent := time.Now()
					if answered {
						onUpdatesOf(i.backend, "expires", held.Reset)
					} else {
						onUpdatesOf(i.backend, "expires", late.faults(held)...)
					}
					if err := v.save(); (err == nil) != answered {
						t.Errorf("touch: %v, want an error unless it was answered, %t", err, answered)
					}
					cancel()
					time.Sleep(70 * time.Second)
					ctx, cancel = context.WithCancel(t.Context())
					wantNew(t, i.visit(ctx, cookie).session)
					cancel()
					statuses := held.Deliver(t)
					if answered && !slices.Equal(statuses, []int{http.StatusBadRequest}) {
						t.Errorf("the late touch was answered %v, want 400", statuses)
					}
					if got, want := attrNumber(t, i.item(), "expires"), sent.Add(61*time.Second).Unix(); got > want {
						t.Errorf("expires = %d, want at most a lifetime after the touch was sent, %d", got, want)
					}
					time.Sleep(time.Second)
					ctx, cancel = context.WithCancel(t.Context())
					defer cancel()
					wantNew(t, i.visit(ctx, cookie).session)
				})
			})
		}
	}
}

// A changed Save that arrives late brings nothing back either.
func TestLateUpdate(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name string
			next func(a *app, tab *browser)
			live int
			want map[any]any
		}{
			{"after the logout", func(_ *app, tab *browser) { tab.logout() }, 0, map[any]any{}},
			{"after another request's change", func(_ *app, tab *browser) { tab.set("k", 2) }, 1, map[any]any{"k": 2}},
			{"after a new ID", func(a *app, tab *browser) {
				if _, err := tab.regenerate("k", 2); err != nil {
					a.Errorf("Regenerate elsewhere: %v", err)
				}
			}, 1, map[any]any{"k": 2}},
		} {
			t.Run(mode.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode))
				b := a.browser()
				b.set("k", 0)
				tab := a.elsewhere().tab(b)
				held := &dynamotest.HeldBack{}
				onUpdatesOf(a.backend, "data", held.Reset, held.Reset, dynamotest.Reset)
				if _, err := b.with(func(s *sessions.Session) { s.Values["k"] = 1 }); err == nil {
					t.Error("Save succeeded, and DynamoDB did not answer it")
				}
				test.next(a, tab)
				wantRefused(t, held, 2)
				a.wantLive(test.live)
				if got := tab.values(); !maps.Equal(got, test.want) {
					t.Errorf("the session holds %v, want %v", got, test.want)
				}
			})
		}
	}
}

// What stands in the table under the names of our attributes is not trusted, whatever its type, and
// not in the way.
func TestForeignValuesInOurAttributes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("V", 300)
	for _, test := range []struct {
		name  string
		attrs dynamotest.Item
	}{
		{"a session that says it is a tombstone", dynamotest.Item{"gone": dynamotest.S("ended")}},
		{"a session that says it was given a new ID", dynamotest.Item{"gone": dynamotest.S("moved"), "seen": dynamotest.N(secondsFromNow(0))}},
		{"gone of another type", dynamotest.Item{"gone": dynamotest.N("1")}},
		{"recent of another program", dynamotest.Item{"recent": dynamotest.S("last week")}},
		{"recent that is too long", dynamotest.Item{"recent": dynamotest.S(strings.Repeat("0", 10*1000))}},
		{"recent of another type", dynamotest.Item{"recent": dynamotest.B([]byte("0123456789"))}},
		{"seen of another type", dynamotest.Item{"seen": dynamotest.S("yesterday")}},
		{"seen that is no time", dynamotest.Item{"seen": dynamotest.N("-1e100")}},
		{"seen in the year 9999", dynamotest.Item{"seen": dynamotest.N("253402300799")}},
		{"a longer version", dynamotest.Item{"version": dynamotest.S(long)}},
		{"a version that reads like ours, of the last second there is", dynamotest.Item{"version": dynamotest.S(strings.Repeat("V", 21))}},
		{"a version of as many bytes, and not ours", dynamotest.Item{"version": dynamotest.S("this-is-not-a-version")}},
		{"a version of another type", dynamotest.Item{"version": dynamotest.N("7")}},
		{"a version that is a list", dynamotest.Item{"version": &types.AttributeValueMemberL{Value: []types.AttributeValue{dynamotest.S(long)}}}},
		{"a version that is null", dynamotest.Item{"version": &types.AttributeValueMemberNULL{Value: true}}},
		{"no version", dynamotest.Item{"version": nil}},
		{"a longer token of a lock that is over", dynamotest.Item{"lock": dynamotest.S(long), "lock_until": dynamotest.N("1")}},
		{"a lock of another type", dynamotest.Item{"lock": dynamotest.N("1"), "lock_until": dynamotest.S("for ever")}},
		{"options of another type", dynamotest.Item{"options": dynamotest.N("1")}},
		{"a codec of another type, and all others wrong as well", dynamotest.Item{
			"codec": dynamotest.N("1"), "recent": dynamotest.N("1"), "gone": dynamotest.B([]byte("ended")), "seen": dynamotest.B([]byte("x")),
			"version": dynamotest.B([]byte("x")), "created": dynamotest.S("x"), "max_age": dynamotest.S("x"), "options": dynamotest.B([]byte("x")),
		}},
	} {
		for _, mode := range modes {
			if mode.mode != dynamostore.Merge && mode.mode != dynamostore.Lock {
				continue // which read and write as Merge does
			}
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode))
				begin := func() *browser {
					b := a.browser()
					b.set("list", []string{"begin"})
					a.alter(test.attrs)
					return b
				}

				// A Save that is sent again after others wrote on top of it.
				b := begin()
				tab := a.elsewhere().tab(b)
				onUpdatesOf(a.backend, "data", dynamotest.AppliedThenReset, dynamotest.Do(func() {
					for n := range 2 {
						if _, err := tab.with(func(s *sessions.Session) { add(s, fmt.Sprint(n)) }); err != nil {
							t.Errorf("Save elsewhere: %v", err)
						}
					}
				}))
				if _, err := b.with(func(s *sessions.Session) { add(s, "ours") }); err != nil {
					t.Errorf("Save: %v", err)
				}
				wantOnce(t, b.values()["list"], []string{"begin", "ours", "0", "1"})
				for name, typ := range map[string]string{"version": "S:", "recent": "S:", "codec": "S:gob", "seen": "N:", "created": "N:"} {
					if got := attrText(a.itemUnder(b)[name]); !strings.HasPrefix(got, typ) || name == "version" && got == attrText(test.attrs[name]) {
						t.Errorf("%s is %s after a Save, want ours, %s...", name, got, typ)
					}
				}
				wantEnded := func() {
					t.Helper()
					tab := b.tab()
					b.logout()
					if item := a.itemUnder(tab); item["data"] != nil || len(tab.values()) != 0 {
						t.Errorf("after the logout, the item is %v, and the cookie opens %v, want no data, and nothing", show(item), tab.values())
					}
				}
				wantEnded()

				// A new ID; and a logout.
				b = begin()
				old := b.tab()
				if _, err := b.regenerate("user", "ann"); err != nil {
					t.Errorf("Regenerate: %v", err)
				}
				got := b.values()
				wantOnce(t, got["list"], []string{"begin"})
				if got["user"] != "ann" || len(old.values()) != 0 {
					t.Errorf("the session under its new ID holds %v, and the old cookie opens %v, want ann, and nothing", got, old.values())
				}
				wantEnded()
				b = begin()
				wantEnded()
			})
		}
	}
}

// A lock whose token is not one of ours counts until it is over, and only where locks are in use.
func TestForeignLock(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				cookie := i.begin(map[any]any{"k": 0})
				item := i.item()
				item["lock"] = dynamotest.S(strings.Repeat("T", 300))
				item["lock_until"] = dynamotest.N(strconv.FormatInt(time.Now().Add(15*time.Second).UnixMilli(), 10))
				i.backend.Put(t, item)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := i.visit(ctx).r
				r.AddCookie(cookie)
				begin := time.Now()
				session, err := i.store.New(r, cookieName)
				if mode.mode == dynamostore.Lock {
					wantError(t, err, dynamostore.ErrLockTimeout, cookie.Value)
					if got := time.Since(begin); got != 10*time.Second {
						t.Errorf("New waited for %v, want Lock.Wait, 10s", got)
					}
					session, err = i.store.New(r, cookieName)
					if got := time.Since(begin); got < 15*time.Second || got > 16*time.Second {
						t.Errorf("New acquired the lock after %v, want soon after 15s, when the other is over", got)
					}
				}
				if err != nil {
					t.Errorf("New: %v", err)
				}
				session.Values["k"] = 1
				if err := session.Save(r, httptest.NewRecorder()); err != nil {
					t.Errorf("Save: %v", err)
				}
				if got := i.item()["lock_until"] != nil; got != (mode.mode != dynamostore.Lock) {
					t.Errorf("the item is locked after Save: %t, want %t", got, mode.mode != dynamostore.Lock)
				}
			})
		})
	}
}

// An instance whose clock is an hour slow ends nobody's session, and its writes are recognized; nor
// does one whose clock is fast.
func TestClocksAnHourApart(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Hour, -2 * time.Hour, time.Hour} {
		for _, mode := range modes {
			t.Run(fmt.Sprint(mode.name, " ", skew), func(t *testing.T) {
				right := newInstance(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				right.store.MaxAge(3 * 60 * 60)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cookie := right.begin(map[any]any{"list": []string{"begin"}})
				end := attrNumber(t, right.item(), "expires")
				at(t, skew, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					wrong := &instance{T: t, backend: right.backend}
					wrong.store = wrong.open(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
					wrong.store.MaxAge(3 * 60 * 60)
					for _, change := range []func(*sessions.Session){
						func(*sessions.Session) {},
						func(s *sessions.Session) { add(s, "theirs") },
						func(s *sessions.Session) { add(s, "more") },
					} {
						v := wrong.visit(ctx, cookie)
						change(v.session)
						if err := v.save(); err != nil {
							t.Errorf("Save by the other clock: %v", err)
						}
					}
				})
				if got := attrNumber(t, right.item(), "expires"); got < end {
					t.Errorf("expires = %d, want no earlier end than %d", got, end)
				}
				v := right.visit(ctx, cookie)
				wantOnce(t, v.session.Values["list"], []string{"begin", "theirs", "more"})
				onUpdatesOf(right.backend, "data", dynamotest.AppliedThenReset)
				add(v.session, "ours")
				if err := v.save(); err != nil {
					t.Errorf("Save by the right clock: %v", err)
				}
				wantOnce(t, right.visit(ctx, cookie).session.Values["list"], []string{"begin", "theirs", "more", "ours"})
			})
		}
	}
}

// A login that is sent twice succeeds also where an answer of DynamoDB was lost on the way.
func TestLoginThatIsSentTwiceAndNotAnswered(t *testing.T) {
	t.Parallel()
	for _, writer := range writers {
		for _, test := range []struct {
			name  string
			first func(a *app) // before the other request's login
			then  func(a *app) // after it
		}{
			{"the transaction was lost, before the other login",
				func(a *app) { unansweredRegenerates{a: a, op: opOfNewID(a)}.inject(lost.faults(nil)) }, nil},
			{"the create after the other login was applied",
				nil, func(a *app) { a.backend.Inject("PutItem", applied.faults(nil)...) }},
			{"the create after the other login was lost",
				nil, func(a *app) { a.backend.Inject("PutItem", lost.faults(nil)...) }},
		} {
			t.Run(writer.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
				first := a.browser()
				first.set("cart", "tea")
				second, tab := first.tab(), a.elsewhere().tab(first)
				second.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					session.Values["user"] = "ann"
					unanswered := func() {
						t.Helper()
						if err := a.store.Regenerate(r, w, session); err == nil {
							t.Error("Regenerate succeeded, and DynamoDB did not answer it")
						}
						a.backend.Heal()
					}
					if test.first != nil {
						test.first(a)
						unanswered()
					}
					if _, err := tab.regenerate("user", "ann"); err != nil {
						t.Errorf("Regenerate elsewhere: %v", err)
					}
					if test.then != nil {
						test.then(a)
						unanswered()
					}
					if err := a.store.Regenerate(r, w, session); err != nil {
						t.Errorf("Regenerate: %v", err)
					}
				})
				// It has what this request changed; the rest may have ended since.
				if got := second.values(); got["user"] != "ann" {
					t.Errorf("the second session holds %v, want the user ann", got)
				}
				a.wantLive(2)
			})
		}
	}
}

// A logout of a session whose create was not answered leaves a tombstone where the create may still
// arrive. If the logout is not answered either, a Save after it says that the session was ended.
func TestSaveAfterAnUnansweredLogoutOfAnUnansweredCreate(t *testing.T) {
	for _, writer := range writers {
		t.Run(writer.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
			held := &dynamotest.HeldBack{}
			a.browser().visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				session.ID = "chosen-by-the-application"
				age := session.Options.MaxAge
				a.backend.Inject("PutItem", late.faults(held)...)
				if err := session.Save(r, w); err == nil {
					t.Error("Save succeeded, and DynamoDB did not answer it")
				}
				a.backend.Inject("UpdateItem", applied.faults(nil)...)
				session.Options.MaxAge = -1
				if err := session.Save(r, w); err == nil {
					t.Error("the logout succeeded, and DynamoDB did not answer it")
				}
				a.backend.Heal()
				session.Options.MaxAge = age
				for range 2 {
					wantError(t, session.Save(r, w), dynamostore.ErrGone)
				}
			})
			held.Deliver(t)
			a.wantLive(0)
		})
	}
}

// Another request changes the session under the new ID that a Regenerate without an answer gave to it. The
// retry is refused, and the session goes on.
func TestRefusedRetryOfARegenerateLeavesTheSession(t *testing.T) {
	for _, mode := range modes {
		if mode.mode != dynamostore.Refuse && mode.mode != dynamostore.Lock {
			continue // the others are not refused
		}
		for _, writer := range writers {
			t.Run(mode.name+", "+writer.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
				b := a.browser()
				b.set("cart", "tea")
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					unansweredRegenerates{a: a, op: opOfNewID(a)}.inject(applied.faults(nil))
					if err := a.store.Regenerate(r, w, session); err == nil {
						t.Error("Regenerate succeeded, and DynamoDB did not answer it")
					}
					a.backend.Heal()
					for info, err := range a.store.Sessions(t.Context()) {
						if err != nil {
							t.Fatalf("Sessions: %v", err)
						}
						if err := a.store.Update(t.Context(), info.Key, func(values map[any]any) error { values["theirs"] = 1; return nil }); err != nil {
							t.Errorf("Update: %v", err)
						}
					}
					want := dynamostore.ErrConflict
					if mode.mode == dynamostore.Lock {
						want = dynamostore.ErrLockLost
					}
					for range 2 {
						wantError(t, a.store.Regenerate(r, w, session), want)
					}
				})
				a.wantLive(1)
			})
		}
	}
}

// A Save that makes the change that another request has made already moves the end as any other does.
func TestSameChangeMovesTheEnd(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.TouchInterval = -1 })
	b := a.browser()
	b.set("k", "v")
	tab := a.elsewhere().tab(b)
	begin := time.Now()
	_, err := b.with(func(s *sessions.Session) {
		tab.set("k", "w")
		a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Minute))}) // as if that was long ago
		s.Values["k"] = "w"
	})
	if err != nil {
		t.Errorf("Save: %v", err)
	}
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 30*24*time.Hour)
}

// Without transactions, a Regenerate arrives while the next one is under way, and that cannot read what
// became of it. The Save after that finds the session under its new ID.
func TestUnansweredRegenerateThatArrivesDuringAnother(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.NoTransactions = true })
			b := a.browser()
			b.set("list", []string{"begin"})
			held := &dynamotest.HeldBack{}
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				add(session, "first")
				unansweredRegenerates{a: a, op: opOfNewID(a)}.inject(late.faults(held))
				if err := a.store.Regenerate(r, w, session); err == nil {
					t.Error("Regenerate succeeded, and DynamoDB did not answer it")
				}
				a.backend.Heal()
				add(session, "second")
				a.backend.Inject("PutItem", dynamotest.Do(func() { held.Deliver(t) }))
				a.backend.Inject("GetItem", append([]dynamotest.Fault{dynamotest.Do(func() {})}, dynamotest.Times(3, dynamotest.Refused)...)...)
				if err := a.store.Regenerate(r, w, session); err == nil {
					t.Error("Regenerate succeeded, and DynamoDB could not be read")
				}
				a.backend.Heal()
				add(session, "third")
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			wantOnce(t, b.values()["list"], []string{"begin", "first", "second", "third"})
			a.wantLive(1)
		})
	}
}

// A login that finds the session moved by another one gets a session with what it changed. If DynamoDB's
// answer is lost, the Save or Regenerate that follows does not add what was loaded before: the other
// session, from which that comes, may have ended.
func TestLoginThatIsSentTwiceDoesNotCopyTheSession(t *testing.T) {
	for _, mode := range modes {
		for _, next := range []string{"Save", "Regenerate"} {
			t.Run(mode.name+", then "+next, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode))
				first := a.browser()
				first.set("cart", "tea")
				second, tab := first.tab(), a.elsewhere().tab(first)
				second.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					if mode.mode == dynamostore.Lock {
						a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")}) // for the tab to go on
					}
					if _, err := tab.regenerate("user", "ann"); err != nil {
						t.Errorf("Regenerate elsewhere: %v", err)
					}
					session.Values["user"] = "ann"
					a.backend.Inject("PutItem", applied.faults(nil)...)
					if err := a.store.Regenerate(r, w, session); err == nil {
						t.Error("Regenerate succeeded, and DynamoDB did not answer it")
					}
					a.backend.Heal()
					session.Values["since"] = 1
					if next == "Save" {
						err = session.Save(r, w)
					} else {
						err = a.store.Regenerate(r, w, session)
					}
					if err != nil {
						t.Errorf("%s: %v", next, err)
					}
					if want := (map[any]any{"user": "ann", "since": 1}); !reflect.DeepEqual(session.Values, want) {
						t.Errorf("the handler has %v, want %v", session.Values, want)
					}
				})
				if got, want := second.values(), (map[any]any{"user": "ann", "since": 1}); !reflect.DeepEqual(got, want) {
					t.Errorf("the second session holds %v, want %v", got, want)
				}
				a.wantLive(2)
			})
		}
	}
}

// A Regenerate that was not answered may arrive between the read and the write of the Save after it.
func TestUnansweredRegenerateThatArrivesDuringASave(t *testing.T) {
	for _, mode := range modes {
		for _, writer := range writers {
			t.Run(mode.name+", "+writer.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
				b := a.browser()
				b.set("cart", "tea")
				held := &dynamotest.HeldBack{}
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					session.Values["user"] = "ann"
					unansweredRegenerates{a: a, op: opOfNewID(a)}.inject(late.faults(held))
					if err := a.store.Regenerate(r, w, session); err == nil {
						t.Error("Regenerate succeeded, and DynamoDB did not answer it")
					}
					a.backend.Heal()
					a.backend.Inject("GetItem", func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
						resp, err := next.RoundTrip(r)
						held.Deliver(t)
						return resp, err
					})
					session.Values["since"] = 1
					if err := session.Save(r, w); err != nil {
						t.Errorf("Save: %v", err)
					}
				})
				if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann", "since": 1}); !reflect.DeepEqual(got, want) {
					t.Errorf("the session holds %v, want %v", got, want)
				}
				a.wantLive(1)
			})
		}
	}
}

// A Regenerate that was applied and not answered has moved the session. If that has ended since, and DynamoDB's
// TTL has deleted its item, there is none to go on with.
func TestUnansweredRegenerateOfASessionThatIsDeleted(t *testing.T) {
	for _, mode := range modes {
		for _, writer := range writers {
			for _, next := range []string{"Save", "Regenerate"} {
				t.Run(mode.name+", "+writer.name+", then "+next, func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
					b := a.browser()
					b.set("cart", "tea")
					b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						session.Values["user"] = "ann"
						unansweredRegenerates{a: a, op: opOfNewID(a)}.inject(applied.faults(nil))
						if err := a.store.Regenerate(r, w, session); err == nil {
							t.Error("Regenerate succeeded, and DynamoDB did not answer it")
						}
						a.backend.Heal()
						for _, item := range a.backend.Items(t) {
							if item["data"] != nil {
								a.backend.Delete(t, dynamotest.Item{"id": item["id"]})
							}
						}
						session.Values["since"] = 1
						save := a.store.Save
						if next == "Regenerate" {
							save = a.store.Regenerate
						}
						wantError(t, save(r, w, session), dynamostore.ErrGone)
					})
					a.wantLive(0)
				})
			}
		}
	}
}

// opOfNewID is the write that is not answered where a Regenerate is not.
func opOfNewID(a *app) string {
	if a.cfg.NoTransactions || noTransactions {
		return "tombstone"
	}
	return "TransactWriteItems"
}

// A Save that finds its session expired says that it has ended. A write before it, of which the
// answer was lost, does not bring it back afterwards.
func TestUnansweredWriteOfASessionThatASaveFoundExpired(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*sessions.Session)
	}{
		{"touched", func(*sessions.Session) {}},
		{"changed", func(s *sessions.Session) { s.Values["k"] = 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newInstance(t)
				i.store.MaxAge(60)
				cookie := i.begin(map[any]any{"user": "ann"})
				time.Sleep(50 * time.Second)
				v := i.visit(t.Context(), cookie)
				held := &dynamotest.HeldBack{}
				i.backend.Inject("UpdateItem", late.faults(held)...)
				test.change(v.session)
				if err := v.save(); err == nil {
					t.Error("the first Save succeeded, and DynamoDB did not answer it")
				}
				time.Sleep(20 * time.Second)
				v.session.Values["more"] = 1
				wantError(t, v.save(), dynamostore.ErrGone)
				held.Deliver(t)
				wantNew(t, i.visit(t.Context(), cookie).session)
			})
		})
	}
}

// A slow clock ends nobody's session, also where it gives the session a new ID.
func TestRegenerateByASlowClock(t *testing.T) {
	t.Parallel()
	for _, writer := range writers {
		t.Run(writer.name, func(t *testing.T) {
			right := newInstance(t)
			right.store.MaxAge(30 * 60)
			cookie := right.begin(map[any]any{"user": "ann"})
			at(t, -time.Hour, func(t *testing.T) {
				slow := &instance{T: t, backend: right.backend}
				slow.store = slow.open(t, func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
				slow.store.MaxAge(30 * 60)
				v := slow.visit(t.Context(), cookie)
				if err := slow.store.Regenerate(v.r, v.w, v.session); err != nil {
					t.Fatalf("Regenerate: %v", err)
				}
				cookie = v.cookies()[0]
			})
			if got := right.visit(t.Context(), cookie).session.Values["user"]; got != "ann" {
				t.Errorf("user = %v, want ann: the session had half an hour to live", got)
			}
		})
	}
}

// A session that a second login creates, since another has given the first a new ID, does not begin
// after the logout.
func TestLateCreateOfASecondLoginAfterLogout(t *testing.T) {
	t.Parallel()
	for _, writer := range writers {
		t.Run(writer.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
			first := a.browser()
			first.set("cart", "tea")
			second, tab := first.tab(), a.elsewhere().tab(first)
			held := &dynamotest.HeldBack{}
			second.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				if _, err := tab.regenerate("user", "ann"); err != nil {
					t.Errorf("Regenerate elsewhere: %v", err)
				}
				a.backend.Inject("PutItem", late.faults(held)...)
				session.Values["user"] = "ann"
				if err := a.store.Regenerate(r, w, session); err == nil {
					t.Error("Regenerate succeeded, and DynamoDB did not answer it")
				}
				session.Options.MaxAge = -1
				if err := session.Save(r, w); err != nil && !errors.Is(err, dynamostore.ErrGone) { // of the other login's session
					t.Errorf("logout: %v", err)
				}
			})
			held.Deliver(t)
			a.wantLive(1)
		})
	}
}
