// Command connections measures what a client's connections cost, side by side for the SDK's default
// client and for dynamostore.NewClient: many requests in flight at once, over TLS, to a server in this
// process.
//
//	go run ./internal/connections
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/memdynamo"
)

// client is a way to make a DynamoDB client.
type client struct {
	name string
	make func(aws.Config, ...func(*dynamodb.Options)) *dynamodb.Client
}

var clients = []client{
	{"dynamodb.NewFromConfig", dynamodb.NewFromConfig},
	{"dynamostore.NewClient", dynamostore.NewClient},
}

func main() {
	log.SetFlags(0)
	inFlight := flag.Int("inflight", 64, "`number` of requests in flight at once")
	rounds := flag.Int("rounds", 60, "`number` of times that they are sent")
	flag.Parse()
	if *inFlight < 1 || *rounds < 1 || flag.NArg() > 0 {
		log.Fatal("connections: -inflight and -rounds take 1 or more, and there are no arguments")
	}
	fmt.Printf("%d GetItem requests over TLS, %d in flight at once, %d times:\n\n", *inFlight**rounds, *inFlight, *rounds)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "connections\tper request in flight\tmedian\tp99\t")
	for _, c := range clients {
		r, err := measure(context.Background(), c, *inFlight, *rounds)
		if err != nil {
			log.Fatalf("connections: %s: %v", c.name, err)
		}
		fmt.Fprintf(w, "%d\t%.2f\t%v\t%v\t   %s\n", r.connections, r.perRequestInFlight(), round(r.median()), round(r.p99()), c.name)
	}
	w.Flush()
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// result is what was measured of a client.
type result struct {
	inFlight    int
	connections int             // that the server saw opened
	took        []time.Duration // each request, retries included, sorted
}

func (r result) perRequestInFlight() float64 { return float64(r.connections) / float64(r.inFlight) }
func (r result) median() time.Duration       { return r.took[len(r.took)/2] }
func (r result) p99() time.Duration          { return r.took[len(r.took)*99/100] }

// measure has a client send rounds of requests that are in flight at once, as the visitors of a page send
// them, to a server of its own. In the first round the server answers nobody until all have come: those
// are the connections that it takes, and the rest is about whether they are kept.
func measure(ctx context.Context, c client, inFlight, rounds int) (result, error) {
	engine := memdynamo.New()
	var opened, arrived atomic.Int64
	all := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "DynamoDB_20120810.GetItem" {
			if arrived.Add(1) == int64(inFlight) {
				close(all)
			}
			select {
			case <-all:
			case <-r.Context().Done():
			}
		}
		engine.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that were closed amid the handshake
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()

	const patience = time.Minute // the client shares its CPU with the server, and perhaps with others
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	db := c.make(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		HTTPClient: awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) {
			d.Timeout = patience
		}).WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig.RootCAs = roots // as AWS_CA_BUNDLE does
			t.TLSHandshakeTimeout = patience
			t.ResponseHeaderTimeout = patience
		}),
	})
	table, id := "sessions", "id"
	_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            &table,
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: &id, KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &id, AttributeType: types.ScalarAttributeTypeS}},
	})
	if err != nil {
		return result{}, err
	}
	key := map[string]types.AttributeValue{id: &types.AttributeValueMemberS{Value: "somebody"}}
	_, err = db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{
		id:     key[id],
		"data": &types.AttributeValueMemberB{Value: make([]byte, 1024)},
	}})
	if err != nil {
		return result{}, err
	}

	took := make([]time.Duration, inFlight*rounds)
	errs := make([]error, inFlight)
	for round := range rounds {
		var wg sync.WaitGroup
		for i := range inFlight {
			wg.Go(func() {
				begin := time.Now()
				out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
				took[round*inFlight+i] = time.Since(begin)
				if err == nil && len(out.Item) != 2 {
					err = fmt.Errorf("GetItem returned %d attributes, want 2", len(out.Item))
				}
				errs[i] = err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return result{}, err
		}
	}
	slices.Sort(took)
	return result{inFlight, int(opened.Load()), took}, nil
}
