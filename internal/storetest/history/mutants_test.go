package history

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var mutants = flag.Bool("mutants", false, "run TestMutantsAreCaught, which builds the module once for each mutant")

// mutant is a Store without one of the things that keep its promise.
type mutant struct {
	name string
	file string // relative to the module's root
	old  string // what stands there once
	new  string // what stands there in the mutant

	modes     string
	calm      bool // it is found without any fault of the network
	histories int  // within which it is found
}

var mutantTable = []mutant{
	{
		name: "an update is not conditional on the version that was read",
		file: "internal/record/write.go",
		old: `case base.Version != "":
		e.require("#version = :read AND`,
		new: `case base.Version != "":
		e.require("(#version = :read OR attribute_exists(#version)) AND`,
		modes: "Merge,Refuse", calm: true, histories: 500,
	},
	{
		name:  "a create that arrives late replaces the tombstone of its session",
		file:  "internal/record/write.go",
		old:   `"attribute_not_exists(#key)"`,
		new:   `"attribute_not_exists(#key) OR attribute_exists(gone)"`,
		modes: "Merge,Refuse,Overwrite,Lock", histories: 3000,
	},
	{
		name:  "a late request does not see that its session has another ID",
		file:  "internal/sessiondb/db.go",
		old:   `return Found{Status: Moved}, nil`,
		new:   `return Found{}, nil`,
		modes: "Merge,Refuse,Overwrite", calm: true, histories: 500,
	},
	{
		name:  "a Save after one without an answer writes nothing where nothing seems changed",
		file:  "internal/sessiondb/draft.go",
		old:   `if refused && d.kind == Update &&`,
		new:   `if d.kind == Update &&`,
		modes: "Merge", histories: 3000,
	},
	{
		name: "a refusal is checked for the version of the draft only",
		file: "internal/sessiondb/draft.go",
		old:  `last := d.lastApplied(stored)`,
		new: `last := d.lastApplied(stored)
	if d.version != "" {
		last = nil
	}`,
		modes: "Merge,Refuse", histories: 3000,
	},
	{
		name:  "a lock is taken from whoever holds it",
		file:  "internal/record/write.go",
		old:   `AND :forever AND #lock <> :token)`,
		new:   `AND :forever AND #lock <> :token AND :ms < :ms)`,
		modes: "Lock", calm: true, histories: 500,
	},
	{
		name: "an Update that is refused writes its values over those of another request",
		file: "internal/sessiondb/update.go",
		old: `found, err := db.found(d.name, stored)
	if err != nil {
		return Draft{}, err
	}
	return db.changeDraft(found, d.ours.Token, d.update)`,
		new: `d.base, d.version = stored, record.NewVersion(stored)
	return d, nil`,
		modes: "Merge,Refuse", histories: 3000,
	},
	{
		name:  "a login that finds its session moved copies that",
		file:  "internal/sessiondb/move.go",
		old:   `if !ok || !snapshot.Equal(known, v) {`,
		new:   `if !ok || !snapshot.Equal(known, v) || true {`,
		modes: "Merge,Refuse,Overwrite", calm: true, histories: 500,
	},
	{
		name: "a move in two steps does not mind that the second is refused",
		file: "internal/sessiondb/move.go",
		old:  `return db.table.MarkMoved(ctx, d.name.Key, d.base, w)`,
		new: `db.table.MarkMoved(ctx, d.name.Key, d.base, w)
	return nil`,
		modes: "Merge,Refuse,Overwrite", calm: true, histories: 1000,
	},
}

// The checker finds what it is for: it sees that a part of the protocol is missing.
func TestMutantsAreCaught(t *testing.T) {
	if !*mutants {
		t.Skip("builds the module many times: run with -mutants")
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutantTable {
		t.Run(m.name, func(t *testing.T) { m.run(t, root, m.overlay(t, root)) })
	}
}

// overlay returns the file that has go test build the mutant.
func (m mutant) overlay(t *testing.T, root string) string {
	t.Helper()
	path := filepath.Join(root, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s has %d times the text that the mutant replaces:\n%s\nwrite the mutant for the code as it is now", m.file, n, m.old)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// run runs histories in a process of its own, until one shows a violation.
func (m mutant) run(t *testing.T, root, overlay string) {
	t.Helper()
	args := []string{"test", "-count=1", "-v", "-run", "^TestVirtual$", "-overlay", overlay, "./internal/storetest/history",
		"-seed", "1", "-histories", strconv.Itoa(m.histories), "-modes", m.modes, "-calm=" + strconv.FormatBool(m.calm),
		"-first", "-strict=false", "-shrink", "0"}
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = root
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	ran := regexp.MustCompile(`(?m)^ *histories +(\d+)$`).FindSubmatch(output)
	kinds := regexp.MustCompile(`(?m)^ *\d+ histories: (.*)$`).FindAllSubmatch(output, -1)
	switch {
	case ran == nil:
		t.Fatalf("go %s printed no figures:\n%s", strings.Join(args, " "), output)
	case kinds == nil:
		t.Errorf("%s histories show no violation", ran[1])
	}
	for _, kind := range kinds {
		t.Logf("found within %s histories: %s", ran[1], kind[1])
	}
}
