package dynamostore_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
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
