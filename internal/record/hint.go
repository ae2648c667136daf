package record

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ErrTimeout is the cause of a context that Config.Timeout ended, and not the caller.
var ErrTimeout = errors.New("Config.Timeout expired")

// Error returns the error of a request: what was being done, what err means and how to fix it, and
// then err itself, without anything that quotes a session.
func (t *Table) Error(ctx context.Context, doing, operation string, err error) error {
	hint := t.hint(ctx, operation, err)
	err = clean(err)
	if ended := ctx.Err(); errors.Is(ended, context.DeadlineExceeded) && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err) // net/http may return another error then
	}
	if hint != "" {
		err = fmt.Errorf("%s: %w", hint, err)
	}
	return t.failed(doing, err)
}

func (t *Table) failed(doing string, err error) error {
	return fmt.Errorf("dynamostore: %s table %q: %w", doing, t.schema.Table, err)
}

// hint returns what err means and how to fix it, or "" if err is clear enough.
func (t *Table) hint(ctx context.Context, operation string, err error) string {
	var host *net.DNSError
	var certificate *tls.CertificateVerificationError
	text := err.Error()
	contains := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
	}
	is := func(codes ...string) bool { return hasCode(err, codes...) }
	switch {
	case IsDenied(err):
		return "the credentials lack the permission dynamodb:" + operation + "; add it to their policy"
	case IsMissing(err):
		return t.MissingTable()
	case operation == "Query" && is(codeInvalid) && contains("specified index"):
		return fmt.Sprintf("the table has no index %q; create it with EnsureTable, or set Config.UserIndex", t.schema.Index)
	case operation == "Query" && is(codeInvalid) && contains("key schema element", "does not match schema type"):
		return fmt.Sprintf("the keys of the index %q are not %q (S) and %q (N); CheckTable reports them; set Config.UserIndex or Config.ExpiresAttribute",
			t.schema.Index, UserAttribute, t.schema.Expires)
	case is("UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignatureException", "InvalidClientTokenId"):
		return "AWS rejected the credentials; check the access key, its secret, and this machine's clock"
	case is("RequestTimeTooSkewed", "RequestExpired"):
		return "AWS rejected the time of the request; set this machine's clock"
	case is("ExpiredTokenException", "ExpiredToken"):
		return "the credentials have expired; get new ones"
	case operation == "TransactWriteItems" && (is("UnknownOperationException") || is(codeInvalid) && contains("ransactions are not supported")):
		return "the table or its engine has no transactions; set Config.NoTransactions"
	case is("UnknownError", "UnknownOperationException"):
		return "the response is not DynamoDB's; check the endpoint"
	case is(codeInvalid) && contains("does not match the schema", "number of conditions on the keys", "One of the required keys was not given a value", "Missing the key"):
		return "the table's key differs from Config.KeyAttribute and Config.SortKeyAttribute; CheckTable reports the table's key"
	case contains("get credentials", "no identity resolver"):
		return "there are no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine, container or function a role"
	case t.region() == "" && contains("Missing Region"):
		return "no AWS region is set; set AWS_REGION, or region in the shared AWS config file"
	case contains("invalid input region"):
		return fmt.Sprintf("%q is not the name of a region; correct AWS_REGION", t.region())
	case contains("unsupported protocol scheme"):
		return "the endpoint has no scheme; begin it with http:// or https://"
	case contains("server gave HTTP response to HTTPS client"):
		return "the endpoint speaks http, not https; begin it with http://"
	case errors.As(err, &host):
		return fmt.Sprintf("the host %s was not found; check the region %q, the endpoint, and this machine's name resolution", host.Name, t.region())
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at the endpoint; check the endpoint and, if it is DynamoDB Local, that it is running"
	case errors.As(err, &certificate):
		return "the endpoint's certificate is not trusted; check the endpoint and, behind a proxy, AWS_CA_BUNDLE"
	case errors.Is(err, context.DeadlineExceeded) && !isBusy(err) && (ctx.Err() == nil || context.Cause(ctx) == ErrTimeout):
		return "there was no response in time; check that this machine can reach the endpoint, in a VPC through a gateway endpoint for DynamoDB"
	}
	return ""
}

// MissingTable says that the table does not exist, and how to fix that.
func (t *Table) MissingTable() string {
	where := ""
	if region := t.region(); region != "" {
		where = " in the region " + region
	}
	return "the table does not exist" + where + "; create it with EnsureTable, or set Config.Table or the client's region"
}

// region returns the client's region, or "" if it is unknown.
func (t *Table) region() string {
	if client, ok := t.client.(interface{ Options() dynamodb.Options }); ok {
		return client.Options().Region
	}
	return ""
}

// IsDenied reports whether the credentials are good but do not permit the request.
func IsDenied(err error) bool {
	return hasCode(err, "AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
}

// IsMissing reports whether there is no table of that name.
func IsMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}
