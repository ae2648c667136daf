package dynamostore_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/dynamostore"
)

func TestReadmeListsEveryConfigField(t *testing.T) {
	var want []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[dynamostore.Config]()) {
		want = append(want, field.Name)
	}
	if got := readmeTable(t, "Configuration"); !slices.Equal(got, want) {
		t.Errorf("README.md lists the fields %q,\nConfig has %q", got, want)
	}
}

func TestReadmeListsEveryError(t *testing.T) {
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
	got := slices.DeleteFunc(readmeTable(t, "Errors"), func(name string) bool { return !strings.HasPrefix(name, "Err") })
	if !slices.Equal(got, want) {
		t.Errorf("README.md lists the errors %q,\nerrors.go has %q", got, want)
	}
}

// row is a row of a table whose first cell is a name, set as code.
var row = regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|")

// readmeTable returns the names in the first column of the table under a heading of README.md.
func readmeTable(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var names []string
	for _, match := range row.FindAllStringSubmatch(section, -1) {
		names = append(names, match[1])
	}
	return names
}

// The code of README.md and docs/sessions.md is what runs here.
func TestReadmeCode(t *testing.T) {
	a := newUsersApp(t)
	b := a.browser()
	store, ctx := a.store, t.Context()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if err != nil {
			log.Print(err) // session is a new one; see Errors
		}
		session.Values["user"] = "ann"
		err = session.Save(r, w) // before the body is written
		if err != nil {
			t.Error(err)
		}
	})
	before := b.cookie()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if err != nil {
			t.Error(err)
		}
		session.Values["user"] = "ann"
		err = store.Regenerate(r, w, session)
		if err != nil {
			t.Error(err)
		}
	})
	if b.cookie() == before {
		t.Error("the login did not change the cookie")
	}
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if err != nil {
			t.Error(err)
		}
		infos := 0
		for info, err := range store.UserSessions(ctx, "ann") { // one user's sessions: Key, User, Created, Expires
			if err != nil {
				t.Error(err)
			}
			infos++
			_ = info
		}
		if infos != 1 {
			t.Errorf("%d sessions, want 1", infos)
		}
		n, err := store.DestroyUser(ctx, "ann", store.Key(session)) // log out everywhere else
		if n != 0 || err != nil {
			t.Errorf("DestroyUser = %d, %v", n, err)
		}
		n, err = store.DestroyUser(ctx, "ann") // log out everywhere
		if n != 1 || err != nil {
			t.Errorf("DestroyUser = %d, %v", n, err)
		}
	})

	tested := unindented(readFile(t, "readme_test.go"))
	for _, page := range []string{"README.md", "docs/sessions.md"} {
		for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readFile(t, page), -1) {
			if !strings.Contains(tested, unindented(block[1])) {
				t.Errorf("%s has code that does not run in readme_test.go:\n%s", page, block[1])
			}
		}
	}
}

// Every make target and script that the documentation names is there, and CI runs it.
func TestCommandsAreRun(t *testing.T) {
	makefile, ci := readFile(t, "Makefile"), readFile(t, ".ci/run")
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range append(pages, "README.md") {
		for _, match := range regexp.MustCompile("(?m)(?:^ {4}|`)make ([a-z][a-z0-9-]*)").FindAllStringSubmatch(readFile(t, page), -1) {
			named++
			target := regexp.QuoteMeta(match[1])
			if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile) {
				t.Errorf("%s names make %s, which the Makefile does not have", page, match[1])
			}
			if !regexp.MustCompile(`(?m)\bmake ` + target + `\b`).MatchString(ci) {
				t.Errorf("%s names make %s, which .ci/run does not run", page, match[1])
			}
		}
	}
	if named < 10 {
		t.Errorf("found %d make targets in the documentation", named)
	}
}

// The policy of README.md allows what a Client has, and no more.
func TestReadmePolicy(t *testing.T) {
	_, block, _ := strings.Cut(readFile(t, "README.md"), "```json\n")
	block, _, _ = strings.Cut(block, "```")
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(block), &policy); err != nil || len(policy.Statement) != 1 {
		t.Fatalf("the policy is %+v, %v", policy, err)
	}
	var want []string
	client := reflect.TypeFor[dynamostore.Client]()
	for i := range client.NumMethod() {
		want = append(want, "dynamodb:"+client.Method(i).Name)
	}
	got := policy.Statement[0].Action
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("README.md allows %q, a Client has %q", got, want)
	}
}
