// Command example is a small web application that keeps its sessions in DynamoDB. Visitors log in,
// fill a cart, and see and end the sessions that they have on other devices. The page also shows
// the item that holds the session, what each request cost, and what happens to a session when
// things go wrong.
//
// To learn how to use the store, read app.go, cart.go and sessions.go. An application needs no
// more. The other files are the demo:
//
//   - item.go shows the session's item.
//   - cost.go counts what requests cost.
//   - mishaps.go and outage.go try what goes wrong with sessions, here and in other stores (plain.go).
//   - page.go renders the pages.
//
// Without flags, the table is in memory. With -aws it is in the DynamoDB of the default AWS
// configuration, and with -endpoint in any other, such as DynamoDB Local.
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
	"strconv"
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
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// settings holds what the command line and the environment say.
type settings struct {
	addr     string
	table    string
	aws      bool
	endpoint string
	outages  bool   // offer an outage whatever the DynamoDB is
	key      []byte // signs the cookies
}

func parse(args []string, stderr io.Writer) (*settings, error) {
	var s settings
	flags := flag.NewFlagSet("example", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.addr, "addr", "localhost:8080", "`host:port` to listen on; port 0 is any free one")
	flags.StringVar(&s.table, "table", "dynamostore-demo", "`name` of the table; it is created if it does not exist")
	flags.BoolVar(&s.aws, "aws", false, "use the DynamoDB of the default AWS configuration instead of one in memory")
	flags.StringVar(&s.endpoint, "endpoint", "", "use the DynamoDB at this `URL`; without -aws, with placeholder credentials, which DynamoDB Local accepts")
	flags.BoolVar(&s.outages, "outages", false, "let visitors try an outage with -aws or -endpoint too: this program fails the requests for their own session, and DynamoDB sees none of them")
	key := flags.String("key", "", "64 or 128 `hex` digits that sign the cookies, so that sessions survive a restart; $SESSION_KEY does the same, and no process list shows it (default random)")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag; see -help", flags.Arg(0))
	}
	if s.endpoint != "" {
		u, err := url.Parse(s.endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("-endpoint: %q is not a URL; want one such as http://localhost:8000", s.endpoint)
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

// parseKey returns the key that signs the cookies, a random one if text is empty. Its error does
// not show the key.
func parseKey(text string) ([]byte, error) {
	if text == "" {
		key := make([]byte, 32)
		rand.Read(key)
		return key, nil
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 32 && len(key) != 64 {
		return nil, errors.New("the key is not 64 or 128 hex digits; make one with openssl rand -hex 32")
	}
	return key, nil
}

// client returns a client of the DynamoDB that the settings choose, and says where that is.
func (s *settings) client(ctx context.Context) (client *dynamodb.Client, name string, err error) {
	if !s.aws && s.endpoint == "" {
		return dynamostoretest.Open(), "in this program's memory", nil
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
			return nil, "", errors.New("no AWS region is set; set AWS_REGION, or region in the shared AWS config file")
		}
		name = "in DynamoDB, " + cfg.Region
	}
	if s.endpoint != "" {
		cfg.BaseEndpoint = &s.endpoint
		name = "in the DynamoDB at " + s.endpoint
	}
	return dynamostore.NewClient(cfg), name, nil
}

const (
	// setupTimeout bounds the creation of the table, which takes some seconds on AWS.
	setupTimeout = time.Minute
	// stopTimeout is how long requests in flight may take when the program is told to stop.
	stopTimeout = 3 * time.Second
)

// run serves the application until ctx is done, which is not an error.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	// First, so that nothing has been done if the port is taken.
	listener, err := net.Listen("tcp", s.addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the address %s is taken, perhaps by this program, running already; stop that, or choose another address, such as -addr localhost:0 for any free port", s.addr)
	case err != nil:
		return fmt.Errorf("-addr: %w", err)
	}
	defer listener.Close()

	client, engine, err := s.client(ctx)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	app, err := newApp(setup{
		client:  client,
		table:   s.table,
		engine:  engine,
		key:     s.key,
		log:     logger,
		outages: s.outages || !s.aws && s.endpoint == "",
	})
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
		server.Close() // the requests that are left have had their time
	}
	<-served
	fmt.Fprintln(stdout, "stopped")
	return nil
}

// reachable returns the host that was asked for, or localhost if none was, with the port of the
// listener.
func reachable(asked string, got net.Addr) string {
	host, _, _ := net.SplitHostPort(asked) // net.Listen accepted it
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(got.(*net.TCPAddr).Port))
}
