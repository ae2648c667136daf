package dynamostoretest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// All code in README.md is part of a test or of an application that is tested.
func TestReadmeCodeRuns(t *testing.T) {
	var tested strings.Builder
	for _, pattern := range []string{"*_test.go", "internal/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			tested.WriteString(unindented(t, file))
		}
	}
	readme := unindented(t, "README.md")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	calls := regexp.MustCompile("(?m)^\\| `(.+?)` \\|").FindAllStringSubmatch(readme, -1)
	if len(blocks) < 5 || len(calls) < 5 {
		t.Errorf("README.md has %d blocks of code and %d rows of calls", len(blocks), len(calls))
	}
	for _, code := range append(blocks, calls...) {
		if !strings.Contains(tested.String(), code[1]) {
			t.Errorf("README.md has code that no test runs:\n%s", code[1])
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(readme, -1) {
		if strings.HasPrefix(link[1], "https://") {
			continue
		}
		if _, err := os.Stat(link[1]); err != nil {
			t.Errorf("README.md: a link leads nowhere: %v", err)
		}
	}
}

// unindented returns a file without the white space at the beginning of its lines.
func unindented(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		b.WriteString(strings.TrimLeft(line, " \t"))
	}
	return b.String()
}
