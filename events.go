package dynamostore

import (
	"context"
	"time"

	"example.com/dynamostore/internal/record"
)

// An Op is what a Store set out to do in an operation that [Config.Observe] is told of.
type Op string

// The operations. EnsureTable and CheckTable, which are not about sessions, are none. Sums of Requests and
// Capacity over all events count nothing twice.
const (
	// OpLoad: Get or New found out what the request's cookie stands for. Without a cookie that verifies
	// it needs no request; a cookie that does not verify is its Err. Under Lock it takes the
	// lock as well, and its Duration and Requests include the wait for it.
	OpLoad Op = "load"
	// OpLockWait: the lock was held by another request when New wanted it. Duration is that of the wait; the
	// requests of it are counted in the OpLoad that follows.
	OpLockWait Op = "lock wait"
	// OpUnlock: a lock was given up by a request of its own: after a Save that had nothing to
	// write or failed, or at the end of a request without a Save.
	OpUnlock Op = "unlock"

	OpCreate Op = "create" // Save put a new session into the table
	OpUpdate Op = "update" // Save wrote a changed session
	// OpMerge: OpUpdate, of a session that another request had written meanwhile, whose changes were kept.
	OpMerge Op = "merge"
	OpTouch Op = "touch" // Save moved the end of an unchanged session
	// OpSkip: Save had nothing to write, or must not write (ErrNotLoaded, ErrGone). It needs no request, but for
	// one read where it sets the cookie all the same.
	OpSkip       Op = "skip"
	OpDelete     Op = "delete"     // Save deleted the session: MaxAge < 0
	OpRegenerate Op = "regenerate" // Regenerate, or Save with a new ID, moved the session

	OpDestroy     Op = "destroy"      // Destroy
	OpDestroyUser Op = "destroy user" // DestroyUser, with all its requests
	OpPurge       Op = "purge"        // PurgeExpired, with all its requests
	// OpList: Sessions or UserSessions, once the iteration ended. Duration is that of its requests.
	OpList Op = "list"
)

// An Event tells of one operation of a Store. It holds no session ID, cookie or value.
type Event struct {
	Op  Op
	Err error // that the Store returned; nil: none
	// Duration is how long the operation took, encoding and waiting included.
	Duration time.Duration
	// Requests counts those that were sent to DynamoDB, with the retries of the SDK's client. 0: the table
	// was spared.
	Requests int
	// Bytes is how much session data, as it lies in the table, was read and written.
	Bytes int
	// Capacity is how many capacity units, of reads and writes, DynamoDB said that the requests used. It does not say
	// what refused and failed ones used.
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
	Capacity float64
}

// observation is an operation under way of which Config.Observe will be told. nil: nobody observes.
type observation struct {
	observe func(context.Context, Event)
	ctx     context.Context
	begin   time.Time
	meter   record.Meter
}

// observing returns a context for the operation that begins now, and its observation.
func (s *Store) observing(ctx context.Context) (context.Context, *observation) {
	if s.cfg.Observe == nil {
		return ctx, nil
	}
	o := &observation{observe: s.cfg.Observe, ctx: ctx, begin: time.Now()}
	return o.meter.In(ctx), o
}

// end tells of the operation.
func (o *observation) end(op Op, err error) {
	if o == nil {
		return
	}
	r := o.meter.Read()
	e := Event{Op: op, Err: err, Duration: time.Since(o.begin), Requests: r.Requests, Bytes: r.Bytes, Capacity: r.Capacity}
	if op == OpList {
		e.Duration = r.Spent // not what the consumer did in between
	}
	o.observe(o.ctx, e)
}

// waited tells of a wait for a lock that began then.
func (s *Store) waited(ctx context.Context, begin time.Time, err error) {
	if s.cfg.Observe != nil {
		s.cfg.Observe(ctx, Event{Op: OpLockWait, Err: err, Duration: time.Since(begin)})
	}
}
