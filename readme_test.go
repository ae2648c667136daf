package dynamostore_test

import (
	"bytes"
	"context"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"net"
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
	"testing"
	"time"

	"example.com/dynamostore/dynamostoretest"
)

// readme returns README.md.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readmeBlocks returns the code blocks of a language in README.md.
func readmeBlocks(t *testing.T, language string) []string {
	t.Helper()
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		blocks = append(blocks, m[1])
	}
	if blocks == nil {
		t.Fatalf("README.md has no block of %s", language)
	}
	return blocks
}

// The table of errors lists those of errors.go.
func TestReadmeErrors(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, name := range spec.Names {
				if name.IsExported() {
					want = append(want, name.Name)
				}
			}
		}
		return true
	})
	_, table, _ := strings.Cut(readme(t), "\n## Errors\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(Err[A-Za-z]+)` \\|").FindAllStringSubmatch(table, -1) {
		got = append(got, m[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("README.md lists the errors %q,\nerrors.go has %q", got, want)
	}
}

// The program runs, on a DynamoDB of the environment and in memory, and answers as README.md says. The commands
// that make a module of it run in .ci/application.
func TestReadmeProgram(t *testing.T) {
	program := readmeBlocks(t, "go")[0]
	if formatted, err := format.Source([]byte(program)); err != nil || string(formatted) != program {
		t.Errorf("the program is not formatted, %v", err)
	}
	const open = "dynamostore.Open(context.Background(), dynamostore.Config{}, key)"
	inMemory := regexp.MustCompile("`(dynamostore\\.New\\(dynamostoretest\\.Open\\(\\), [^`]+)`").FindStringSubmatch(readme(t))
	if inMemory == nil || !strings.Contains(program, open) {
		t.Fatal("README.md does not say what to write instead of the call of Open")
	}
	for name, source := range map[string]string{
		"on DynamoDB": program,
		"in memory": strings.NewReplacer(open, inMemory[1],
			`"example.com/dynamostore"`, "\"example.com/dynamostore\"\n\t\"example.com/dynamostore/dynamostoretest\"").Replace(program),
	} {
		t.Run(name, func(t *testing.T) {
			dynamoDB := httptest.NewServer(dynamostoretest.NewHandler())
			defer dynamoDB.Close()
			address := freeAddress(t)
			binary := build(t, strings.ReplaceAll(source, "localhost:8080", address))
			start(t, address, binary, "INSECURE=1", "SESSION_KEY="+strings.Repeat("0123456789abcdef", 4),
				"AWS_ENDPOINT_URL_DYNAMODB="+dynamoDB.URL, "AWS_REGION=us-east-1", "AWS_PROFILE=",
				"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")

			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Jar: jar}
			requests := 0
			for _, m := range regexp.MustCompile(`(?m)^curl .*?(?:-d (\S+) )?http://localhost:8080(\S*) +# (.+)$`).FindAllStringSubmatch(readmeBlocks(t, "sh")[2], -1) {
				requests++
				got, err := fetch(client, "http://"+address+m[2], m[1])
				if err != nil || got != m[3]+"\n" {
					t.Errorf("%s\nprints %q, %v", m[0], got, err)
				}
			}
			if requests != 2 {
				t.Errorf("README.md sends %d requests, want 2", requests)
			}
		})
	}
}

// freeAddress returns an address of this host on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// build builds a program, and returns the binary's name.
func build(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	file, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", binary, file).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s\n%s", err, out, source)
	}
	return binary
}

// start starts a program and waits until it listens.
func start(t *testing.T, address, binary string, env ...string) {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, stopped := context.WithCancel(t.Context())
	go func() {
		cmd.Wait()
		stopped()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended.Done()
	})
	for ended.Err() == nil {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the program ended:\n%s", out.String())
}

// fetch returns the body of a page, after a POST of the form if there is one.
func fetch(client *http.Client, target, form string) (string, error) {
	var response *http.Response
	var err error
	if form == "" {
		response, err = client.Get(target)
	} else {
		var values url.Values
		if values, err = url.ParseQuery(form); err != nil {
			return "", err
		}
		response, err = client.PostForm(target, values)
	}
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// An application on CookieStore that is changed as the diff says compiles.
func TestReadmeDiff(t *testing.T) {
	program := `package main

import (
	"log"
	"net/http"

	"github.com/gorilla/sessions"
)

var key = make([]byte, 32)

var store = sessions.NewCookieStore(key)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, "session")
		session.Values["user"] = "ann"
		if err := session.Save(r, w); err != nil {
			log.Print(err)
		}
	})
}
`
	// Each paragraph of the diff changes one place; lines between what it shows stay.
	for paragraph := range strings.SplitSeq(readmeBlocks(t, "diff")[0], "\n\n") {
		var removed, added []string
		after := ""
		for line := range strings.Lines(paragraph) {
			switch line = strings.TrimSuffix(line, "\n"); {
			case strings.HasPrefix(line, "-"):
				removed = append(removed, line[1:]+"\n")
			case strings.HasPrefix(line, "+"):
				added = append(added, line[1:]+"\n")
			case after == "":
				after = strings.TrimPrefix(line, " ") + "\n"
			}
		}
		for _, line := range removed {
			if !strings.Contains(program, line) {
				t.Fatalf("an application on CookieStore has no line %q", line)
			}
			if after == "" {
				after = line
				continue
			}
			program = strings.Replace(program, line, "", 1)
		}
		if !strings.Contains(program, after) {
			t.Fatalf("an application on CookieStore has no line %q", after)
		}
		at := strings.Index(program, after) + len(after)
		program = program[:at] + strings.Join(added, "") + program[at:]
		if slices.Contains(removed, after) {
			program = strings.Replace(program, after, "", 1)
		}
	}
	if strings.Contains(program, "gorilla/sessions") {
		t.Errorf("the import of gorilla/sessions is left:\n%s", program)
	}
	build(t, program)
}
