package dynamostore

import (
	"errors"

	"example.com/dynamostore/internal/record"
)

// The errors by which an application decides what to do. They come wrapped: test with [errors.Is].
// No error of this package holds a session ID, a cookie or a value.
var (
	// ErrConflict: another request wrote the session since this one loaded it, and Config.Concurrency
	// is Refuse, or merging did not come to an end within Config.Timeout; or the ID of a new session, or of
	// one that was to get a new one, is taken. Nothing was written, and no cookie set. Load the session in a
	// new request and apply the change again. With Config.UserKey, it may be another user's session by now:
	// then what this request did was not meant for it.
	ErrConflict = errors.New("another request changed the session meanwhile")

	// ErrGone: the session was deleted (a logout, a rotated ID), or its absolute lifetime ended,
	// since this request loaded it. Nothing was written, and no cookie set. Answer as to a
	// visitor who is not logged in. From a logout (MaxAge < 0): the session got a new ID meanwhile, under
	// which it lives on; this browser's cookie was taken away all the same.
	ErrGone = errors.New("the session was ended meanwhile")

	// ErrNotLoaded: Save was called on a session that Get or New could not read, for the reason
	// that they returned. Nothing was written and no cookie set, so that the session in the table
	// and the browser's cookie are as they were.
	ErrNotLoaded = errors.New("the session was not loaded, so it is not saved")

	// ErrLockTimeout: Get or New waited for the session's lock for Config.Lock.Wait, and another
	// request held it all the time. The session that comes with it was not loaded: see ErrNotLoaded.
	ErrLockTimeout = errors.New("another request holds the session's lock")

	// ErrLockLost: the lease of the session's lock ended before this Save (or Save was called again
	// after the lock was given up), and another request has taken the lock or written the session
	// since. Nothing was written, and no cookie set.
	ErrLockLost = errors.New("the session's lock was lost, and another request has it or has written the session")

	// ErrTooLarge: the session takes more than [Store.MaxLength], or its item more than the
	// 400 KB that DynamoDB stores. Nothing was sent.
	ErrTooLarge = record.ErrTooLarge

	// ErrUndecodable: the session's item is not one that this Store's configuration can read. The
	// item is left as it is; a Save starts a new session. From Save, with Concurrency: Merge: another request
	// has written such an item since this one loaded the session. Nothing was written.
	ErrUndecodable = errors.New("the session's item cannot be decoded")
)
