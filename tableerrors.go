package dynamostore

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// tableError is the error of a request about the table as a whole, with what an operator is to do about
// it in front of what the SDK says.
func (s *Store) tableError(doing, operation string, err error) error {
	return s.table.Explained(doing, operation, err)
}

// isInUse reports whether the table exists already, or is being changed.
func isInUse(err error) bool {
	var inUse *types.ResourceInUseException
	return errors.As(err, &inUse)
}
