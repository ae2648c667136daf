package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/record"
)

// settings are what the flags say that all commands have: which DynamoDB, and which table of which form.
type settings struct {
	aws      bool
	endpoint string
	region   string
	profile  string
	timeout  time.Duration
	cfg      dynamostore.Config
}

func defaults() *settings {
	return &settings{cfg: dynamostore.Config{
		Table:            "sessions",
		KeyAttribute:     "id",
		DataAttribute:    "data",
		ExpiresAttribute: "expires",
		UserIndex:        "user-index",
	}}
}

// register adds the flags. What the settings are by then is their default.
func (s *settings) register(flags *flag.FlagSet) {
	flags.BoolVar(&s.aws, "aws", s.aws, "use the default AWS configuration, which is what is done without -endpoint; with it, for its credentials and region")
	flags.StringVar(&s.endpoint, "endpoint", s.endpoint, "use the DynamoDB at this `URL`; without -aws, with placeholder credentials, as DynamoDB Local takes them, which are those of the demo")
	flags.StringVar(&s.region, "region", s.region, "AWS `region` (default that of the AWS configuration; us-east-1 with -endpoint)")
	flags.StringVar(&s.profile, "profile", s.profile, "`name` of a profile of the shared AWS config file")
	flags.DurationVar(&s.timeout, "timeout", s.timeout, "give the command up after this `duration`, such as 30s or 10m; 0 for none: a request takes 5s at most")
	text := func(field *string, name, usage string) { flags.StringVar(field, name, *field, usage) }
	text(&s.cfg.Table, "table", "`name` or ARN of the table")
	text(&s.cfg.KeyAttribute, "key-attribute", "`name` of its partition key")
	text(&s.cfg.KeyPrefix, "key-prefix", "`text` before every session's ID in the key, where applications share the table")
	text(&s.cfg.SortKeyAttribute, "sort-key-attribute", "`name` of its sort key, if it has one")
	text(&s.cfg.SortKeyValue, "sort-key-value", "`text` in the sort key that marks a session")
	text(&s.cfg.DataAttribute, "data-attribute", "`name` of the attribute that holds a session's values")
	text(&s.cfg.ExpiresAttribute, "expires-attribute", "`name` of the attribute that holds a session's end")
	text(&s.cfg.UserKey, "user-key", "`key` in Session.Values that holds the user; if it is set, the table is to have the index of users")
	text(&s.cfg.UserIndex, "user-index", "`name` of the index of users")
	flags.DurationVar(&s.cfg.MaxLifetime, "max-lifetime", s.cfg.MaxLifetime, "how long after its creation a session ends, as a `duration` such as 720h; 0 for never")
}

// check returns what is wrong in the flags. What is wrong in the names, dynamostore says.
func (s *settings) check() error {
	if s.endpoint != "" {
		u, err := url.Parse(s.endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return usagef("-endpoint: %q is no URL: give one such as http://localhost:8000", s.endpoint)
		}
	}
	if s.timeout < 0 {
		return usagef("-timeout: %v is negative: give a duration such as 30s, or 0 for none", s.timeout)
	}
	if _, err := dynamostore.New(&dynamodb.Client{}, s.cfg, make([]byte, 32)); err != nil {
		return usageError{err}
	}
	return nil
}

// client returns a client of the DynamoDB that the flags choose.
func (s *settings) client(ctx context.Context, p *program) (*dynamodb.Client, error) {
	// DynamoDB Local shows each access key its own tables: these are the demo's.
	cfg := aws.Config{
		Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "demo", SecretAccessKey: "demo"}, nil
		}),
	}
	if s.aws || s.endpoint == "" {
		var err error
		if cfg, err = config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(s.profile)); err != nil {
			return nil, fmt.Errorf("load the AWS configuration: %w", err)
		}
	}
	if s.region != "" {
		cfg.Region = s.region
	}
	if cfg.Region == "" {
		return nil, errors.New("no AWS region is set: give -region, or set AWS_REGION, or region in the shared AWS config file")
	}
	if s.endpoint != "" {
		cfg.BaseEndpoint = &s.endpoint
	}
	if p.transport != nil {
		cfg.HTTPClient = &http.Client{Transport: p.transport}
	}
	return dynamostore.NewClient(cfg), nil
}

// store returns a Store on the table, for what does without the service's keys, and its client.
func (s *settings) store(ctx context.Context, p *program) (*dynamodb.Client, *dynamostore.Store, error) {
	client, err := s.client(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	key := make([]byte, 32)
	rand.Read(key)
	store, err := dynamostore.New(client, s.cfg, key)
	return client, store, err
}

// userStore is store for the commands that need the index of users. Under which key of a session the
// service keeps the user, does not matter to them.
func (s *settings) userStore(ctx context.Context, p *program) (*dynamodb.Client, *dynamostore.Store, error) {
	if s.cfg.UserKey == "" {
		s.cfg.UserKey = "user"
	}
	return s.store(ctx, p)
}

// records returns the table as package record sees it, with what a Store does not show: what has expired.
func (s *settings) records(client *dynamodb.Client) *record.Table {
	return record.New(client, record.Schema{
		Table:     s.cfg.Table,
		Key:       s.cfg.KeyAttribute,
		SortKey:   s.cfg.SortKeyAttribute,
		SortValue: s.cfg.SortKeyValue,
		Data:      s.cfg.DataAttribute,
		Expires:   s.cfg.ExpiresAttribute,
		Prefix:    s.cfg.KeyPrefix,
	})
}

// requestTimeout bounds one request, as Config.Timeout does by default.
const requestTimeout = 5 * time.Second
