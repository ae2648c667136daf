// Package frameworks checks that README.md says what is there.
package frameworks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, match := range regexp.MustCompile("`go run \\./([a-z]+)`").FindAllSubmatch(readme, -1) {
		listed = append(listed, string(match[1]))
	}
	files, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	code := ""
	for _, file := range files {
		programs = append(programs, filepath.Dir(file))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code += bare(string(text)) + "\n"
	}
	slices.Sort(listed)
	slices.Sort(programs)
	if !slices.Equal(listed, programs) {
		t.Errorf("README.md runs %q, the programs are %q", listed, programs)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Error("README.md has no code")
	}
	for _, block := range blocks {
		if !strings.Contains(code, bare(string(block[1]))) {
			t.Errorf("README.md has code that is in no program:\n%s", block[1])
		}
	}
}

// bare returns code without comments, empty lines and indentation.
func bare(code string) string {
	var lines []string
	for line := range strings.Lines(code) {
		line, _, _ = strings.Cut(line, "// ")
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
