package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// function is one instance of the function: the program, on a stand-in for Lambda's runtime API. It
// is an http.RoundTripper that sends requests to the program as events of a function URL.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type function struct {
	t       testing.TB
	process *exec.Cmd
	stderr  *buffer
	exited  chan struct{} // closed when the process is gone
	events  chan *invocation

	mu       sync.Mutex
	running  map[string]*invocation // by ID
	readyAt  time.Time              // of the first request for an event
	started  time.Time
	failures []string // what the program did wrong
}

// invocation is an event and its answer.
type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	answers  chan answer // has room for one
}

type answer struct {
	resp *http.Response // nil if the function reported an error
	err  string
	at   time.Time // when the header had arrived
}

// functionTimeout is the time limit of the function, as template.yaml sets it.
const functionTimeout = 10 * time.Second

// start starts the program with that environment and no other. It is killed at the end of the test.
func start(t testing.TB, program string, env map[string]string) *function {
	t.Helper()
	f := &function{
		t:       t,
		process: exec.Command(program),
		stderr:  &buffer{},
		exited:  make(chan struct{}),
		events:  make(chan *invocation),
		running: make(map[string]*invocation),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", f.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", f.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", f.failure)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.wrong("%s %s is not a request of the runtime API", r.Method, r.URL.Path)
		http.NotFound(w, r)
	})
	api := httptest.NewServer(mux)
	f.process.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://")}
	for name, value := range env {
		f.process.Env = append(f.process.Env, name+"="+value)
	}
	f.process.Stdout, f.process.Stderr = f.stderr, f.stderr
	f.started = time.Now()
	if err := f.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		f.process.Wait()
		close(f.exited)
	}()
	t.Cleanup(func() {
		f.process.Process.Kill()
		<-f.exited
		api.CloseClientConnections()
		api.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, failure := range f.failures {
			t.Error(failure)
		}
		if t.Failed() {
			t.Logf("the program wrote:\n%s", f.stderr)
		}
	})
	return f
}

// buffer keeps what a process writes.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (f *function) wrong(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

// next gives the program the next event.
func (f *function) next(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.readyAt.IsZero() {
		f.readyAt = time.Now()
	}
	f.mu.Unlock()
	select {
	case in := <-f.events:
		f.mu.Lock()
		f.running[in.id] = in
		f.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", in.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:App")
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
		w.Write(in.event)
	case <-r.Context().Done(): // the process was killed
	}
}

// take returns the invocation that a request of the program answers.
func (f *function) take(r *http.Request) *invocation {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := f.running[r.PathValue("id")]
	delete(f.running, r.PathValue("id"))
	return in
}

// response takes a streamed answer: status, headers and cookies as JSON, eight zero bytes, and the
// body.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
func (f *function) response(w http.ResponseWriter, r *http.Request) {
	in := f.take(r)
	if in == nil {
		f.wrong("an answer to an event that is not under way")
		http.NotFound(w, r)
		return
	}
	if got, want := r.Header.Get("Content-Type"), "application/vnd.awslambda.http-integration-response"; got != want {
		f.wrong("the answer has the Content-Type %q, want %q", got, want)
	}
	body := bufio.NewReader(r.Body)
	var prelude []byte
	for !bytes.HasSuffix(prelude, make([]byte, 8)) {
		b, err := body.ReadByte()
		if err != nil {
			f.wrong("the answer has no prelude: %v: %q", err, prelude)
			return
		}
		prelude = append(prelude, b)
	}
	at := time.Now()
	var head struct {
		StatusCode int
		Headers    map[string]string
		Cookies    []string
	}
	if err := json.Unmarshal(bytes.TrimRight(prelude, "\x00"), &head); err != nil {
		f.wrong("the answer's prelude %q: %v", prelude, err)
		return
	}
	rest, err := io.ReadAll(body)
	if err != nil {
		f.wrong("the answer's body: %v", err)
	}
	if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		f.wrong("the answer broke off: %s", kind)
	}
	resp := &http.Response{
		StatusCode: head.StatusCode,
		Status:     fmt.Sprintf("%d %s", head.StatusCode, http.StatusText(head.StatusCode)),
		Header:     make(http.Header),
		Body:       io.NopCloser(bytes.NewReader(rest)),
	}
	for name, value := range head.Headers {
		resp.Header.Set(name, value)
	}
	for _, cookie := range head.Cookies {
		resp.Header.Add("Set-Cookie", cookie)
	}
	w.WriteHeader(http.StatusAccepted)
	in.answers <- answer{resp: resp, at: at}
}

// failure takes an error in the place of an answer.
func (f *function) failure(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	if in := f.take(r); in != nil {
		in.answers <- answer{err: string(text), at: time.Now()}
	}
}

// RoundTrip sends a browser's request to the function and returns its answer.
func (f *function) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := f.invoke(r)
	if err != nil {
		return nil, err
	}
	if a.resp == nil {
		return nil, fmt.Errorf("the function reported an error: %s", a.err)
	}
	a.resp.Request = r
	return a.resp, nil
}

func (f *function) invoke(r *http.Request) (answer, error) {
	event, err := newEvent(r)
	if err != nil {
		return answer{}, err
	}
	in := &invocation{id: rand.Text(), event: event, deadline: time.Now().Add(functionTimeout), answers: make(chan answer, 1)}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute) // in case the program hangs
	defer cancel()
	select {
	case f.events <- in:
	case <-f.exited:
		return answer{}, errors.New("the program has ended")
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	select {
	case a := <-in.answers:
		return a, nil
	case <-f.exited:
		return answer{}, errors.New("the program has ended before it answered")
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// newEvent returns the event that a function URL makes of a request.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
func newEvent(r *http.Request) ([]byte, error) {
	now := time.Now().UTC()
	event := events.LambdaFunctionURLRequest{
		Version:        "2.0",
		RawPath:        r.URL.EscapedPath(),
		RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{
			"host":              r.URL.Host,
			"x-forwarded-for":   "203.0.113.7",
			"x-forwarded-port":  "443",
			"x-forwarded-proto": "https",
		},
		RequestContext: events.LambdaFunctionURLRequestContext{
			AccountID:    "anonymous",
			APIID:        "abc",
			DomainName:   r.URL.Host,
			DomainPrefix: "abc",
			RequestID:    rand.Text(),
			Time:         now.Format("02/Jan/2006:15:04:05 -0700"),
			TimeEpoch:    now.UnixMilli(),
			HTTP: events.LambdaFunctionURLRequestContextHTTPDescription{
				Method:   r.Method,
				Path:     r.URL.Path,
				Protocol: "HTTP/1.1",
				SourceIP: "203.0.113.7",
			},
		},
	}
	for name, values := range r.Header {
		event.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for _, c := range r.Cookies() { // which are in the header "cookie" as well
		event.Cookies = append(event.Cookies, c.Name+"="+c.Value)
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		event.Headers["content-length"] = strconv.Itoa(len(body))
		event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return json.Marshal(event)
}
