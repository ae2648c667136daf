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

// Explained is the error of a request about many sessions, or about the table as a whole, with what an
// operator is to do about it in front of what the SDK says.
func (t *Table) Explained(doing, operation string, err error) error {
	err = Clean(err)
	if advice := t.advice(operation, err); advice != "" {
		err = fmt.Errorf("%s: %w", advice, err)
	}
	return t.failed(doing, err)
}

// explained is Explained, but for what the caller's own context ended.
func (t *Table) explained(ctx context.Context, doing, operation string, err error) error {
	if ctx.Err() != nil {
		return t.failed(doing, err)
	}
	return t.Explained(doing, operation, err)
}

// advice says plainly what err means, and what mends it; "": it says so itself.
func (t *Table) advice(operation string, err error) string {
	var host *net.DNSError
	var certificate *tls.CertificateVerificationError
	text := err.Error()
	switch code := errorCode(err); {
	case IsDenied(err):
		return "the credentials lack the permission dynamodb:" + operation + ": add it to their policy"
	case IsMissing(err):
		return t.Missing()
	case code == "UnrecognizedClientException" || code == "InvalidSignatureException" || code == "IncompleteSignatureException" || code == "InvalidClientTokenId":
		return "AWS does not take the credentials: check the access key and its secret, and this machine's clock"
	case code == "ExpiredTokenException" || code == "ExpiredToken":
		return "the credentials have expired: get new ones"
	case code == "UnknownError" || code == "UnknownOperationException":
		return "the answer is not DynamoDB's: is the endpoint the right one?"
	case code == codeInvalid && (strings.Contains(text, "does not match the schema") || strings.Contains(text, "number of conditions on the keys")):
		return "the table's keys are not those that Config.KeyAttribute and Config.SortKeyAttribute name: set them as CheckTable tells"
	case strings.Contains(text, "get credentials") || strings.Contains(text, "no identity resolver"):
		return "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine, container or function a role"
	case t.region() == "" && strings.Contains(text, "Missing Region"):
		return "no AWS region is set: set AWS_REGION, or region in the shared AWS config file"
	case errors.As(err, &host):
		return fmt.Sprintf("the host %s is not found: is there a region %q, is the endpoint right, and can this machine look names up?", host.Name, t.region())
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at the endpoint: is it the right one, and does DynamoDB Local run, if that is meant?"
	case errors.As(err, &certificate):
		return "the endpoint's certificate is not trusted: is the endpoint the right one, and if a proxy stands between, is AWS_CA_BUNDLE set to its roots?"
	case errors.Is(err, context.DeadlineExceeded) && !busy(err):
		return "there was no answer in time: can this machine reach the endpoint, in a VPC by a gateway endpoint for DynamoDB, say?"
	}
	return ""
}

// Missing says that there is no table of that name, and what mends it.
func (t *Table) Missing() string {
	where := ""
	if region := t.region(); region != "" {
		where = " in the region " + region
	}
	return "it does not exist" + where + ": create it, as EnsureTable does, or set Config.Table or the client's region to where it is"
}

// region is that of the client, "" if it does not say.
func (t *Table) region() string {
	if client, ok := t.client.(interface{ Options() dynamodb.Options }); ok {
		return client.Options().Region
	}
	return ""
}

// IsDenied reports whether the credentials are good, and do not allow the request.
func IsDenied(err error) bool {
	return slices.Contains([]string{"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}, errorCode(err))
}

// IsMissing reports whether there is no table of that name.
func IsMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}
