package record

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// inRegion is a table whose client is in a region, or in none.
func inRegion(region string) *Table {
	return New(dynamodb.New(dynamodb.Options{Region: region}), Schema{Table: "sessions", Key: "id", Data: "data", Expires: "expires"})
}

// DeserializationError is an error of a type whose name is that of the SDK's.
type DeserializationError struct{ err error }

func (e *DeserializationError) Error() string { return "cannot parse \"secret\": " + e.err.Error() }
func (e *DeserializationError) Unwrap() error { return e.err }

// Each error says what was being done to which table, what it means, and how to fix it, and wraps
// the cause.
func TestHints(t *testing.T) {
	message := func(text string) *string { return &text }
	timeout, cancel := context.WithCancelCause(context.Background())
	cancel(ErrTimeout)
	callers, cancelCallers := context.WithTimeout(context.Background(), 0)
	defer cancelCallers()
	invalid := func(text string) error { return codeError{"ValidationException", text} }
	for _, test := range []struct {
		name  string
		ctx   context.Context // nil: the background
		table *Table          // nil: in eu-west-1
		err   error
		want  []string // the hint
	}{
		{name: "no permission", err: codeError{"AccessDeniedException", "User is not authorized"}, want: []string{"lack the permission dynamodb:GetItem", "policy"}},
		{name: "no permission, by another code", err: apiCode("UnauthorizedOperation"), want: []string{"dynamodb:GetItem"}},
		{name: "no table", err: &types.ResourceNotFoundException{Message: message("Requested resource not found")}, want: []string{"does not exist in the region eu-west-1", "EnsureTable", "Config.Table"}},
		{name: "no table, no region", table: inRegion(""), err: &types.ResourceNotFoundException{}, want: []string{"the table does not exist; create it with EnsureTable"}},
		{name: "unknown access key", err: apiCode("UnrecognizedClientException"), want: []string{"AWS rejected the credentials", "access key", "clock"}},
		{name: "wrong signature", err: apiCode("InvalidSignatureException"), want: []string{"AWS rejected the credentials", "clock"}},
		{name: "incomplete signature", err: apiCode("IncompleteSignatureException"), want: []string{"AWS rejected the credentials"}},
		{name: "unknown token", err: apiCode("InvalidClientTokenId"), want: []string{"AWS rejected the credentials"}},
		{name: "a clock that is wrong", err: apiCode("RequestTimeTooSkewed"), want: []string{"the time of the request", "set this machine's clock"}},
		{name: "a request that came too late", err: apiCode("RequestExpired"), want: []string{"set this machine's clock"}},
		{name: "expired credentials", err: apiCode("ExpiredTokenException"), want: []string{"the credentials have expired"}},
		{name: "expired credentials, by another code", err: apiCode("ExpiredToken"), want: []string{"the credentials have expired"}},
		{name: "another server", err: apiCode("UnknownError"), want: []string{"not DynamoDB's", "endpoint"}},
		{name: "another service", err: apiCode("UnknownOperationException"), want: []string{"not DynamoDB's", "endpoint"}},
		{name: "wrong key", err: invalid("The provided key element does not match the schema"), want: []string{"Config.KeyAttribute", "CheckTable"}},
		{name: "wrong number of keys", err: invalid("The number of conditions on the keys is invalid"), want: []string{"Config.SortKeyAttribute", "CheckTable"}},
		{name: "missing key", err: invalid("One of the required keys was not given a value"), want: []string{"Config.KeyAttribute", "CheckTable"}},
		{name: "missing key of a new item", err: invalid("One or more parameter values were invalid: Missing the key pk in the item"), want: []string{"Config.KeyAttribute", "CheckTable"}},
		{name: "no credentials", err: errors.New("get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found"), want: []string{"no AWS credentials", "AWS_ACCESS_KEY_ID", "role"}},
		{name: "no provider of credentials", err: errors.New("no identity resolver"), want: []string{"no AWS credentials"}},
		{name: "no region", table: inRegion(""), err: errors.New("resolve endpoint: Invalid Configuration: Missing Region"), want: []string{"no AWS region is set", "AWS_REGION"}},
		{name: "an odd region", table: inRegion("us east 1"), err: errors.New("failed to bind endpoint params, invalid input region us east 1"), want: []string{`"us east 1" is not the name of a region`, "AWS_REGION"}},
		{name: "an endpoint without a scheme", err: errors.New(`Post "localhost:///": unsupported protocol scheme "localhost"`), want: []string{"the endpoint has no scheme", "http://"}},
		{name: "an endpoint without TLS", err: errors.New("http: server gave HTTP response to HTTPS client"), want: []string{"the endpoint speaks http, not https"}},
		{name: "no such host", err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "dynamodb.eu-wst-1.amazonaws.com", IsNotFound: true}}, want: []string{"dynamodb.eu-wst-1.amazonaws.com", `region "eu-west-1"`, "endpoint"}},
		{name: "nothing listens", err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, want: []string{"nothing listens at the endpoint", "DynamoDB Local"}},
		{name: "untrusted certificate", err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, want: []string{"certificate is not trusted", "AWS_CA_BUNDLE"}},
		{name: "no response", err: fmt.Errorf("sent: %w", context.DeadlineExceeded), want: []string{"no response in time", "gateway endpoint"}},
		{name: "no response within Config.Timeout", ctx: timeout, err: context.DeadlineExceeded, want: []string{"no response in time"}},
		{name: "the caller's deadline", ctx: callers, err: context.DeadlineExceeded},
		{name: "the caller's cancellation", err: context.Canceled},
		{name: "throttled until the deadline", err: errors.Join(throttling, context.DeadlineExceeded)},
		{name: "throttled", err: throttling},
		{name: "HTTP 500", err: internal},
		{name: "another invalid request", err: invalid("Invalid UpdateExpression")},
		{name: "connection reset", err: &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, table := test.ctx, test.table
			if ctx == nil {
				ctx = t.Context()
			}
			if table == nil {
				table = inRegion("eu-west-1")
			}
			hint := table.hint(ctx, "GetItem", test.err)
			if test.want == nil && hint != "" {
				t.Errorf("the hint is %q, want none", hint)
			}
			for _, want := range test.want {
				if !strings.Contains(hint, want) {
					t.Errorf("the hint %q does not say %q", hint, want)
				}
			}
			if errorCode(test.err) == "UnknownError" {
				return // Error loses the hint: see TestErrorOfAnotherServerHasAHint of storetest
			}
			err := table.Error(ctx, "load from", "GetItem", test.err)
			text := err.Error()
			if !strings.HasPrefix(text, `dynamostore: load from table "sessions": `+hint) {
				t.Errorf("error %q does not begin with the operation, the table and the hint", text)
			}
			if !errors.Is(err, test.err) {
				t.Errorf("error %q does not wrap %q", text, test.err)
			}
			if strings.Contains(strings.TrimPrefix(text, "dynamostore: "), "dynamostore:") {
				t.Errorf("error %q repeats its prefix", text)
			}
		})
	}
}

// The client of an application may not tell its region.
func TestRegion(t *testing.T) {
	if got := inRegion("eu-west-1").region(); got != "eu-west-1" {
		t.Errorf("region = %q, want the client's", got)
	}
	if got := New(struct{ Client }{}, Schema{}).region(); got != "" {
		t.Errorf("of a client without Options, region = %q", got)
	}
}

// What may hold a part of a session is taken out of errors. What cannot is left as it is.
func TestClean(t *testing.T) {
	item := attributes{"data": text("secret")}
	for _, test := range []struct {
		name string
		err  error
		want string // empty: err itself
		is   error
	}{
		{"a refusal with the item", fmt.Errorf("sent: %w", &types.ConditionalCheckFailedException{Item: item}), "DynamoDB: ConditionalCheckFailedException", nil},
		{"a canceled transaction with items", canceled("ConditionalCheckFailed", "None"), "DynamoDB: TransactionCanceledException, request 1: ConditionalCheckFailed, request 2: None", nil},
		{"a canceled transaction with an odd reason", canceled("it was secret"), "DynamoDB: TransactionCanceledException, request 1: an error whose code is not one of DynamoDB's", nil},
		{"a canceled transaction without a reason", &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{}}}, "DynamoDB: TransactionCanceledException, request 1: None", nil},
		{"a message that quotes JSON", codeError{"OddException", `cannot take {"S":"secret"}`}, "DynamoDB: OddException; its message is not shown, since it may quote the request", nil},
		{"a code that is none", codeError{`{"S":"secret"}`, "no"}, "DynamoDB: an error whose code is not one of DynamoDB's; its message is not shown, since it may quote the request", nil},
		{"a code that is too long", codeError{strings.Repeat("secret", 20), "no"}, "DynamoDB: an error whose code is not one of DynamoDB's; its message is not shown, since it may quote the request", nil},
		{"no code", codeError{"", "secret"}, "DynamoDB: an error whose code is not one of DynamoDB's; its message is not shown, since it may quote the request", nil},
		{"a proxy's page", codeError{"UnknownError", "secret"}, "DynamoDB: UnknownError; its message is not shown, since it may quote the request", nil},
		{"too large with attributes that were not read", codeError{"ValidationException", "Item size has exceeded the maximum allowed size"}, "session too large: with its other attributes, the item takes more than the 409600 bytes that DynamoDB stores; store less in the session", ErrTooLarge},
		{"too large after an update", codeError{"ValidationException", "Item size to update has exceeded the maximum allowed size"}, "session too large: with its other attributes, the item takes more than the 409600 bytes that DynamoDB stores; store less in the session", ErrTooLarge},
		{"a response that cannot be parsed", fmt.Errorf("sent: %w", &DeserializationError{errors.New("at secret")}), errUnreadable.Error(), nil},
		{"one of several that cannot be parsed", errors.Join(errors.New("first"), &DeserializationError{errors.New("at secret")}), errUnreadable.Error(), nil},
		{"a response that broke off at the deadline", &DeserializationError{context.DeadlineExceeded}, "DynamoDB's response was cut off: context deadline exceeded", context.DeadlineExceeded},
		{"a response that broke off with the request", &DeserializationError{context.Canceled}, "DynamoDB's response was cut off: context canceled", context.Canceled},
		{"the deadline, as a DAX client tells it", codeError{"ResponseTimeout", "late"}, "context deadline exceeded: api error ResponseTimeout: late", context.DeadlineExceeded},
		{"an error of DynamoDB's", codeError{"ThrottlingException", "slow down"}, "", nil},
		{"a connection's error", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, "", nil},
		{"the context's error", context.Canceled, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := clean(test.err)
			if test.want == "" {
				if got != test.err {
					t.Errorf("clean = %v, want it as it is: %v", got, test.err)
				}
				return
			}
			if got.Error() != test.want {
				t.Errorf("clean = %q\nwant    %q", got, test.want)
			}
			if test.is != nil && !errors.Is(got, test.is) {
				t.Errorf("%q is not %q", got, test.is)
			}
			var (
				refused  *types.ConditionalCheckFailedException
				canceled *types.TransactionCanceledException
			)
			if errors.As(got, &refused) || errors.As(got, &canceled) {
				t.Errorf("%q carries an item", got)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	item := attributes{"data": text("x")}
	for _, test := range []struct {
		name    string
		err     error
		refused bool
		item    bool
	}{
		{"with the item", fmt.Errorf("sent: %w", &types.ConditionalCheckFailedException{Item: item}), true, true},
		{"without the item", &types.ConditionalCheckFailedException{}, true, false},
		{"of a DAX client", apiCode("ConditionalCheckFailedException"), true, false},
		{"another error", throttling, false, false},
		{"none", nil, false, false},
	} {
		got, refused := refusal(test.err)
		if refused != test.refused || (got != nil) != test.item {
			t.Errorf("%s: refusal = %v, %v, want refused: %v, with the item: %v", test.name, got, refused, test.refused, test.item)
		}
	}
}

// The reasons of a canceled transaction are for the put of the new item, and for the update of the
// old one.
func TestReasons(t *testing.T) {
	got := reasons(fmt.Errorf("sent: %w", canceled("None", "ConditionalCheckFailed")))
	if len(got) != 2 || aws.ToString(got[0].Code) != "None" || aws.ToString(got[1].Code) != codeReason {
		t.Errorf("reasons = %v", got)
	}
	for name, err := range map[string]error{"one reason": canceled("None"), "another error": throttling, "none": nil} {
		if reasons(err) != nil {
			t.Errorf("%s: taken for the cancellation of a move", name)
		}
	}
}
