package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// program is the function's program, built as template.yaml says, but for this machine.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lambda")
	if err != nil {
		log.Fatal(err)
	}
	program = filepath.Join(dir, "bootstrap")
	m.Run()
	os.RemoveAll(dir)
}

var build sync.Once

// built returns the path of the program.
func built(t testing.TB) string {
	t.Helper()
	build.Do(func() {
		line := regexp.MustCompile(`GOARCH=\S+ `).ReplaceAllString(buildCommand(t), "")
		cmd := exec.Command("sh", "-c", strings.Replace(line, "build/bootstrap", program, 1))
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	})
	return program
}

// service is a deployed template: a DynamoDB with the table, and the environment of the function.
type service struct {
	t      testing.TB
	client *dynamodb.Client // of the same DynamoDB, not counted
	env    map[string]string

	mu      sync.Mutex
	asked   []string        // operations since the last look
	actions map[string]bool // what the requests need to be allowed
	silent  bool            // DynamoDB does not answer
}

// deploy deploys the template. DynamoDB speaks TLS, as on AWS.
func deploy(t testing.TB, tmpl *template) *service {
	t.Helper()
	s := &service{t: t, actions: make(map[string]bool)}
	engine := dynamostoretest.NewHandler()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.note(r) {
			<-r.Context().Done()
			return
		}
		engine.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	plain := httptest.NewServer(engine)
	t.Cleanup(plain.Close)
	s.client = dynamostore.NewClient(aws.Config{Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(credentials)},
		func(o *dynamodb.Options) { o.BaseEndpoint = &plain.URL })
	createTable(t, s.client, tmpl)

	ca := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = map[string]string{
		"AWS_REGION":                "us-east-1",
		"AWS_ACCESS_KEY_ID":         "ASIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY":     "secret",
		"AWS_SESSION_TOKEN":         "token",
		"AWS_CA_BUNDLE":             ca,
		"AWS_ENDPOINT_URL_DYNAMODB": server.URL,
		"HOME":                      t.TempDir(),
	}
	maps.Copy(s.env, tmpl.Resources.App.Properties.Environment.Variables)
	return s
}

// note notes what a request asks for, and reports whether DynamoDB is silent.
func (s *service) note(r *http.Request) (silent bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in struct {
		IndexName     string
		TransactItems []map[string]any
	}
	json.Unmarshal(body, &in)
	resource := tableARN
	if in.IndexName != "" {
		resource += "/index/" + in.IndexName
	}
	// A transaction needs what its parts need.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
	names := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
	actions := []string{operation}
	if operation == "TransactWriteItems" {
		actions = nil
		for _, item := range in.TransactItems {
			for name := range item {
				actions = append(actions, names[name])
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, operation)
	for _, action := range actions {
		s.actions["Allow dynamodb:"+action+" on "+resource] = true
	}
	return s.silent
}

// wantRequests asserts which operations the function sent since the last call.
func (s *service) wantRequests(what string, operations ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.asked, operations) {
		s.t.Errorf("%s: the function sent %q, want %q", what, s.asked, operations)
	}
	s.asked = nil
}

func (s *service) setSilent(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = silent
}

// items returns what is in the table.
func (s *service) items() []map[string]types.AttributeValue {
	s.t.Helper()
	out, err := s.client.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: aws.String(refs["Sessions"])})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Items
}

// home is where the function's pages are.
const home = "https://abc.lambda-url.us-east-1.on.aws/"

// browser is a visitor with a cookie jar.
type browser struct {
	t      testing.TB
	client *http.Client
}

func newBrowser(t testing.TB, f *function) *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{t, &http.Client{Jar: jar, Transport: f}}
}

// on has the browser visit another instance of the function from now on.
func (b *browser) on(f *function) { b.client.Transport = f }

// copied returns a browser that has the same cookies by now.
func (b *browser) copied(f *function) *browser {
	c := newBrowser(b.t, f)
	at, _ := url.Parse(home)
	c.client.Jar.SetCookies(at, b.client.Jar.Cookies(at))
	return c
}

// want asserts what a page says, and returns its response.
func (b *browser) want(status int, page string, resp *http.Response, err error) *http.Response {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != status || !strings.Contains(string(body), page) {
		b.t.Errorf("%s %s is answered %s %s, want %d and %q", resp.Request.Method, resp.Request.URL.Path, resp.Status, body, status, page)
	}
	return resp
}

func (b *browser) wantPage(page string) *http.Response {
	b.t.Helper()
	resp, err := b.client.Get(home)
	return b.want(http.StatusOK, page, resp, err)
}

// post sends a form, follows the redirect, and asserts what the page says.
func (b *browser) post(path string, form url.Values, page string) {
	b.t.Helper()
	resp, err := b.client.PostForm(home+path, form)
	b.want(http.StatusOK, page, resp, err)
}

func (b *browser) login(user string) {
	b.t.Helper()
	b.post("login", url.Values{"user": {user}}, "Hello, "+user+".")
}

const loggedOut = "Log in"

// The journey goes over cold and warm instances of the function, on the template's table. What it
// needs is what the template's policy allows.
func TestJourney(t *testing.T) {
	tmpl := readTemplate(t)
	s := deploy(t, tmpl)
	f := start(t, built(t), s.env)

	ann := newBrowser(t, f)
	for _, start := range []string{"cold", "warm"} {
		resp := ann.wantPage(loggedOut)
		s.wantRequests("a visit, " + start)
		if set := resp.Header.Get("Set-Cookie"); set != "" {
			t.Errorf("a visitor without a session gets the cookie %q", set)
		}
	}

	ann.login("ann")
	s.wantRequests("login", "PutItem", "GetItem")
	ann.wantPage("Hello, ann.")
	s.wantRequests("a page, warm", "GetItem")
	hashed := regexp.MustCompile(`^[0-9a-f]{64}$`)
	for _, item := range s.items() {
		if id, ok := item["id"].(*types.AttributeValueMemberS); !ok || !hashed.MatchString(id.Value) {
			t.Errorf("the session's key is %v, want a hash", item["id"])
		}
	}

	second := start(t, built(t), s.env) // Lambda starts another instance
	ann.on(second)
	ann.wantPage("Hello, ann.")
	s.wantRequests("a page, cold", "GetItem")

	old := ann.copied(f)
	ann.login("ann")
	s.wantRequests("a second login", "GetItem", "GetItem", "TransactWriteItems", "GetItem")
	old.wantPage(loggedOut) // with the cookie from before the login, as a late request
	ann.on(f)
	ann.wantPage("Hello, ann.")

	stolen := ann.copied(f)
	ann.post("logout", nil, loggedOut)
	ann.wantPage(loggedOut)
	stolen.wantPage(loggedOut)

	phone, laptop, bob := newBrowser(t, f), newBrowser(t, second), newBrowser(t, f)
	phone.login("eve")
	laptop.login("eve")
	bob.login("bob")
	laptop.post("logout", url.Values{"everywhere": {"yes"}}, loggedOut)
	phone.wantPage(loggedOut)
	bob.wantPage("Hello, bob.")

	ann.post("login", url.Values{"user": {"<ann>"}}, "Hello, &lt;ann&gt;.")
	resp, err := ann.client.PostForm(home+"login", nil)
	ann.want(http.StatusUnprocessableEntity, "A name", resp, err)

	s.mu.Lock()
	defer s.mu.Unlock()
	if needed := slices.Sorted(maps.Keys(s.actions)); !slices.Equal(tmpl.allowed(), needed) {
		t.Errorf("template.yaml says\n%s\nthe journey needs\n%s", strings.Join(tmpl.allowed(), "\n"), strings.Join(needed, "\n"))
	}
}

// The function answers within its timeout, since Config.Timeout is shorter, and the session
// survives.
func TestSilentDynamoDB(t *testing.T) {
	s := deploy(t, readTemplate(t))
	f := start(t, built(t), s.env)
	ann := newBrowser(t, f)
	ann.login("ann")
	s.setSilent(true)
	resp, err := ann.client.Get(home)
	ann.want(http.StatusServiceUnavailable, "try again", resp, err)
	s.setSilent(false)
	ann.wantPage("Hello, ann.")
	if log := f.stderr.String(); !strings.Contains(log, `load from table "`+refs["Sessions"]+`"`) {
		t.Errorf("the log does not say what went wrong:\n%s", log)
	}
}

// A form of another site cannot log anyone in or out.
func TestForeignForms(t *testing.T) {
	s := deploy(t, readTemplate(t))
	ann := newBrowser(t, start(t, built(t), s.env))
	r, err := http.NewRequest(http.MethodPost, home+"login", strings.NewReader("user=mallory"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := ann.client.Do(r)
	ann.want(http.StatusForbidden, "", resp, err)
	s.wantRequests("a foreign form")
}

// The program ends, with a message, if the template does not give it what it needs.
func TestWithoutKeys(t *testing.T) {
	s := deploy(t, readTemplate(t))
	delete(s.env, "SESSION_KEYS")
	f := start(t, built(t), s.env)
	<-f.exited
	if log := f.stderr.String(); !strings.Contains(log, "keyPairs[0]: the authentication key is empty") {
		t.Errorf("the program says %q, want that the key is missing", log)
	}
}
