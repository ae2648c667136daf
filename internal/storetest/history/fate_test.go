package history

import "time"

// fateKind is what becomes of one request to DynamoDB.
type fateKind int

const (
	deliver fateKind = iota
	stale            // a read is answered as it could have been a moment ago

	loseRequest  // it never arrives
	loseAnswer   // it is applied, and the answer lost
	late         // the client is told that it failed, and it arrives later
	duplicate    // it arrives once more, later
	slow         // it takes long, so that others overtake it
	throttle     // DynamoDB refuses it for lack of capacity
	failInternal // HTTP 500, not applied
	failAfter    // HTTP 500, applied
	conflict     // a transaction is under way on the item
	withoutItem  // a refusal does not bring the item, as behind DAX
	garbleAnswer // it is applied, and the answer is not DynamoDB's
	truncate     // it is applied, and the answer breaks off

	fateKinds // how many there are
)

var fateNames = [fateKinds]string{
	deliver: "delivered", stale: "stale read", loseRequest: "lost", loseAnswer: "applied, answer lost",
	late: "delivered late", duplicate: "duplicated", slow: "slow", throttle: "throttled",
	failInternal: "HTTP 500", failAfter: "applied, then HTTP 500", conflict: "TransactionConflict",
	withoutItem: "refusal without the item", garbleAnswer: "answer garbled", truncate: "answer truncated",
}

func (k fateKind) String() string { return fateNames[k] }

// fate is what becomes of one request, and when.
type fate struct {
	kind   fateKind
	before time.Duration // until it arrives
	after  time.Duration // until the answer does
	later  time.Duration // until it arrives late, or again
	silent bool          // an answer that does not come is waited for, instead of a reset
	final  bool          // a late message is not sent again: something answers that is not DynamoDB
}

// answerTimeout is how long a client waits for an answer, as the transport of NewClient does,
// before it sends the request again.
const answerTimeout = time.Second

// fateOf decides what becomes of a message. The decision depends on the seed, the operation of the
// step that the message belongs to, and how many messages that operation has sent before.
func (w *world) fateOf(m *message) fate {
	if m.visit == nil {
		return fate{kind: deliver}
	}
	m.site = m.visit.nextMessage()
	r := m.site.dice(w.plan.seed)
	f := fate{
		kind:   deliver,
		before: upTo(r, pick(r, time.Millisecond, 4*time.Millisecond, 4*time.Millisecond, 20*time.Millisecond)),
		after:  upTo(r, pick(r, time.Millisecond, 4*time.Millisecond, 4*time.Millisecond, 20*time.Millisecond)),
		silent: r.IntN(3) == 0,
	}
	weather := w.plan.setup.weather
	if w.plan.quiet(m.site) {
		return f
	}
	if m.eventual() && r.Float64() < weather.stale {
		f.kind = stale
	}
	if weather.calm() {
		return f
	}
	// Faults come in bursts, or no retry would ever fail.
	burst := m.site.whole().dice(w.plan.seed)
	if burst.Float64() >= weather.rate {
		return f
	}
	first, length := pick(burst, 1, 1, 1, 2, 2, 3), pick(burst, 1, 1, 1, 2, 3, 3, 3, 6, 12)
	kind, mixed := pick(burst, weather.kinds...), burst.IntN(3) == 0
	if n := m.site.message; n < first || n >= first+length {
		return f
	}
	if mixed {
		kind = pick(r, weather.kinds...)
	}
	if kind == conflict && m.reads() {
		return f // only writes meet transactions
	}
	f.kind = kind
	switch kind {
	case slow:
		f.before = upTo(r, pick(r, 100*time.Millisecond, time.Second, 3*time.Second))
		f.after = upTo(r, pick(r, 10*time.Millisecond, time.Second))
	case late, duplicate:
		longest := pick(r, 25*time.Millisecond, 25*time.Millisecond, 300*time.Millisecond, 5*time.Second, weather.late)
		f.later, f.final = upTo(r, min(longest, weather.late)), r.IntN(2) == 0
	}
	return f
}
