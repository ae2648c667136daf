package record

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Pauses are random, from Min to an upper bound that doubles up to Max.
func TestBackoff(t *testing.T) {
	const least, most = 10 * time.Millisecond, 100 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		bounds := []time.Duration{20, 40, 80, 100, 100, 100}
		var longest [6]time.Duration
		for range 500 {
			backoff := Backoff{Min: least, Max: most}
			for i, bound := range bounds {
				begin := time.Now()
				if err := backoff.Pause(t.Context()); err != nil {
					t.Fatalf("Pause: %v", err)
				}
				took := time.Since(begin)
				if took < least || took > bound*time.Millisecond {
					t.Fatalf("pause %d took %v, want %v to %v", i+1, took, least, bound*time.Millisecond)
				}
				longest[i] = max(longest[i], took)
			}
		}
		for i, bound := range bounds {
			if longest[i] < bound*time.Millisecond*8/10 {
				t.Errorf("of 500 pauses %d the longest took %v, want nearly %v", i+1, longest[i], bound*time.Millisecond)
			}
		}
		backoff := Backoff{Min: least, Max: least}
		begin := time.Now()
		if err := backoff.Pause(t.Context()); err != nil || time.Since(begin) != least {
			t.Errorf("with Min and Max equal, Pause = %v after %v, want %v", err, time.Since(begin), least)
		}
	})
}

// A pause ends with the context.
func TestPauseEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := Pause(ctx, time.Minute); err != context.DeadlineExceeded || time.Since(begin) != time.Second {
			t.Errorf("Pause = %v after %v, want the context's error after 1s", err, time.Since(begin))
		}
	})
}

var (
	transacting = &types.TransactionConflictException{}
	regional    = apiCode("ReplicatedWriteConflictException")
	throttling  = &types.ProvisionedThroughputExceededException{}
	internal    = &types.InternalServerError{}
	refusing    = &types.ConditionalCheckFailedException{Item: attributes{"data": text("secret")}}
)

// apiCode returns an error response with that code.
func apiCode(code string) error { return codeError{code, "a message"} }

// codeError is an error response.
type codeError struct{ code, message string }

func (e codeError) Error() string        { return "api error " + e.code + ": " + e.message }
func (e codeError) ErrorCode() string    { return e.code }
func (e codeError) ErrorMessage() string { return e.message }

// canceled returns the cancellation of a transaction for those reasons.
func canceled(codes ...string) error {
	err := &types.TransactionCanceledException{}
	for _, code := range codes {
		err.CancellationReasons = append(err.CancellationReasons, types.CancellationReason{Code: &code, Item: attributes{"data": text("secret")}})
	}
	return err
}

func TestKindsOfErrors(t *testing.T) {
	for _, test := range []struct {
		name           string
		err            error
		conflict, busy bool
	}{
		{"none", nil, false, false},
		{"TransactionConflict", transacting, true, true},
		{"TransactionConflict, wrapped", fmt.Errorf("sent: %w", transacting), true, true},
		{"a write in another region", regional, true, true},
		{"a transaction, in conflict", canceled("None", "TransactionConflict"), true, true},
		{"a transaction, throttled", canceled("ThrottlingError", "None"), true, true},
		{"a transaction beyond the table's capacity", canceled("ProvisionedThroughputExceeded", "TransactionConflict"), true, true},
		{"a refused transaction", canceled("ConditionalCheckFailed", "None"), false, false},
		{"a refused transaction, in conflict", canceled("ConditionalCheckFailed", "TransactionConflict"), false, false},
		{"a transaction for an unknown reason", canceled("Odd", "None"), false, false},
		{"a transaction of another length", canceled("TransactionConflict"), false, false},
		{"throttled", throttling, false, true},
		{"ThrottlingException", apiCode("ThrottlingException"), false, true},
		{"RequestLimitExceeded", apiCode("RequestLimitExceeded"), false, true},
		{"the SDK's budget of retries is used up", fmt.Errorf("retry: %w", ratelimit.QuotaExceededError{Available: 1, Requested: 5}), false, true},
		{"refused", refusing, false, false},
		{"HTTP 500", internal, false, false},
		{"a deadline", context.DeadlineExceeded, false, false},
	} {
		if got := isConflict(test.err); got != test.conflict {
			t.Errorf("%s: isConflict = %v, want %v", test.name, got, test.conflict)
		}
		if got := isBusy(test.err); got != test.busy {
			t.Errorf("%s: isBusy = %v, want %v", test.name, got, test.busy)
		}
	}
}

// failingWith returns a function that returns the errors, one after the other, and nil when there
// are no more.
func failingWith(errs ...error) (f func() error, calls *int) {
	calls = new(int)
	return func() error {
		*calls++
		if len(errs) == 0 {
			return nil
		}
		err := errs[0]
		errs = errs[1:]
		return err
	}, calls
}

func times(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func TestRetries(t *testing.T) {
	for _, test := range []struct {
		name          string
		retry         func(context.Context, func() error) error
		errs          []error
		calls         int
		want          error
		untilDeadline bool
	}{
		{"conflicts: success", retryConflicts, nil, 1, nil, false},
		{"conflicts: some", retryConflicts, []error{transacting, regional, canceled("None", "TransactionConflict")}, 4, nil, false},
		{"conflicts: throttled", retryConflicts, []error{throttling}, 1, throttling, false},
		{"conflicts: HTTP 500 after one", retryConflicts, []error{transacting, internal}, 2, internal, false},
		{"conflicts: until the deadline", retryConflicts, times(1000, transacting), 0, transacting, true},
		{"busy: success", retryBusy, nil, 1, nil, false},
		{"busy: some", retryBusy, []error{throttling, transacting, apiCode("ThrottlingException")}, 4, nil, false},
		{"busy: many", retryBusy, times(100, throttling), 101, nil, false},
		{"busy: refused", retryBusy, []error{throttling, refusing}, 2, refusing, false},
		{"busy: HTTP 500, five times", retryBusy, times(5, internal), 6, nil, false},
		{"busy: HTTP 500, six times", retryBusy, times(6, internal), 6, internal, false},
		{"busy: no answer, six times", retryBusy, times(6, context.DeadlineExceeded), 6, context.DeadlineExceeded, false},
		{"busy: until the deadline", retryBusy, times(1000, throttling), 0, throttling, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.untilDeadline {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Second)
					defer cancel()
				}
				f, calls := failingWith(test.errs...)
				begin := time.Now()
				err := test.retry(ctx, f)
				if !errors.Is(err, test.want) {
					t.Errorf("the error is %v, want %v", err, test.want)
				}
				if test.calls > 0 && *calls != test.calls {
					t.Errorf("%d calls, want %d", *calls, test.calls)
				}
				if test.untilDeadline && (time.Since(begin) != time.Second || *calls < 3) {
					t.Errorf("%d calls in %v, want some in 1s", *calls, time.Since(begin))
				}
			})
		})
	}
	// What ended the wait is told as well.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f, _ := failingWith(times(1000, throttling)...)
		if err := retryBusy(ctx, f); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("retryBusy returned %v, want the context's error as well", err)
		}
	})
}
