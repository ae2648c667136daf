package history

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
)

// instance is a process of the service.
type instance struct {
	number int
	store  *dynamostore.Store
	down   chan struct{} // closed when it crashes
	stop   func()        // closes down, once
}

// start starts an instance, with a memory of its own.
func (w *world) start(number int) *instance {
	down := make(chan struct{})
	i := &instance{number: number, down: down, stop: sync.OnceFunc(func() { close(down) })}
	cfg := w.config()
	cfg.EventualReads = w.plan.setup.eventual
	i.store = w.open(&link{network: w.network, down: down}, cfg)
	return i
}

// crash ends an instance. What its requests have sent is still on its way; they get no answer, and
// nor do their browsers. A new one takes its place.
func (w *world) crash(number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.journal.add("instance %d crashes, and starts anew", number)
	w.figures.crash()
	w.instances[number].stop()
	w.instances[number] = w.start(number)
}

func (w *world) instance(number int) *instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.instances[number]
}

// The cookies' and the items' keys, and the name of the session.
var (
	cookieKey     = []byte("the key that signs the cookies..")
	encryptionKey = []byte("the key that encrypts the items.")
)

const (
	sessionName = "session"
	maxLength   = 4 << 10
)

// config is the configuration that all instances of the history share.
func (w *world) config() dynamostore.Config {
	s := w.plan.setup
	cfg := dynamostore.Config{
		Table:          w.table,
		KeyPrefix:      w.prefix,
		HashIDs:        s.hashIDs,
		NewID:          w.newID,
		Timeout:        w.scaled(s.timeout),
		TouchInterval:  s.touch,
		Concurrency:    s.mode,
		NoTransactions: s.noTransactions,
	}
	if s.mode == dynamostore.Lock {
		cfg.Lock = dynamostore.LockConfig{
			Wait: w.scaled(2 * s.lease), Lease: w.scaled(s.lease),
			MinRetry: w.scaled(40 * time.Millisecond), MaxRetry: w.scaled(400 * time.Millisecond),
		}
	}
	if s.users {
		cfg.UserKey = userKey
	}
	if s.json {
		cfg.Codec = dynamostore.JSONCodec{}
	}
	if s.text {
		cfg.DataType = dynamostore.String
	}
	if s.encrypted {
		cfg.EncryptionKeys = [][]byte{encryptionKey}
	}
	return cfg
}

// open returns a Store whose requests go by transport.
func (w *world) open(transport http.RoundTripper, cfg dynamostore.Config) *dynamostore.Store {
	store, err := dynamostore.New(w.client(transport), cfg, cookieKey)
	if err != nil {
		panic(fmt.Sprintf("history: the configuration of seed %d: %v", w.plan.seed, err))
	}
	store.MaxAge(w.plan.setup.maxAge)
	store.MaxLength(maxLength)
	return store
}

// client returns a client as applications make it. Its pauses do not depend on chance.
func (b *backend) client(transport http.RoundTripper) *dynamodb.Client {
	return dynamostore.NewClient(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &b.endpoint,
		HTTPClient:   &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "history", SecretAccessKey: "history"}, nil
		}),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 3
				o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
					return b.scaled(time.Duration(attempt) * 20 * time.Millisecond), nil
				})
				o.RateLimiter = noRateLimit{}
			})
		},
	})
}

// noRateLimit lets a history have more faults than the SDK's retry budget bears.
type noRateLimit struct{}

func (noRateLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (noRateLimit) AddTokens(uint) error { return nil }

// createTable makes a table with an index of users, and a time to live if wanted.
func createTable(ctx context.Context, client *dynamodb.Client, table string, ttl bool) error {
	store, err := dynamostore.New(client, dynamostore.Config{Table: table, UserKey: userKey}, cookieKey)
	if err != nil {
		return err
	}
	if err := store.EnsureTable(ctx); err != nil || ttl {
		return err
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("expires"), Enabled: aws.Bool(false)},
	})
	return err
}
