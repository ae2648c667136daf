package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// apiError is what every error that DynamoDB answered with has, here and in a DAX client.
type apiError interface {
	error
	ErrorCode() string
	ErrorMessage() string
}

func errorCode(err error) string {
	var api apiError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

const (
	codeInvalid  = "ValidationException"
	codeRefused  = "ConditionalCheckFailedException"
	codeConflict = "TransactionConflictException"
	codeRegions  = "ReplicatedWriteConflictException"
	codeCanceled = "TransactionCanceledException"
	codeLate     = "ResponseTimeout" // of a DAX client, for a context's deadline
)

// refusal reports whether a write's condition did not hold, and returns the item that did not
// meet it, where the answer brought it.
func refusal(err error) (map[string]types.AttributeValue, bool) {
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		return refused.Item, true
	}
	return nil, errorCode(err) == codeRefused
}

// Clean returns err without what could be a part of somebody's session: exceptions that carry
// the item, messages that quote the request, and parse errors that quote what they could not parse.
// Anything else is returned as it is, but that a DAX client's word for a deadline that has passed matches
// the context's.
func Clean(err error) error {
	if errorCode(err) == codeLate && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	if code := errorCode(err); code == codeRefused || code == codeCanceled {
		var canceled *types.TransactionCanceledException
		if errors.As(err, &canceled) {
			for i, reason := range canceled.CancellationReasons {
				code += fmt.Sprintf(", request %d: %s", i+1, shownCode(cmp.Or(aws.ToString(reason.Code), "None")))
			}
		}
		return errors.New("DynamoDB: " + code)
	}
	var api apiError
	if errors.As(err, &api) && quotes(api) {
		return fmt.Errorf("DynamoDB: %s, with a text that is not shown, as it may quote the request", shownCode(api.ErrorCode()))
	}
	if errors.As(err, &api) && api.ErrorCode() == codeInvalid && strings.Contains(api.ErrorMessage(), "tem size") &&
		strings.Contains(api.ErrorMessage(), "exceeded") {
		// The item holds attributes that this package does not know of, and did not count.
		return fmt.Errorf("%w: with what else lies in its item it is more than the %d bytes that DynamoDB takes: store less in the session", ErrTooLarge, maxItem)
	}
	if unreadable(err) {
		for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
			if errors.Is(err, cause) {
				return fmt.Errorf("DynamoDB's answer did not come whole: %w", cause)
			}
		}
		return errUnreadable
	}
	return err
}

// quotes reports whether the text of an answer may quote the request, with the session in it. DynamoDB's own
// do not, but there are proxies and other programs that speak its protocol. Their errors have no code, which the
// SDK calls UnknownError, or one that is none, or text with JSON in it.
func quotes(api apiError) bool {
	code := api.ErrorCode()
	return code == "UnknownError" || shownCode(code) != code || strings.Contains(api.ErrorMessage(), "{")
}

// shownCode returns an error's code, if it looks like one of DynamoDB's.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
func shownCode(code string) string {
	letter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	if code == "" || len(code) > 64 || strings.TrimFunc(code, letter) != "" {
		return "an error without a code of DynamoDB's"
	}
	return code
}

var errUnreadable = errors.New("DynamoDB's answer could not be read: is the endpoint DynamoDB, and nothing between that changes answers?")

// unreadable looks for the SDK's error for an answer that it could not parse, which quotes it. Its
// package is no direct dependency of this module, hence the name.
func unreadable(err error) bool {
	for err != nil {
		if strings.HasSuffix(fmt.Sprintf("%T", err), ".DeserializationError") {
			return true
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range many.Unwrap() {
				if unreadable(err) {
					return true
				}
			}
			return false
		}
		err = errors.Unwrap(err)
	}
	return false
}

// again calls f until it returns something else than what is over in a moment and the SDK does not retry: a
// TransactionConflictException, which a transaction under way on the same item causes in any request, and a
// ReplicatedWriteConflictException, which a write in another region does, in a global table of strong consistency.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
func again(ctx context.Context, f func() error) error {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		err := f()
		if code := errorCode(err); err == nil || code != codeConflict && code != codeRegions {
			return err
		}
		if Pause(ctx, wait/2+rand.N(wait)) != nil {
			return err
		}
	}
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
