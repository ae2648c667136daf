package dynamostore

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Waiting counts the sessions for which requests of this process hold a queue, to write or to lock.
func (s *Store) Waiting() int { return s.db.Waiting() }

// Tracked counts the sessions and requests of which something is known in this process, until they are
// collected.
func Tracked() int { return states.Len() + leases.Len() }

// HTTPClient returns the HTTP client by which a client of NewClient sends its requests.
func HTTPClient(client *dynamodb.Client) aws.HTTPClient {
	return client.Options().HTTPClient.(checksummer).next.(bodyReader).next
}
