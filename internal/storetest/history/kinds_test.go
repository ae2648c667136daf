package history

import "time"

// Kind is a way to break the Store's promise.
type Kind string

// The kinds of violations.
const (
	Lost          Kind = "an acknowledged change is not there"
	Twice         Kind = "a change is there twice"
	Back          Kind = "what an acknowledged Save removed is back"
	TakenBack     Kind = "a value that an acknowledged Save took back is there"
	Phantom       Kind = "an error said that nothing was written, and it is there"
	Overwritten   Kind = "an acknowledged Save was overwritten by an older one"
	Miscounted    Kind = "a counter is wrong"
	Mixed         Kind = "a session holds what is not its own"
	Leaked        Kind = "a value of one user is in the session of another"
	Revived       Kind = "an ended session is open again"
	Outlived      Kind = "a session that had expired was saved"
	SessionLost   Kind = "a session that nobody ended is gone"
	Forked        Kind = "a session is open under two IDs"
	CreatedTwice  Kind = "one login made two sessions"
	DeadCookie    Kind = "a browser that was logged in has a dead cookie"
	Displaced     Kind = "a late request displaced a rotated cookie"
	LoginRefused  Kind = "a login was refused, although nothing stood against it"
	ConflictAlone Kind = "a conflict with nobody"
	GoneAlone     Kind = "ErrGone, although nobody ended the session"
	NoVerdict     Kind = "ErrConflict, although DynamoDB said nothing"
	WrongError    Kind = "an error that does not fit"
	WrongCookie   Kind = "a response with the wrong cookies"
	Unlisted      Kind = "a listing shows other sessions than there are"
	LockShared    Kind = "two requests held one lock"
	LockLeft      Kind = "a lock was left"
	TooLong       Kind = "a call took longer than Config.Timeout"
	Panic         Kind = "a panic"
)

// Violation is something that a history shows and must not happen.
type Violation struct {
	Kind   Kind
	Detail string
	At     time.Duration // since the history began
}
