package dynamostore

import (
	"errors"

	"example.com/dynamostore/internal/sessiondb"
)

// The errors that an application can act on. They are wrapped: test for them with [errors.Is]. No
// error of this package holds a session ID, a cookie, a key or a value.
//
// "Nothing was written" refers to the Save that returned the error, which set no cookie either. An
// earlier Save of the same session that failed with another error may have been applied.
var (
	// ErrConflict means one of these:
	//   - Config.Concurrency is Refuse, and another request changed the session since this one
	//     loaded it.
	//   - With Config.UserKey, the session now belongs to another user, so this request's changes
	//     are not meant for it.
	//   - The ID of a new session is taken.
	// Nothing was written. Load the session in a new request and apply the change again.
	ErrConflict = sessiondb.ErrConflict

	// ErrGone means that since this request loaded the session, it expired or was ended: by a
	// logout, by Destroy or DestroyUser, or because it was given a new ID. Nothing was written.
	// Treat the visitor as not logged in. When a logout (MaxAge < 0) returns it, another request
	// gave the session a new ID, under which it continues; the browser's cookie was deleted all the
	// same.
	ErrGone = sessiondb.ErrGone

	// ErrNotLoaded means that Save was called on a session that Get or New could not read. It is
	// returned with the error that they returned. Nothing was written.
	ErrNotLoaded = errors.New("the session was not loaded, so it is not saved")

	// ErrReadOnly means that Save was called on a session from [Store.Peek]. Nothing was written. To
	// save a session, load it with Get.
	ErrReadOnly = errors.New("the session was loaded by Peek, so it is read-only; load it with Get to save it")

	// ErrLockTimeout means that Get or New waited Config.Lock.Wait for the session's lock, and
	// other requests held it all that time. The session returned with it was not loaded: see
	// ErrNotLoaded.
	ErrLockTimeout = sessiondb.ErrLockTimeout

	// ErrLockLost means that the lease of the session's lock ended before this Save, or that Save
	// was called again after the lock was released, and that another request has since acquired the
	// lock or written the session. Nothing was written.
	ErrLockLost = sessiondb.ErrLockLost

	// ErrTooLarge means that the session is larger than [Store.MaxLength], or its item larger than
	// the 400 KB that DynamoDB stores. Nothing was written.
	ErrTooLarge = sessiondb.ErrTooLarge

	// ErrUndecodable means that this Store's configuration cannot read the session's item. The item
	// is left alone, and Save creates a new session. From Save, with Concurrency: Merge, it means
	// that another request has written such an item since this one loaded the session. Nothing was
	// written.
	ErrUndecodable = sessiondb.ErrUndecodable
)
