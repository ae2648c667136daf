package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/dynamostore/dynamostoretest"
)

// start runs the program. It returns the line that the program prints when it serves, and a
// function that stops it as SIGINT does and returns what else it printed, and its error.
func start(t *testing.T, args ...string) (line string, stop func() (string, error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, in, t.Output())
		in.Close()
		done <- err
	}()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("run(%q) printed no line: %v; error %v", args, err, <-done)
	}
	return strings.TrimSuffix(line, "\n"), func() (string, error) {
		cancel()
		rest, err := io.ReadAll(lines)
		if err != nil {
			t.Errorf("read the output: %v", err)
		}
		return string(rest), <-done
	}
}

func TestRunPrintsItsAddressAndStops(t *testing.T) {
	for addr, prefix := range map[string]string{
		"localhost:0": "listening on http://localhost:",
		"127.0.0.1:0": "listening on http://127.0.0.1:",
		":0":          "listening on http://localhost:",
	} {
		t.Run(addr, func(t *testing.T) {
			line, stop := start(t, "-addr", addr)
			if !strings.HasPrefix(line, prefix) || strings.HasSuffix(line, ":0") {
				t.Errorf("it printed %q, want %q and a port", line, prefix)
			}
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			resp, err := client.Get(strings.TrimPrefix(line, "listening on "))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("GET / = %s, %v, want 200", resp.Status, err)
			}
			wantText(t, string(body), "dynamostore</b> keeps the sessions of Go web applications in DynamoDB")
			if rest, err := stop(); rest != "stopped\n" || err != nil {
				t.Errorf("it ended with %q and the error %v, want %q and none", rest, err, "stopped\n")
			}
		})
	}
}

// An outage is offered if the DynamoDB is the demo's own, or if a flag says so.
func TestOutageIsOffered(t *testing.T) {
	dynamoDB := httptest.NewServer(dynamostoretest.NewHandler())
	defer dynamoDB.Close()
	for _, test := range []struct {
		name    string
		args    []string
		offered bool
	}{
		{"memory", nil, true},
		{"endpoint", []string{"-endpoint", dynamoDB.URL}, false},
		{"endpoint and flag", []string{"-endpoint", dynamoDB.URL, "-outages"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			line, stop := start(t, append(test.args, "-addr", "localhost:0")...)
			site := strings.TrimPrefix(line, "listening on ")
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			resp, err := client.Get(site)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(body), "An outage of DynamoDB"); got != test.offered {
				t.Errorf("the page offers an outage: %t, want %t", got, test.offered)
			}
			resp, err = client.Post(site+"/try/outage", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			want := http.StatusMethodNotAllowed
			if test.offered {
				want = http.StatusOK // the home page, since nobody is logged in
			}
			if resp.StatusCode != want {
				t.Errorf("POST /try/outage = %s, want %d", resp.Status, want)
			}
			if rest, err := stop(); rest != "stopped\n" || err != nil {
				t.Errorf("it ended with %q and the error %v, want %q and none", rest, err, "stopped\n")
			}
		})
	}
}

func TestRunSaysThatThePortIsTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	err = run(t.Context(), []string{"-addr", addr}, io.Discard, t.Output())
	if err == nil || !strings.Contains(err.Error(), addr+" is taken") || !strings.Contains(err.Error(), "-addr") {
		t.Errorf("run's error = %v, want one that says that %s is taken and names -addr", err, addr)
	}
}

func TestRunErrors(t *testing.T) {
	const secret = "0123456789abcdef"
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"not a URL", []string{"-endpoint", "localhost:8000"}, "-endpoint"},
		{"short key", []string{"-key", secret}, "-key"},
		{"key that is not hex", []string{"-key", strings.Repeat("z", 64)}, "-key"},
		{"argument", []string{"aws"}, `"aws" is not a flag`},
		{"unknown flag", []string{"-no-such-flag"}, "no-such-flag"},
		{"address", []string{"-addr", "localhost"}, "-addr"},
		{"table", []string{"-addr", "127.0.0.1:0", "-table", "?"}, "Config.Table"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := run(t.Context(), test.args, io.Discard, t.Output())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("run(%q) = %v, want an error that says %q, and no key", test.args, err, test.want)
			}
		})
	}
}

func TestKeyFromTheEnvironment(t *testing.T) {
	t.Setenv("SESSION_KEY", strings.Repeat("ab", 32))
	s, err := parse(nil, t.Output())
	if err != nil || string(s.key) != strings.Repeat("\xab", 32) {
		t.Errorf("parse = %v, want the environment's key", err)
	}
	s, err = parse([]string{"-key", strings.Repeat("cd", 64)}, t.Output())
	if err != nil || string(s.key) != strings.Repeat("\xcd", 64) {
		t.Errorf("parse = %v, want the flag's key", err)
	}
	t.Setenv("SESSION_KEY", "short")
	if _, err = parse(nil, t.Output()); err == nil || !strings.Contains(err.Error(), "SESSION_KEY") {
		t.Errorf("parse = %v, want an error that names SESSION_KEY", err)
	}
}
