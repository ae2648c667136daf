package record

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Backoff is a series of random pauses from Min to Max, each longer on average than the one before.
// Every retry loop of this module uses it; the SDK's client has its own.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
type Backoff struct {
	Min, Max time.Duration
	limit    time.Duration
}

// Pause waits for the next pause, or until ctx is done, and then returns the context's error.
func (b *Backoff) Pause(ctx context.Context) error {
	b.limit = min(max(2*b.limit, 2*b.Min), b.Max)
	return Pause(ctx, b.Min+rand.N(max(b.limit-b.Min, 1)))
}

// Pause waits for d, or until ctx is done, and then returns the context's error.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryConflicts calls f until no other request on the same item makes it fail, for as long as ctx
// allows.
func retryConflicts(ctx context.Context, f func() error) error {
	backoff := Backoff{Min: 10 * time.Millisecond, Max: 200 * time.Millisecond}
	for {
		err := f()
		if !isConflict(err) || backoff.Pause(ctx) != nil {
			return err
		}
	}
}

// retryBusy calls f until DynamoDB is not too busy for it, for as long as ctx allows. It retries
// timeouts and internal errors, which may not pass, a few times.
func retryBusy(ctx context.Context, f func() error) error {
	const maxFailures = 5 // besides the SDK's retries
	failures := 0
	backoff := Backoff{Min: 50 * time.Millisecond, Max: 5 * time.Second}
	for {
		err := f()
		switch {
		case err == nil:
			return nil
		case isBusy(err):
		case failures < maxFailures && (errors.Is(err, context.DeadlineExceeded) || errorCode(err) == "InternalServerError"):
			failures++
		default:
			return err
		}
		if ended := backoff.Pause(ctx); ended != nil {
			return fmt.Errorf("%w while DynamoDB was busy: %w", ended, err)
		}
	}
}
