package dynamostore

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// InLine counts the sessions for which requests of this process are in line, to merge or to lock.
func (s *Store) InLine() int { return s.writers.Len() + s.holders.Len() }

// Tracked counts the sessions and requests of which something is known in this process, until the
// garbage collector finds them.
func Tracked() int { return states.Len() + leases.Len() }

// HTTPClient returns the HTTP client by which a client of NewClient sends its requests.
func HTTPClient(client *dynamodb.Client) aws.HTTPClient {
	return client.Options().HTTPClient.(bodyReader).next
}
