package bench

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/memdynamo"
)

// BenchmarkConnections sends 64 requests at once over TLS, again and again, with the SDK's default client
// and with NewClient. It reports the connections that were opened for each request in flight, and the
// time of a request.
func BenchmarkConnections(b *testing.B) {
	b.Run("client=sdk", func(b *testing.B) { connections(b, dynamodb.NewFromConfig) })
	b.Run("client=dynamostore", func(b *testing.B) { connections(b, dynamostore.NewClient) })
}

func connections(b *testing.B, newClient func(aws.Config, ...func(*dynamodb.Options)) *dynamodb.Client) {
	const inFlight = 64
	engine := memdynamo.New()
	var opened, arrived atomic.Int64
	all := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Nobody is answered until all requests of the first round have come: so many connections are
		// needed, and the rest is about whether they are kept.
		if r.Header.Get("X-Amz-Target") == "DynamoDB_20120810.GetItem" {
			if arrived.Add(1) == inFlight {
				close(all)
			}
			select {
			case <-all:
			case <-r.Context().Done():
			}
		}
		engine.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that were closed during the handshake
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()

	const limit = time.Minute // the client shares its CPU with the server
	client := newClient(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		HTTPClient: awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) {
			d.Timeout = limit
		}).WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			t.TLSHandshakeTimeout = limit
			t.ResponseHeaderTimeout = limit
		}),
	})
	ctx := b.Context()
	table, id := "sessions", "id"
	if _, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            &table,
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: &id, KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &id, AttributeType: types.ScalarAttributeTypeS}},
	}); err != nil {
		b.Fatal(err)
	}
	item := map[string]types.AttributeValue{
		id:     &types.AttributeValueMemberS{Value: "somebody"},
		"data": &types.AttributeValueMemberB{Value: make([]byte, 1024)},
	}
	if _, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		b.Fatal(err)
	}

	var mu sync.Mutex
	var took []time.Duration
	for b.Loop() {
		var wg sync.WaitGroup
		for range inFlight {
			wg.Go(func() {
				begin := time.Now()
				_, err := client.GetItem(ctx, &dynamodb.GetItemInput{
					TableName: &table, Key: map[string]types.AttributeValue{id: item[id]}, ConsistentRead: aws.Bool(true),
				})
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(begin))
			})
		}
		wg.Wait()
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(opened.Load())/inFlight, "connections/in-flight")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
