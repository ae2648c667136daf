package dynamostore

import (
	"context"
	"time"

	"example.com/dynamostore/internal/record"
)

// An Op is an operation of a Store, as reported to [Config.Observe].
type Op string

// The operations on sessions. EnsureTable and CheckTable are not reported. No request is counted in
// more than one event.
const (
	// OpLoad is a Get, New, Peek or Load. Without a cookie that verifies, it sends no request; if a
	// cookie does not verify, Err says so. With Concurrency: Lock, it also acquires the lock, and
	// its Duration and Requests include the wait.
	OpLoad Op = "load"
	// OpLockWait is a wait for a lock that another request held. Duration is the length of the
	// wait; its requests are counted in the OpLoad that follows.
	OpLockWait Op = "lock wait"
	// OpUnlock is the release of a lock by a separate request: after a Save that failed or had
	// nothing to write, or at the end of a request without a Save.
	OpUnlock Op = "unlock"

	OpCreate     Op = "create"     // Save created a session
	OpUpdate     Op = "update"     // Save wrote a changed session, or Update did
	OpMerge      Op = "merge"      // like OpUpdate, merged with what another request had written meanwhile
	OpTouch      Op = "touch"      // Save moved the end of an unchanged session
	OpSkip       Op = "skip"       // Save had nothing to write, or must not write (ErrNotLoaded, ErrGone)
	OpDelete     Op = "delete"     // Save ended the session: MaxAge < 0
	OpRegenerate Op = "regenerate" // Regenerate, or Save with another ID, gave the session a new ID

	OpDestroy     Op = "destroy"      // Destroy
	OpDestroyUser Op = "destroy user" // DestroyUser, with all its requests
	OpUpdateUser  Op = "update user"  // UpdateUser, with all its requests
	OpPurge       Op = "purge"        // PurgeExpired, with all its requests
	OpList        Op = "list"         // Sessions or UserSessions, after the iteration; Duration is the time spent in requests
)

// An Event describes one operation of a Store. It holds no session ID, cookie, key or value.
type Event struct {
	Op       Op
	Err      error         // the error that the Store returned
	Duration time.Duration // including encoding and waiting
	Requests int           // sent to DynamoDB, including the SDK's retries
	Bytes    int           // of session data read and written, as stored
	// ReadUnits and WriteUnits are the capacity units that DynamoDB reported. It reports none for
	// requests that were refused or failed.
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
	ReadUnits, WriteUnits float64
}

// observation is an operation in progress that will be reported to Config.Observe. It is nil if
// there is no Observe.
type observation struct {
	observe func(context.Context, Event)
	ctx     context.Context
	begin   time.Time
	meter   record.Meter
}

// observing returns a context for the operation that starts now, and its observation.
func (s *Store) observing(ctx context.Context) (context.Context, *observation) {
	if s.cfg.Observe == nil {
		return ctx, nil
	}
	o := &observation{observe: s.cfg.Observe, ctx: ctx, begin: time.Now()}
	return o.meter.In(ctx), o
}

// end reports the operation.
func (o *observation) end(op Op, err error) {
	if o == nil {
		return
	}
	r := o.meter.Read()
	e := Event{
		Op: op, Err: err, Duration: time.Since(o.begin),
		Requests: r.Requests, Bytes: r.Bytes, ReadUnits: r.ReadUnits, WriteUnits: r.WriteUnits,
	}
	if op == OpList {
		e.Duration = r.Spent // not what the consumer did in between
	}
	o.observe(o.ctx, e)
}

// observeWait reports a wait for a lock, if there was one.
func (s *Store) observeWait(ctx context.Context, waited time.Duration, err error) {
	if s.cfg.Observe != nil && waited > 0 {
		s.cfg.Observe(ctx, Event{Op: OpLockWait, Err: err, Duration: waited})
	}
}

// observeUnlock observes the release of a lock by a separate request.
func (s *Store) observeUnlock(ctx context.Context) (context.Context, func(error)) {
	ctx, observed := s.observing(ctx)
	return ctx, func(err error) { observed.end(OpUnlock, err) }
}
