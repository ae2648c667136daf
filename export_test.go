package dynamostore

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// HTTPClient returns the HTTP client by which a client of NewClient sends its requests.
func HTTPClient(client *dynamodb.Client) aws.HTTPClient {
	return client.Options().HTTPClient.(checksummer).next.(bodyReader).next
}
