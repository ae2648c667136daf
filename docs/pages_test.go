// Package docs tests the documentation: that its code runs, that its commands exist, that its tables agree with the
// code, and that its links lead somewhere. It is a module of its own for the parsers that it needs.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// readPage returns a file, named relative to this directory.
func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages returns the names of all pages of the documentation.
func pages(t *testing.T) []string {
	t.Helper()
	var pages []string
	for _, pattern := range []string{"*.md", "../*.md", "../dynamostoretest/*.md", "../example/*/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, names...)
	}
	if len(pages) < 12 {
		t.Fatalf("the pages are %q, want at least 12", pages)
	}
	return pages
}

// section returns the text under a heading of a page, up to the next heading of its level or above.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut("\n"+readPage(t, page), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", page, heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	for n := len(level); n > 1; n-- {
		rest, _, _ = strings.Cut(rest, "\n"+strings.Repeat("#", n)+" ")
	}
	return rest
}

// blocksIn returns the code blocks of a language.
func blocksIn(text, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^ *```"+language+"\n(.*?)^ *```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// blocks returns the code blocks of a language under a heading. There must be one.
func blocks(t *testing.T, page, heading, language string) []string {
	t.Helper()
	blocks := blocksIn(section(t, page, heading), language)
	if blocks == nil {
		t.Fatalf("%s: under %q, there is no block of %s", page, heading, language)
	}
	return blocks
}

// rows returns the cells of the first table under a heading that has that header.
func rows(t *testing.T, page, heading, header string) [][]string {
	t.Helper()
	_, table, ok := strings.Cut(section(t, page, heading), "\n| "+header+" |\n")
	if !ok {
		t.Fatalf("%s: under %q, there is no table | %s |", page, heading, header)
	}
	var rows [][]string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "| ---") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows
}

var space = regexp.MustCompile(`[ \t]+`)

// unindented returns code without indentation and alignment.
func unindented(code string) string {
	lines := strings.Split(strings.TrimSpace(code), "\n")
	for i, line := range lines {
		lines[i] = space.ReplaceAllString(strings.TrimSpace(line), " ")
	}
	return strings.Join(lines, "\n")
}

// testedIn says which tests have the Go code of a page, if they are not in this directory.
var testedIn = map[string]string{
	"../README.md":                    "../readme_test.go", // which runs it
	"../dynamostoretest/README.md":    "own",               // its readme_test.go looks
	"../example/frameworks/README.md": "own",               // its readme_test.go looks
	"moving.md":                       "*_test.go ../moving_test.go ../internal/storetest/moving_test.go",
}

// Each block of Go code on the pages is a part of a test.
func TestGoCodeIsTested(t *testing.T) {
	for _, page := range pages(t) {
		patterns := testedIn[page]
		switch patterns {
		case "own":
			continue
		case "":
			patterns = "*_test.go"
		}
		tested := ""
		for pattern := range strings.FieldsSeq(patterns) {
			names, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				tested += unindented(readPage(t, name)) + "\n"
			}
		}
		for _, block := range blocksIn(readPage(t, page), "go") {
			if page == "../README.md" && strings.HasPrefix(block, "package main\n") {
				continue // is built and run there
			}
			if !strings.Contains(tested, unindented(block)) {
				t.Errorf("%s has code that is in no test:\n%s", page, block)
			}
		}
	}
}

// The blocks on the pages are of languages that tests here know.
func TestBlocksAreOfKnownLanguages(t *testing.T) {
	known := []string{"go", "sh", "diff", "json", "yaml", "hcl"}
	for _, page := range pages(t) {
		for i, m := range regexp.MustCompile("(?m)^ *```(.*)$").FindAllStringSubmatch(readPage(t, page), -1) {
			if i%2 == 0 && !slices.Contains(known, m[1]) {
				t.Errorf("%s has a block of %q, which no test looks at", page, m[1])
			}
		}
	}
}

// Every make target that the documentation names exists, and CI runs it.
func TestMakeTargetsAreRun(t *testing.T) {
	makefile, ci := readPage(t, "../Makefile"), readPage(t, "../.ci/run")
	named := 0
	for _, page := range pages(t) {
		for _, m := range regexp.MustCompile("(?m)(?:^ {4}|[`(])make ([a-z][a-z0-9-]*)").FindAllStringSubmatch(readPage(t, page), -1) {
			named++
			target := regexp.QuoteMeta(m[1])
			if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile) {
				t.Errorf("%s names make %s, which the Makefile does not have", page, m[1])
			}
			if !regexp.MustCompile(`(?m)\bmake ` + target + `\b`).MatchString(ci) {
				t.Errorf("%s names make %s, which .ci/run does not run", page, m[1])
			}
		}
	}
	if named < 10 {
		t.Errorf("the documentation names %d make targets, want at least 10", named)
	}
}

// Links lead to a file, and to a heading in it.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		text := readPage(t, page)
		var targets []string
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
			targets = append(targets, m[1])
		}
		defined := make(map[string]string) // by label
		for _, m := range regexp.MustCompile(`(?m)^\[([^\]]+)\]: (.+)$`).FindAllStringSubmatch(text, -1) {
			defined[m[1]] = m[2]
			targets = append(targets, m[2])
			if !strings.Contains(text, "]["+m[1]+"]") {
				t.Errorf("%s: nothing uses the link [%s]", page, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`\]\[([^\]]+)\]`).FindAllStringSubmatch(text, -1) {
			if defined[m[1]] == "" {
				t.Errorf("%s: the link [%s] is not defined", page, m[1])
			}
		}
		for _, target := range targets {
			if strings.HasPrefix(target, "https://") {
				if strings.Contains(target, "//github.com/") && !permanent.MatchString(target) {
					t.Errorf("%s: %s is not a link to a commit", page, target)
				}
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			name := page
			if file != "" {
				name = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: %s leads nowhere: %v", page, target, err)
			} else if anchor != "" && !slices.Contains(anchors(readPage(t, name)), anchor) {
				t.Errorf("%s: %s leads nowhere", page, target)
			}
		}
	}
}

// permanent matches links to a repository as a whole, and to its files only at a commit and a line.
var permanent = regexp.MustCompile(`^https://github\.com/[\w.-]+/[\w.-]+(/tree/[0-9a-f]{40}|/blob/[0-9a-f]{40}/[^#]+#L\d+(-L\d+)?|/issues/\d+)?$`)

// anchors returns the anchors that GitHub gives to the headings of a page.
func anchors(text string) []string {
	text = regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(text, "")
	var anchors []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		anchor := regexp.MustCompile(`[^a-z0-9_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
	}
	return anchors
}

// The rows of the comparison have a link for each claim about somebody else.
func TestComparisonHasLinks(t *testing.T) {
	table := rows(t, "../README.md", "## Why", "situation | this store | nabeken v2 | hijiki51 | itto-ki | redisstore | scs with Redis")
	if len(table) < 10 {
		t.Errorf("the comparison has %d rows, want at least 10", len(table))
	}
	for _, row := range table {
		if len(row) != 7 {
			t.Errorf("the row %q has %d cells, want 7", row[0], len(row))
			continue
		}
		for _, cell := range row[2:] {
			if cell != "" && !strings.Contains(cell, "][") {
				t.Errorf("%s: %q has no link", row[0], cell)
			}
		}
	}
}

// literals returns the string literals in the Go files of directories, tests apart.
func literals(t *testing.T, directories ...string) []string {
	t.Helper()
	var literals []string
	for _, directory := range directories {
		names, err := filepath.Glob(filepath.Join(directory, "*.go"))
		if err != nil || names == nil {
			t.Fatalf("%s has no Go files, %v", directory, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					s, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					literals = append(literals, s)
				}
				return true
			})
		}
	}
	return literals
}
