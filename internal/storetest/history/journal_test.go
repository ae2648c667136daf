package history

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// journal is what happened in a history, in words.
type journal struct {
	begin time.Time

	mu    sync.Mutex
	lines []line
	names []string // keys and the IDs that stand for them, in turn
}

type line struct {
	at   time.Duration
	text string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line{time.Since(j.begin), fmt.Sprintf(format, args...)})
}

// name has an ID stand for its key.
func (j *journal) name(key, id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.names = append(j.names, key, id)
}

// String returns the journal, one event a line.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b strings.Builder
	for _, l := range j.lines {
		fmt.Fprintf(&b, "%9.3fs  %s\n", l.at.Seconds(), l.text)
	}
	return strings.NewReplacer(j.names...).Replace(b.String())
}

// note tells what became of a message to DynamoDB.
func (w *world) note(m *message, what string) {
	if m.visit == nil {
		return // the checker's own
	}
	w.journal.add("    %s: %s %s: %s", m.visit, m.op, strings.Join(m.keys(), ", "), what)
}
