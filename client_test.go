package dynamostore_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/memdynamo"
)

// endpoint is a server that answers as DynamoDB or as handler does, and counts.
type endpoint struct {
	*httptest.Server
	handler  func(w http.ResponseWriter, r *http.Request, request int64) bool // reports whether it answered; the first request is 1
	opened   atomic.Int64                                                     // connections
	requests atomic.Int64
	last     atomic.Pointer[http.Request]
}

func newEndpoint(t testing.TB, start func(*httptest.Server)) *endpoint {
	e := &endpoint{}
	engine := memdynamo.New()
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.last.Store(r)
		if n := e.requests.Add(1); e.handler == nil || !e.handler(w, r, n) {
			engine.ServeHTTP(w, r)
		}
	}))
	e.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	e.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			e.opened.Add(1)
		}
	}
	start(e.Server)
	t.Cleanup(e.Close)
	return e
}

// roots returns a pool that trusts the server.
func (e *endpoint) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(e.Certificate())
	return pool
}

// config returns an aws.Config for the server.
func (e *endpoint) config() aws.Config {
	cfg := aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &e.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
	if e.TLS != nil {
		cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig.RootCAs = e.roots()
		})
	}
	return cfg
}

// environ sets the environment for the server, and hides what this machine has in its own.
func (e *endpoint) environ(t testing.TB) {
	nowhere := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "FROMENV", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_DYNAMODB": e.URL, "AWS_CA_BUNDLE": "", "AWS_MAX_ATTEMPTS": "", "AWS_RETRY_MODE": "",
		"AWS_DEFAULTS_MODE": "", "AWS_NEW_RETRIES_2026": "",
	} {
		t.Setenv(name, value)
	}
	if e.TLS != nil {
		bundle := filepath.Join(t.TempDir(), "ca.pem")
		data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw})
		if err := os.WriteFile(bundle, data, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_CA_BUNDLE", bundle)
	}
}

// get sends a GetItem, for a table that does not exist unless the test created it.
func get(t testing.TB, client *dynamodb.Client) error {
	_, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("sessions"),
		Key:       map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "somebody"}},
	})
	return err
}

// wantAnswer asserts that err is the server's answer: there is no such table.
func wantAnswer(t testing.TB, err error) {
	t.Helper()
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("GetItem: %v, want the server's answer", err)
	}
}

// serverError is a handler that answers every request with an HTTP 500.
func serverError(w http.ResponseWriter, _ *http.Request, _ int64) bool {
	http.Error(w, `{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "try again"}`, http.StatusInternalServerError)
	return true
}

// The client does what the aws.Config says, and the environment by it. optFns have the last word.
func TestNewClientFollowsItsConfig(t *testing.T) {
	one := func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
	header := func(name, want string) func(*testing.T, *endpoint) {
		return func(t *testing.T, e *endpoint) {
			if got := e.last.Load().Header.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s: %q, want one with %q", name, got, want)
			}
		}
	}
	attempts := func(want int64) func(*testing.T, *endpoint) {
		return func(t *testing.T, e *endpoint) {
			if got := e.requests.Load(); got != want {
				t.Errorf("%d attempts, want %d", got, want)
			}
		}
	}
	for _, test := range []struct {
		name    string
		env     map[string]string // nil: the configuration is not loaded from the environment
		cfg     func(*aws.Config)
		opts    []func(*dynamodb.Options)
		handler func(http.ResponseWriter, *http.Request, int64) bool
		check   func(*testing.T, *endpoint)
	}{
		{name: "Region", cfg: func(c *aws.Config) { c.Region = "eu-west-1" }, check: header("Authorization", "/eu-west-1/dynamodb/")},
		{name: "AWS_REGION and credentials", env: map[string]string{}, check: header("Authorization", "Credential=FROMENV/")},
		{
			name: "Credentials",
			cfg: func(c *aws.Config) {
				c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "OWN", SecretAccessKey: "secret"}, nil
				})
			},
			check: header("Authorization", "Credential=OWN/"),
		},
		{name: "AppID", cfg: func(c *aws.Config) { c.AppID = "shop" }, check: header("User-Agent", "app/shop")},
		{
			name: "APIOptions",
			cfg: func(c *aws.Config) {
				c.APIOptions = append(c.APIOptions, awsmiddleware.AddUserAgentKey("own-middleware"))
			},
			check: header("User-Agent", "own-middleware"),
		},
		{
			name: "ServiceOptions",
			cfg: func(c *aws.Config) {
				c.ServiceOptions = append(c.ServiceOptions, func(_ string, o any) { o.(*dynamodb.Options).Region = "eu-west-2" })
			},
			check: header("Authorization", "/eu-west-2/"),
		},
		{name: "attempts", handler: serverError, check: attempts(5)},
		{name: "Retryer", cfg: func(c *aws.Config) { c.Retryer = one }, handler: serverError, check: attempts(1)},
		{name: "RetryMaxAttempts", cfg: func(c *aws.Config) { c.RetryMaxAttempts = 2 }, handler: serverError, check: attempts(2)},
		{name: "RetryMode", cfg: func(c *aws.Config) { c.RetryMode = aws.RetryModeAdaptive }, handler: serverError, check: attempts(5)},
		{name: "AWS_MAX_ATTEMPTS", env: map[string]string{"AWS_MAX_ATTEMPTS": "3"}, handler: serverError, check: attempts(3)},
		{name: "AWS_RETRY_MODE", env: map[string]string{"AWS_RETRY_MODE": "adaptive"}, handler: serverError, check: attempts(5)},
		{name: "optFns: Retryer", opts: []func(*dynamodb.Options){func(o *dynamodb.Options) { o.Retryer = one() }}, handler: serverError, check: attempts(1)},
		{name: "optFns: RetryMaxAttempts", opts: []func(*dynamodb.Options){func(o *dynamodb.Options) { o.RetryMaxAttempts = 2 }}, handler: serverError, check: attempts(2)},
		{
			name: "optFns after cfg", cfg: func(c *aws.Config) { c.Region = "eu-west-1"; c.BaseEndpoint = aws.String("http://127.0.0.1:1") },
			env:   map[string]string{},
			check: header("Authorization", "/ap-south-1/"),
			opts: []func(*dynamodb.Options){func(o *dynamodb.Options) {
				o.Region = "ap-south-1"
				o.BaseEndpoint = aws.String(os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"))
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(t, (*httptest.Server).Start)
			e.handler = test.handler
			cfg := e.config()
			if test.env != nil {
				e.environ(t)
				for name, value := range test.env {
					t.Setenv(name, value)
				}
				var err error
				if cfg, err = config.LoadDefaultConfig(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if test.cfg != nil {
				test.cfg(&cfg)
			}
			err := get(t, dynamostore.NewClient(cfg, test.opts...))
			if test.handler == nil {
				wantAnswer(t, err)
			} else if err == nil {
				t.Error("GetItem: no error")
			}
			if !t.Failed() {
				test.check(t, e)
			}
		})
	}
}

// Open uses the endpoint that the environment names, and trusts the authorities that it names.
func TestOpenFollowsTheEnvironment(t *testing.T) {
	e := newEndpoint(t, (*httptest.Server).StartTLS)
	key := []byte("the key of this test, 32 bytes..")
	load := func() error {
		store, err := dynamostore.Open(t.Context(), dynamostore.Config{}, key)
		if err != nil {
			t.Fatal(err)
		}
		value, err := securecookie.EncodeMulti("session", "somebody", securecookie.CodecsFromPairs(key)...)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: "session", Value: value})
		_, err = store.Get(r, "session")
		return err
	}
	e.environ(t)
	wantAnswer(t, load())
	if got := e.last.Load().Header.Get("Authorization"); !strings.Contains(got, "Credential=FROMENV/") || !strings.Contains(got, "/eu-central-1/") {
		t.Errorf("Authorization: %q", got)
	}

	t.Setenv("AWS_CA_BUNDLE", "")
	var unknown x509.UnknownAuthorityError
	if err := load(); !errors.As(err, &unknown) {
		t.Errorf("without AWS_CA_BUNDLE: %v, want an x509.UnknownAuthorityError", err)
	}
	t.Setenv("AWS_CA_BUNDLE", filepath.Join(t.TempDir(), "missing.pem"))
	if _, err := dynamostore.Open(t.Context(), dynamostore.Config{}, key); err == nil {
		t.Error("with an AWS_CA_BUNDLE that does not exist: no error")
	}
}

// Values that a BuildableClient sets are kept. The others are NewClient's.
func TestNewClientKeepsTheHTTPClientsValues(t *testing.T) {
	transport := func(f func(*http.Transport)) *awshttp.BuildableClient {
		return awshttp.NewBuildableClient().WithTransportOptions(f)
	}
	type values struct {
		tls, answer, idle          time.Duration
		perHost, inAll, most       int
		http2                      bool
		dialer, wholeRequest, read time.Duration
	}
	ours := values{
		tls: 2 * time.Second, answer: 2 * time.Second, idle: 50 * time.Second,
		perHost: 2048, inAll: 0, most: 2048, dialer: 30 * time.Second,
	}
	for _, test := range []struct {
		name   string
		client aws.HTTPClient
		mode   aws.DefaultsMode
		opts   []func(*dynamodb.Options)
		want   func(*values)
	}{
		{name: "nothing", want: func(*values) {}},
		{name: "the SDK's defaults", client: awshttp.NewBuildableClient(), want: func(*values) {}},
		{name: "TLSHandshakeTimeout", client: transport(func(t *http.Transport) { t.TLSHandshakeTimeout = 7 }), want: func(v *values) { v.tls = 7 }},
		{name: "ResponseHeaderTimeout", client: transport(func(t *http.Transport) { t.ResponseHeaderTimeout = 7 }), want: func(v *values) { v.answer = 7 }},
		{name: "IdleConnTimeout", client: transport(func(t *http.Transport) { t.IdleConnTimeout = 7 }), want: func(v *values) { v.idle = 7 }},
		{name: "MaxIdleConnsPerHost", client: transport(func(t *http.Transport) { t.MaxIdleConnsPerHost = 7 }), want: func(v *values) { v.perHost = 7 }},
		{name: "MaxIdleConns", client: transport(func(t *http.Transport) { t.MaxIdleConns = 7 }), want: func(v *values) { v.inAll = 7 }},
		{name: "MaxConnsPerHost", client: transport(func(t *http.Transport) { t.MaxConnsPerHost = 7 }), want: func(v *values) { v.most, v.perHost = 7, 7 }},
		{name: "MaxConnsPerHost, unlimited", client: transport(func(t *http.Transport) { t.MaxConnsPerHost = 0 }), want: func(v *values) { v.most = 0 }},
		{
			name:   "Protocols",
			client: transport(func(t *http.Transport) { t.Protocols = new(http.Protocols); t.Protocols.SetHTTP2(true) }),
			want:   func(v *values) { v.http2 = true },
		},
		{
			name:   "the dialer's Timeout",
			client: awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = 7 }),
			want:   func(v *values) { v.dialer = 7 },
		},
		{name: "Timeout", client: awshttp.NewBuildableClient().WithTimeout(7), want: func(v *values) { v.wholeRequest = 7 }},
		{name: "ReadTimeout", client: awshttp.NewBuildableClient().WithReadTimeout(7), want: func(v *values) { v.read = 7 }},
		{
			name: "DefaultsMode", mode: aws.DefaultsModeStandard,
			want: func(v *values) { v.dialer, v.tls = 3100*time.Millisecond, 3100*time.Millisecond },
		},
		{
			name: "optFns find the tuned client",
			opts: []func(*dynamodb.Options){func(o *dynamodb.Options) {
				o.HTTPClient = o.HTTPClient.(*awshttp.BuildableClient).WithTransportOptions(func(t *http.Transport) { t.MaxIdleConns = 7 })
			}},
			want: func(v *values) { v.inAll = 7 },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var buildable *awshttp.BuildableClient
			dynamostore.NewClient(aws.Config{Region: "us-east-1", HTTPClient: test.client, DefaultsMode: test.mode},
				append(test.opts, func(o *dynamodb.Options) { buildable = o.HTTPClient.(*awshttp.BuildableClient) })...)
			tr := buildable.GetTransport()
			got := values{
				tls: tr.TLSHandshakeTimeout, answer: tr.ResponseHeaderTimeout, idle: tr.IdleConnTimeout,
				perHost: tr.MaxIdleConnsPerHost, inAll: tr.MaxIdleConns, most: tr.MaxConnsPerHost,
				http2: tr.ForceAttemptHTTP2 || tr.Protocols.HTTP2(), dialer: buildable.GetDialer().Timeout, wholeRequest: buildable.GetTimeout(),
			}
			got.read, _ = buildable.GetReadTimeout()
			want := ours
			test.want(&want)
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// A DialContext of the application's is called, within the time that a connection may take, unless
// the dialer's Timeout was set.
func TestNewClientKeepsDialContext(t *testing.T) {
	e := newEndpoint(t, (*httptest.Server).Start)
	for _, test := range []struct {
		name    string
		client  *awshttp.BuildableClient
		bounded bool
	}{
		{"alone", awshttp.NewBuildableClient(), true},
		{"with the dialer's Timeout", awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = time.Minute }), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var dials atomic.Int64
			cfg := e.config()
			cfg.HTTPClient = test.client.WithTransportOptions(func(tr *http.Transport) {
				tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					dials.Add(1)
					deadline, ok := ctx.Deadline()
					if left := time.Until(deadline); ok != test.bounded || ok && left > 1100*time.Millisecond {
						t.Errorf("the dial has a deadline: %t, in %v; want %t, in 1.1 s", ok, left, test.bounded)
					}
					return new(net.Dialer).DialContext(ctx, network, address)
				}
			})
			wantAnswer(t, get(t, dynamostore.NewClient(cfg)))
			if got := dials.Load(); got != 1 {
				t.Errorf("DialContext was called %d times, want once", got)
			}
		})
	}
}

// An HTTP client that is not the SDK's is used as it is, whether cfg or an optFn sets it.
func TestNewClientLeavesOtherHTTPClientsAlone(t *testing.T) {
	e := newEndpoint(t, (*httptest.Server).StartTLS)
	own := e.Client() // an *http.Client
	cfg := e.config()
	cfg.HTTPClient = own
	wantAnswer(t, get(t, dynamostore.NewClient(cfg)))
	cfg.HTTPClient = nil
	client := dynamostore.NewClient(cfg, func(o *dynamodb.Options) { o.HTTPClient = own })
	wantAnswer(t, get(t, client))
	if got := dynamostore.HTTPClient(client); got != aws.HTTPClient(own) {
		t.Errorf("requests are sent by %T, want the client that was given", got)
	}
	if got := e.opened.Load(); got != 1 {
		t.Errorf("%d connections, want 1: the client's own", got)
	}
}

// The pauses before retries are those that the documentation states, with jitter.
func TestRetriesAreSoon(t *testing.T) {
	e := newEndpoint(t, (*httptest.Server).Start)
	for _, mode := range []aws.RetryMode{"", aws.RetryModeStandard, aws.RetryModeAdaptive} {
		for _, retries2026 := range []string{"", "true"} {
			t.Run(cmp.Or(string(mode), "no mode")+", "+cmp.Or(retries2026, "false"), func(t *testing.T) {
				t.Setenv("AWS_NEW_RETRIES_2026", retries2026)
				cfg := e.config()
				cfg.RetryMode = mode
				retryer := dynamostore.NewClient(cfg).Options().Retryer
				if _, adaptive := retryer.(*retry.AdaptiveMode); adaptive != (mode == aws.RetryModeAdaptive) {
					t.Errorf("the retryer of mode %q is a %T", mode, retryer)
				}
				if got := retryer.MaxAttempts(); got != 5 {
					t.Errorf("MaxAttempts = %d, want 5", got)
				}
				for attempt, most := range map[int]time.Duration{
					0: 50, 1: 50, 2: 100, 3: 200, 4: 400, 5: 400, 100: 400,
				} {
					most *= time.Millisecond
					var shortest, longest time.Duration = time.Hour, 0
					for range 500 {
						d, err := retryer.RetryDelay(attempt, &types.ProvisionedThroughputExceededException{})
						if err != nil {
							t.Fatal(err)
						}
						shortest, longest = min(shortest, d), max(longest, d)
					}
					if longest > most || longest < most/2 || shortest < 0 || shortest > most/2 {
						t.Errorf("the pause after attempt %d took %v to %v, want 0 to %v", attempt, shortest, longest, most)
					}
				}
			})
		}
	}
}

// A truncated response is retried.
func TestTruncatedResponseIsRetried(t *testing.T) {
	e := newEndpoint(t, (*httptest.Server).StartTLS)
	e.handler = func(w http.ResponseWriter, _ *http.Request, request int64) bool {
		if request > 1 {
			return false
		}
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"Item": {"id": {"S": "some`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	wantAnswer(t, get(t, dynamostore.NewClient(e.config())))
	if got := e.requests.Load(); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

// A connection that stalls, in any phase, is given up, and the request is sent on another one.
func TestStalledConnectionIsGivenUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	// first dials the first connection in another way.
	first := func(dial func(ctx context.Context, address string) (net.Conn, error)) func(*http.Transport) {
		var dials atomic.Int64
		return func(t *http.Transport) {
			next := t.DialContext
			t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1) == 1 {
					return dial(ctx, address)
				}
				return next(ctx, network, address)
			}
		}
	}
	var muted, muted2 mute
	for _, test := range []struct {
		name    string
		start   func(*httptest.Server)
		dial    func(*http.Transport)
		handler func(http.ResponseWriter, *http.Request, int64) bool

		requests int64 // that arrive
	}{
		{name: "TCP", requests: 1, start: (*httptest.Server).Start, dial: first(func(ctx context.Context, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
		})},
		{name: "TLS", requests: 1, start: (*httptest.Server).StartTLS, dial: first(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", silent.Addr().String())
		})},
		{name: "answer", requests: 2, start: (*httptest.Server).StartTLS, dial: first(muted.dial), handler: muted.from},
		{name: "answer, where HTTP/2 is offered", requests: 2, start: startHTTP2, dial: first(muted2.dial), handler: muted2.from},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, test.start)
			e.handler = test.handler
			cfg := e.config()
			buildable, _ := cfg.HTTPClient.(*awshttp.BuildableClient)
			if buildable == nil {
				buildable = awshttp.NewBuildableClient()
			}
			if test.dial != nil {
				buildable = buildable.WithTransportOptions(test.dial)
			}
			cfg.HTTPClient = buildable
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // if the connection is not given up
			defer cancel()
			begin := time.Now()
			_, err := dynamostore.NewClient(cfg).GetItem(ctx, &dynamodb.GetItemInput{
				TableName: aws.String("sessions"),
				Key:       map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "somebody"}},
			})
			wantAnswer(t, err)
			if took := time.Since(begin); took < time.Second {
				t.Errorf("it took %v, so the first connection did not stall", took)
			}
			if got := e.requests.Load(); got != test.requests {
				t.Errorf("the server got %d requests, want %d", got, test.requests)
			}
		})
	}
}

// mute makes a connection silent, as a dead one is, once the first request has come by it.
type mute struct{ on atomic.Bool }

func (m *mute) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &mutedConn{Conn: conn, on: &m.on, closed: make(chan struct{})}, nil
}

// from is the handler.
func (m *mute) from(_ http.ResponseWriter, _ *http.Request, request int64) bool {
	if request == 1 {
		m.on.Store(true)
	}
	return false
}

type mutedConn struct {
	net.Conn
	on     *atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *mutedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.on.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *mutedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func startHTTP2(s *httptest.Server) {
	s.EnableHTTP2 = true
	s.StartTLS()
}

// NewClient speaks HTTP/1.1, also on an HTTP client that was used before, and has offered HTTP/2.
func TestNewClientSpeaksHTTP1(t *testing.T) {
	e := newEndpoint(t, startHTTP2)
	cfg := e.config()
	proto := func(client *dynamodb.Client) string {
		t.Helper()
		wantAnswer(t, get(t, client))
		return e.last.Load().Proto
	}
	if got := proto(dynamodb.NewFromConfig(cfg)); got != "HTTP/2.0" {
		t.Errorf("the SDK's client spoke %s, want HTTP/2.0 for this to be a test", got)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", e.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := cfg.HTTPClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := proto(dynamostore.NewClient(cfg)); got != "HTTP/1.1" {
		t.Errorf("NewClient's spoke %s, want HTTP/1.1", got)
	}
}

// A refused write costs no connection and logs nothing. What the SDK logs for another reason is
// logged.
func TestRefusedWritesCostNoConnection(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(*httptest.Server)
	}{
		{"TCP", (*httptest.Server).Start},
		{"TLS", (*httptest.Server).StartTLS},
		{"errors without a checksum, as of DynamoDB Local", func(s *httptest.Server) {
			engine := s.Config.Handler
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				engine.ServeHTTP(answer, r)
				maps.Copy(w.Header(), answer.Header())
				if answer.Code >= 400 {
					w.Header().Del("X-Amz-Crc32")
				}
				w.WriteHeader(answer.Code)
				w.Write(answer.Body.Bytes())
			})
			s.Start()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(t, test.start)
			e.environ(t)
			cfg, logged := loadLogging(t)
			client := dynamostore.NewClient(cfg)
			table := &dynamodb.CreateTableInput{
				TableName: aws.String("sessions"), BillingMode: types.BillingModePayPerRequest,
				KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
				AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
			}
			if _, err := client.CreateTable(t.Context(), table); err != nil {
				t.Fatal(err)
			}
			put := &dynamodb.PutItemInput{
				TableName: table.TableName,
				Item: map[string]types.AttributeValue{
					"id":   &types.AttributeValueMemberS{Value: "somebody"},
					"data": &types.AttributeValueMemberB{Value: make([]byte, 8<<10)},
				},
				ConditionExpression:                 aws.String("attribute_not_exists(id)"),
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			}
			if _, err := client.PutItem(t.Context(), put); err != nil {
				t.Fatal(err)
			}
			const writes = 200
			for range writes {
				var refused *types.ConditionalCheckFailedException
				if _, err := client.PutItem(t.Context(), put); !errors.As(err, &refused) || len(refused.Item) != 2 {
					t.Fatalf("PutItem: %v, want a refusal with the item", err)
				}
				if err := get(t, client); err != nil {
					t.Fatal(err)
				}
			}
			// net/http itself may give a connection up on a machine that is busy for 50 ms.
			if got := e.opened.Load(); got > 6 {
				t.Errorf("%d refused writes, and as many reads, one after the other: %d connections, want 1", writes, got)
			}
			if got := e.requests.Load(); got != 2*writes+2 {
				t.Errorf("%d requests, want %d: some were sent twice", got, 2*writes+2)
			}
			if lines := logged(); lines != "" {
				t.Errorf("the SDK logged:\n%.2000s", lines)
			}

			// A response that does not match its checksum.
			e.handler = func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
				w.Header().Set("X-Amz-Crc32", "12345")
				io.WriteString(w, "{}")
				return true
			}
			get(t, client)
			if lines := logged(); !strings.Contains(lines, "checksum") {
				t.Errorf("of a response that does not match its checksum, the SDK logged %q", lines)
			}
		})
	}
}

// loadLogging returns the environment's configuration, and a function that returns what its logger
// wrote to standard error.
func loadLogging(t testing.TB) (aws.Config, func() string) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	stderr := os.Stderr
	os.Stderr = file
	cfg, err := config.LoadDefaultConfig(context.Background())
	os.Stderr = stderr
	if err != nil {
		t.Fatal(err)
	}
	return cfg, func() string {
		lines, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(lines)
	}
}

// HTTPS_PROXY and NO_PROXY are read once in a process, so each case has a process of its own.
func TestProxy(t *testing.T) {
	const name = "DYNAMOSTORE_TEST_PROXY_TARGET"
	if target := os.Getenv(name); target != "" {
		proxiedRequest(t, target)
		return
	}
	e := newEndpoint(t, (*httptest.Server).StartTLS)
	target := strings.TrimPrefix(e.URL, "https://")
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "example.com:443" {
			t.Errorf("the proxy was asked for %s %s", r.Method, r.Host)
			return
		}
		asked.Add(1)
		tunnel(t, w, target)
	}))
	defer proxy.Close()
	for _, test := range []struct {
		name, noProxy string
		viaProxy      int64
	}{
		{"HTTPS_PROXY", "", 1},
		{"NO_PROXY", "other.example,example.com", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked.Store(0)
			before := e.requests.Load()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$", "-test.count=1")
			cmd.Env = append(os.Environ(), "HTTPS_PROXY="+proxy.URL, "https_proxy=", "NO_PROXY="+test.noProxy, "no_proxy=", name+"="+target)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			if got := asked.Load(); got != test.viaProxy {
				t.Errorf("the proxy was asked for %d connections, want %d", got, test.viaProxy)
			}
			if got := e.requests.Load() - before; got != 1 {
				t.Errorf("DynamoDB was sent %d requests, want 1", got)
			}
		})
	}
}

// proxiedRequest sends a request to example.com, for which httptest's certificate is valid. A
// connection to it goes to the target.
func proxiedRequest(t *testing.T, target string) {
	client := dynamostore.NewClient(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("https://example.com"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig = &tls.Config{RootCAs: trustHTTPTest()}
			next := t.DialContext
			t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == "example.com:443" {
					address = target
				}
				return next(ctx, network, address)
			}
		}),
	})
	wantAnswer(t, get(t, client))
}

// trustHTTPTest returns a pool that trusts every server of httptest: they share a certificate.
func trustHTTPTest() *x509.CertPool {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// tunnel connects the client of w with the target, until either closes the connection.
func tunnel(t *testing.T, w http.ResponseWriter, target string) {
	there, err := net.Dial("tcp", target)
	if err != nil {
		t.Error(err)
		return
	}
	defer there.Close()
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer here.Close()
	fmt.Fprint(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(there, buffered)
		there.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(here, there)
	here.Close()
	<-done
}
