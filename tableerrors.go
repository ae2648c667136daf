package dynamostore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/record"
)

// tableError is the error of a request about the table as a whole, with what an operator is to do about
// it in front of what the SDK says.
func (s *Store) tableError(doing, operation string, err error) error {
	err = record.Clean(err)
	if advice := s.advice(operation, err); advice != "" {
		return fmt.Errorf("dynamostore: %s table %q: %s: %w", doing, s.cfg.Table, advice, err)
	}
	return fmt.Errorf("dynamostore: %s table %q: %w", doing, s.cfg.Table, err)
}

// advice says plainly what err means, and what mends it; "": it says so itself.
func (s *Store) advice(operation string, err error) string {
	var host *net.DNSError
	var certificate *tls.CertificateVerificationError
	text := err.Error()
	switch code := errorCode(err); {
	case isDenied(err):
		return "the credentials lack the permission dynamodb:" + operation + ": add it to their policy"
	case code == "UnrecognizedClientException" || code == "InvalidSignatureException" || code == "IncompleteSignatureException" || code == "InvalidClientTokenId":
		return "AWS does not take the credentials: check the access key and its secret, and this machine's clock"
	case code == "ExpiredTokenException" || code == "ExpiredToken":
		return "the credentials have expired: get new ones"
	case code == "UnknownError" || code == "UnknownOperationException":
		return "the answer is not DynamoDB's: is the endpoint the right one?"
	case strings.Contains(text, "get credentials") || strings.Contains(text, "no identity resolver"):
		return "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine, container or function a role"
	case s.region() == "" && strings.Contains(text, "Missing Region"):
		return "no AWS region is set: set AWS_REGION, or region in the shared AWS config file"
	case errors.As(err, &host):
		return fmt.Sprintf("the host %s is not found: is there a region %q, is the endpoint right, and can this machine look names up?", host.Name, s.region())
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at the endpoint: is it the right one, and does DynamoDB Local run, if that is meant?"
	case errors.As(err, &certificate):
		return "the endpoint's certificate is not trusted: is the endpoint the right one, and if a proxy stands between, is AWS_CA_BUNDLE set to its roots?"
	case errors.Is(err, context.DeadlineExceeded):
		return "there was no answer in time: can this machine reach the endpoint, in a VPC by a gateway endpoint for DynamoDB, say?"
	}
	return ""
}

func errorCode(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// isDenied reports whether the credentials are good, and do not allow the request.
func isDenied(err error) bool {
	return slices.Contains([]string{"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}, errorCode(err))
}

// isMissing reports whether there is no table of that name.
func isMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// isInUse reports whether the table exists already, or is being changed.
func isInUse(err error) bool {
	var inUse *types.ResourceInUseException
	return errors.As(err, &inUse)
}
