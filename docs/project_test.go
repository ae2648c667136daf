package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The way of a request in CONTRIBUTING.md is made of functions that exist, in the files that it names.
func TestFunctionsOfARequestExist(t *testing.T) {
	listed := 0
	for _, m := range regexp.MustCompile(`(?m)^ {4}([A-Za-z.]+) +([a-z/]+\.go) +`).FindAllStringSubmatch(section(t, "../CONTRIBUTING.md", "## How a request runs"), -1) {
		listed++
		file, err := parser.ParseFile(token.NewFileSet(), "../"+m[2], nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		if !slices.ContainsFunc(file.Decls, func(d ast.Decl) bool {
			f, ok := d.(*ast.FuncDecl)
			return ok && funcName(f) == m[1]
		}) {
			t.Errorf("CONTRIBUTING.md: there is no function %s in %s", m[1], m[2])
		}
	}
	if listed < 20 {
		t.Errorf("CONTRIBUTING.md lists %d functions, want at least 20", listed)
	}
}

// funcName returns the name of a function, with that of its receiver's type.
func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	return receiver.(*ast.Ident).Name + "." + f.Name.Name
}

// The files and folders in CONTRIBUTING.md are those that there are.
func TestFoldersAreListed(t *testing.T) {
	text := section(t, "../CONTRIBUTING.md", "## Where things are")
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^ {4}([a-z/]+(?:\.go)?) `).FindAllStringSubmatch(text, -1) {
		listed = append(listed, m[1])
		if _, err := os.Stat("../" + m[1]); err != nil {
			t.Errorf("CONTRIBUTING.md lists %s: %v", m[1], err)
		}
	}
	for _, dir := range []string{"..", "../internal"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := strings.TrimPrefix(dir+"/"+e.Name(), "../")
			isGo := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
			if (isGo || e.IsDir() && dir != "..") && !slices.Contains(listed, name) {
				t.Errorf("CONTRIBUTING.md does not list %s", name)
			}
		}
	}
}

// The workflow runs what there is, on the Go releases that the documentation names.
func TestWorkflow(t *testing.T) {
	var workflow struct {
		Jobs map[string]struct {
			Container string
			Strategy  struct{ Matrix struct{ Go []string } }
			Steps     []struct{ Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(readPage(t, "../.github/workflows/ci.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, job := range workflow.Jobs {
		for _, step := range job.Steps {
			commands = append(commands, step.Run)
		}
	}
	if !slices.Contains(commands, "bash .ci/run") {
		t.Errorf("the workflow runs %q, want bash .ci/run", commands)
	}
	makefile := readPage(t, "../Makefile")
	for _, command := range commands {
		if target, ok := strings.CutPrefix(command, "make "); ok && !strings.Contains(makefile, "\n"+target+":") {
			t.Errorf("the workflow runs %s, which the Makefile does not have", command)
		}
	}
	releases := workflow.Jobs["go"].Strategy.Matrix.Go
	if len(releases) != 2 {
		t.Fatalf("the workflow tests the Go releases %q, want two", releases)
	}
	if want := strings.Join(releases, " and "); !strings.Contains(readPage(t, "../SECURITY.md"), want) {
		t.Errorf("SECURITY.md does not name the Go releases %s", want)
	}
	_, minimum, _ := strings.Cut(readPage(t, "../go.mod"), "\ngo ")
	minimum, _, _ = strings.Cut(minimum, "\n")
	if minimum != releases[0] || !strings.HasPrefix(workflow.Jobs["run"].Container, "golang:"+minimum+"-") {
		t.Errorf("go.mod says Go %s, the workflow tests %q, and runs .ci/run on %s", minimum, releases, workflow.Jobs["run"].Container)
	}
	if !strings.Contains(readPage(t, "../README.md"), "Go "+minimum+" or later") {
		t.Errorf("README.md does not say Go %s or later", minimum)
	}
}
