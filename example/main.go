// Command example is a small web application whose sessions lie in DynamoDB: visitors log in, fill a cart,
// and see and end their sessions. Beside that the page shows the item that holds the session, what each
// request cost, and what becomes of the session when things go wrong.
//
// To learn how to use the store, read app.go, then cart.go and sessions.go. The other files show what goes on
// behind it: item.go and live.go the item, cost.go what requests cost, mishaps.go and outage.go what
// goes wrong.
//
// Without flags it keeps the table in memory and needs nothing. With -aws it works on the default
// AWS configuration, with -endpoint on any other DynamoDB, such as DynamoDB Local.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		os.Exit(2) // the flag package has said what is wrong
	default:
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// settings are what the command line and the environment say.
type settings struct {
	addr     string
	table    string
	aws      bool
	endpoint string
	outages  bool   // are offered, whatever the DynamoDB is
	key      []byte // signs the cookies
}

type usageError struct{ error }

func parse(args []string, stderr io.Writer) (*settings, error) {
	var s settings
	flags := flag.NewFlagSet("example", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.addr, "addr", "localhost:8080", "`host:port` to listen on; port 0 is any free one")
	flags.StringVar(&s.table, "table", "dynamostore-demo", "`name` of the table, which is created if it is missing")
	flags.BoolVar(&s.aws, "aws", false, "use the DynamoDB of the default AWS configuration, not one in memory")
	flags.StringVar(&s.endpoint, "endpoint", "", "use the DynamoDB at this `URL`; without -aws, with placeholder credentials, as DynamoDB Local takes them")
	flags.BoolVar(&s.outages, "outages", false, "let visitors try an outage with -aws or -endpoint as well: this program fails the requests of their own sessions, and DynamoDB sees none of them")
	key := flags.String("key", "", "64 or 128 `hex` digits that sign the cookies, to keep sessions when the program starts anew; $SESSION_KEY does the same and shows in no process list (default random)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{err}
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag: see -help", flags.Arg(0))
	}
	if s.endpoint != "" {
		u, err := url.Parse(s.endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("-endpoint: %q is no URL: give one such as http://localhost:8000", s.endpoint)
		}
	}
	var err error
	source := "-key"
	if *key == "" {
		source, *key = "SESSION_KEY", os.Getenv("SESSION_KEY")
	}
	if s.key, err = parseKey(*key); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return &s, nil
}

// parseKey returns the key of the cookies, a random one for "". Its error does not show it.
func parseKey(text string) ([]byte, error) {
	if text == "" {
		key := make([]byte, 32)
		rand.Read(key)
		return key, nil
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 32 && len(key) != 64 {
		return nil, errors.New("the key is not 64 or 128 hex digits: make one with openssl rand -hex 32")
	}
	return key, nil
}

// client returns the DynamoDB that the settings choose, and what to call it.
func (s *settings) client(ctx context.Context) (client *dynamodb.Client, name string, err error) {
	if !s.aws && s.endpoint == "" {
		return memoryClient(), "this program's memory, which goes when it stops", nil
	}
	cfg := aws.Config{
		Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "demo", SecretAccessKey: "demo"}, nil
		}),
	}
	if s.aws {
		if cfg, err = config.LoadDefaultConfig(ctx); err != nil {
			return nil, "", fmt.Errorf("load the AWS configuration: %w", err)
		}
		if cfg.Region == "" {
			return nil, "", errors.New("no AWS region is set: set AWS_REGION, or region in the shared AWS config file")
		}
		name = "DynamoDB in " + cfg.Region
	}
	if s.endpoint != "" {
		cfg.BaseEndpoint = &s.endpoint
		name = "the DynamoDB at " + s.endpoint
	}
	return dynamostore.NewClient(cfg), name, nil
}

// memoryClient returns a client of a DynamoDB in this program's memory.
func memoryClient() *dynamodb.Client { return dynamostoretest.Open() }

const (
	// setupTimeout bounds the creation of the table, which takes AWS some seconds.
	setupTimeout = time.Minute
	// stopTimeout bounds how long requests may take that are under way when the program is to stop.
	stopTimeout = 3 * time.Second
)

// run serves the application until ctx is done, which is no error.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	// First of all, so that nothing has been touched if the port is taken.
	listener, err := net.Listen("tcp", s.addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the address %s is taken, by another program or by this one running already: stop that, or choose another address, such as -addr localhost:0 for any free port", s.addr)
	case err != nil:
		return fmt.Errorf("-addr: %w", err)
	}
	defer listener.Close()

	client, engine, err := s.client(ctx)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	var outages *outages
	if s.outages || !s.aws && s.endpoint == "" {
		outages = newOutages()
		client = outages.client(client)
	}
	app, err := newApp(setup{client, s.table, engine, s.key, logger, outages})
	if err != nil {
		return err
	}
	setup, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	err = app.store.EnsureTable(setup)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stdout, "stopped")
		return nil
	case err != nil:
		return err
	}

	server := &http.Server{
		Handler:           app.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "listening on http://%s\n", reachable(s.addr, listener.Addr()))

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(bound); err != nil {
		server.Close() // what is left was given its time
	}
	<-served
	fmt.Fprintln(stdout, "stopped")
	return nil
}

// reachable returns the host that was asked for, localhost if none was, with the port that it became.
func reachable(asked string, got net.Addr) string {
	host, _, _ := net.SplitHostPort(asked) // net.Listen took it
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	_, port, err := net.SplitHostPort(got.String())
	if err != nil {
		return got.String()
	}
	return net.JoinHostPort(host, port)
}
