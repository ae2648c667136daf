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
)

// settings are the values of the flags that all commands have.
type settings struct {
	aws      bool
	endpoint string
	region   string
	profile  string
	timeout  time.Duration
	json     bool
	cfg      dynamostore.Config
}

const defaultExpires = "expires"

func defaults() *settings {
	return &settings{cfg: dynamostore.Config{
		Table:            "sessions",
		KeyAttribute:     "id",
		DataAttribute:    "data",
		ExpiresAttribute: defaultExpires,
		UserIndex:        "user-index",
		LabelKey:         "label", // shows labels; which key the service uses does not matter
	}}
}

// register adds the flags. Their defaults are the values that s has.
func (s *settings) register(flags *flag.FlagSet) {
	flags.BoolVar(&s.json, "json", s.json, "print JSON")
	flags.BoolVar(&s.aws, "aws", s.aws, "use the default AWS configuration; that is the default without -endpoint, and with -endpoint sets its credentials and region")
	flags.StringVar(&s.endpoint, "endpoint", s.endpoint, "use the DynamoDB at this `URL`; without -aws, with placeholder credentials, which are enough for DynamoDB Local and are the demo's")
	flags.StringVar(&s.region, "region", s.region, "AWS `region` (default that of the AWS configuration; us-east-1 with -endpoint)")
	flags.StringVar(&s.profile, "profile", s.profile, "`name` of a profile in the shared AWS config file")
	flags.DurationVar(&s.timeout, "timeout", s.timeout, "end the command after this `duration`, such as 30s or 10m; 0 for no limit")
	text := func(field *string, name, usage string) { flags.StringVar(field, name, *field, usage) }
	text(&s.cfg.Table, "table", "`name` or ARN of the table")
	text(&s.cfg.KeyAttribute, "key-attribute", "`name` of its partition key")
	text(&s.cfg.KeyPrefix, "key-prefix", "`text` before each session ID in the key, if applications share the table")
	text(&s.cfg.SortKeyAttribute, "sort-key-attribute", "`name` of its sort key, if it has one")
	text(&s.cfg.SortKeyValue, "sort-key-value", "`text` in the sort key that marks a session")
	text(&s.cfg.DataAttribute, "data-attribute", "`name` of the attribute that holds a session's values")
	text(&s.cfg.ExpiresAttribute, "expires-attribute", "`name` of the attribute that holds a session's end")
	text(&s.cfg.UserKey, "user-key", "`key` in Session.Values that holds the user; if it is set, create and check include the index of users")
	text(&s.cfg.UserIndex, "user-index", "`name` of the index of users")
	flags.DurationVar(&s.cfg.MaxLifetime, "max-lifetime", s.cfg.MaxLifetime, "how long after its creation a session ends, as a `duration` such as 720h; 0 for never")
}

// check returns an error if a flag's value is wrong.
func (s *settings) check() error {
	if s.endpoint != "" {
		u, err := url.Parse(s.endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return usagef("-endpoint: %q is not a URL; want one such as http://localhost:8000", s.endpoint)
		}
	}
	if s.timeout < 0 {
		return usagef("-timeout: %v is negative; want a duration such as 30s, or 0 for no limit", s.timeout)
	}
	if _, err := s.storeOn(&dynamodb.Client{}); err != nil {
		return usageError{err}
	}
	return nil
}

// client returns a client of the DynamoDB that the flags choose.
func (s *settings) client(ctx context.Context, p *program) (*dynamodb.Client, error) {
	// DynamoDB Local has separate tables for each access key. These are the demo's.
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
		return nil, errors.New("no AWS region is set; give -region, or set AWS_REGION, or region in the shared AWS config file")
	}
	if s.endpoint != "" {
		cfg.BaseEndpoint = &s.endpoint
	}
	if p.transport != nil {
		cfg.HTTPClient = &http.Client{Transport: p.transport}
	}
	return dynamostore.NewClient(cfg), nil
}

// storeOn returns a Store on client. It needs no cookie key, since it serves no requests, but must
// have one.
func (s *settings) storeOn(client dynamostore.Client) (*dynamostore.Store, error) {
	key := make([]byte, 32)
	rand.Read(key)
	return dynamostore.New(client, s.cfg, key)
}

// open returns a client and a Store on it.
func (s *settings) open(ctx context.Context, p *program) (*dynamodb.Client, *dynamostore.Store, error) {
	client, err := s.client(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	store, err := s.storeOn(client)
	return client, store, err
}
