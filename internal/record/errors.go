package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// apiError is implemented by every error response, from the SDK's client and from a DAX client.
type apiError interface {
	error
	ErrorCode() string
	ErrorMessage() string
}

func errorCode(err error) string {
	if api, ok := errors.AsType[apiError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// hasCode reports whether err is an error response with one of the codes.
func hasCode(err error, codes ...string) bool { return slices.Contains(codes, errorCode(err)) }

const (
	codeInvalid  = "ValidationException"
	codeRefused  = "ConditionalCheckFailedException"
	codeCanceled = "TransactionCanceledException"
	codeLate     = "ResponseTimeout" // from a DAX client, for a context's deadline
)

// refusal reports whether a write's condition failed, and returns the item that failed it, if the
// response contains it.
func refusal(err error) (attributes, bool) {
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return refused.Item, true
	}
	return nil, hasCode(err, codeRefused)
}

// isConflict reports whether a request failed only because another one is in progress on the same
// item: a transaction or, in a strongly consistent global table, a write in another region. That
// passes in a moment, and the SDK does not retry it.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
func isConflict(err error) bool {
	return hasCode(err, "TransactionConflictException", "ReplicatedWriteConflictException") || isTransient(err)
}

// isBusy reports whether DynamoDB cannot take the request at the moment.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
func isBusy(err error) bool {
	var retries ratelimit.QuotaExceededError // the SDK has used up its budget of retries
	return isConflict(err) || errors.As(err, &retries) ||
		hasCode(err, "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")
}

// clean returns err without anything that could be part of a session: exceptions that contain the
// item, messages that quote the request, and parse errors that quote their input. Any other error
// is returned unchanged, except that a DAX client's deadline error also matches the context's.
func clean(err error) error {
	code := errorCode(err)
	switch code {
	case codeLate:
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
		}
	case codeRefused, codeCanceled:
		if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
			for i, reason := range canceled.CancellationReasons {
				code += fmt.Sprintf(", request %d: %s", i+1, shownCode(cmp.Or(aws.ToString(reason.Code), "None")))
			}
		}
		return errors.New("DynamoDB: " + code)
	}
	api, _ := errors.AsType[apiError](err)
	if api != nil && quotes(api) {
		return fmt.Errorf("DynamoDB: %s; its message is not shown, since it may quote the request", shownCode(code))
	}
	if code == codeInvalid && strings.Contains(api.ErrorMessage(), "tem size") && strings.Contains(api.ErrorMessage(), "exceeded") {
		// The item has attributes that were not read, and so were not counted.
		return fmt.Errorf("%w: with its other attributes, the item takes more than the %d bytes that DynamoDB stores; store less in the session", ErrTooLarge, maxItem)
	}
	if isUnreadable(err) {
		for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
			if errors.Is(err, cause) {
				return fmt.Errorf("DynamoDB's response was cut off: %w", cause)
			}
		}
		return errUnreadable
	}
	return err
}

// quotes reports whether the text of an error response may quote the request and thus the session.
// DynamoDB's texts do not, but those of proxies and of other programs that speak its protocol may.
// Such errors have no code, which the SDK reports as UnknownError, or an invalid code, or JSON in
// their text.
func quotes(api apiError) bool {
	code := api.ErrorCode()
	return code == "UnknownError" || shownCode(code) != code || strings.Contains(api.ErrorMessage(), "{")
}

// shownCode returns an error's code if it looks like one of DynamoDB's, and otherwise a text that
// says it does not.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
func shownCode(code string) string {
	letter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	if code == "" || len(code) > 64 || strings.TrimFunc(code, letter) != "" {
		return "an error whose code is not one of DynamoDB's"
	}
	return code
}

var errUnreadable = errors.New("DynamoDB's response could not be read; check that the endpoint is DynamoDB, and that nothing in between changes responses")

// isUnreadable looks for the SDK's error for a response that it could not parse, which quotes the
// response. It compares the type's name, since the type's package is not a direct dependency of
// this module.
func isUnreadable(err error) bool {
	for err != nil {
		if strings.HasSuffix(fmt.Sprintf("%T", err), ".DeserializationError") {
			return true
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			return slices.ContainsFunc(many.Unwrap(), isUnreadable)
		}
		err = errors.Unwrap(err)
	}
	return false
}
