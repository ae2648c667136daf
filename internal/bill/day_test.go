package bill

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// What a day is.
const (
	allVisits  = 300         // by people
	returning  = 0.4         // of them come with a session of one of the fortnight before
	pagesEach  = 7           // page views of a visit, on average; each is at least 1
	thinking   = time.Minute // between two of them, on average
	bursts     = 0.5         // of the page views load a page that at once makes requests of its own,
	burst      = 4           // so many, by JavaScript, all under way together
	pageWrites = 0.15        // of the page views change the session: a basket, a message, a form in steps
	callWrites = 0.05        // of those requests do
	logins     = 0.35        // of the visits log in, at the second page
	logouts    = 0.25        // of those that did log out at the end; the others close the window
	bots       = 0.2         // of all page views: without cookies, each the first of a session
)

// An action is what a request does beside loading its session and saving it.
type action int

const (
	look   action = iota
	change        // some of the values
	login
	logout
)

// A step is one or more requests of a browser that are under way together.
type step struct {
	at      time.Duration // since midnight; before it, for the sessions that are there already
	browser int           // -1: one without cookies
	actions []action      // of each request
	page    bool          // the first is a page view
}

// day returns the steps of a day with that many visits, in order.
func day(seed uint64, visits int) []step {
	r := rand.New(rand.NewPCG(seed, 0))
	chance := func(p float64) bool { return r.Float64() < p }
	doing := func(p float64) action {
		if chance(p) {
			return change
		}
		return look
	}
	var steps []step
	views := 0
	for browser := range visits {
		if chance(returning) {
			// It was here before, and logged in or not.
			before := -time.Duration(r.Int64N(int64(14 * 24 * time.Hour)))
			actions := []action{change}
			if chance(logins) {
				actions = []action{login}
			}
			steps = append(steps, step{at: before, browser: browser, actions: actions})
		}
		at := moment(r)
		loggedIn := false
		for page := 0; page == 0 || chance(1-1.0/pagesEach); page++ {
			s := step{at: at, browser: browser, actions: []action{doing(pageWrites)}, page: true}
			if page == 1 && chance(logins) {
				s.actions[0] = login
				loggedIn = true
			}
			steps = append(steps, s)
			views++
			if chance(bursts) {
				s := step{at: at + time.Second, browser: browser}
				for range burst {
					s.actions = append(s.actions, doing(callWrites))
				}
				steps = append(steps, s)
			}
			at += 2*time.Second + time.Duration(r.ExpFloat64()*float64(thinking))
		}
		if loggedIn && chance(logouts) {
			steps = append(steps, step{at: at, browser: browser, actions: []action{logout}, page: true})
			views++
		}
	}
	for range int(float64(views) * bots / (1 - bots)) {
		steps = append(steps, step{at: time.Duration(r.Int64N(int64(24 * time.Hour))), browser: -1, actions: []action{change}, page: true})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return steps
}

// moment returns a time of day at which visits begin: four of five between 8 and 23 o'clock.
func moment(r *rand.Rand) time.Duration {
	if r.Float64() < 0.8 {
		return 8*time.Hour + time.Duration(r.Int64N(int64(15*time.Hour)))
	}
	return time.Duration(r.Int64N(int64(24 * time.Hour)))
}
