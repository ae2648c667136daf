// Package turns makes those who want the same thing wait for each other, in order.
package turns

import (
	"context"
	"slices"
	"sync"
)

// Queue is a line for each key. The one whose turn it is may leave a *T for the next in line. The
// zero Queue is ready for use. It holds nothing for a key that nobody is in line for.
type Queue[T any] struct {
	mu    sync.Mutex
	lines map[string][]chan *T // those who wait behind the one whose turn it is
}

// Take waits until it is the caller's turn, or ctx is done and it returns the context's error. It
// returns what the one before left, nil if there was none, and whether it had to wait. The turn ends with Pass.
func (q *Queue[T]) Take(ctx context.Context, key string) (left *T, waited bool, err error) {
	q.mu.Lock()
	waiting, taken := q.lines[key]
	if !taken {
		if q.lines == nil {
			q.lines = make(map[string][]chan *T)
		}
		q.lines[key] = nil
		q.mu.Unlock()
		return nil, false, nil
	}
	turn := make(chan *T, 1)
	q.lines[key] = append(waiting, turn)
	q.mu.Unlock()
	select {
	case left = <-turn:
		return left, true, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	waiting = q.lines[key]
	i := slices.Index(waiting, turn)
	if i >= 0 {
		q.lines[key] = slices.Delete(waiting, i, i+1)
	}
	q.mu.Unlock()
	if i < 0 {
		// The turn came in this moment: it goes on to the next.
		q.Pass(key, <-turn)
	}
	return nil, true, ctx.Err()
}

// Pass ends the caller's turn, and leaves something for the next in line, or nothing.
func (q *Queue[T]) Pass(key string, left *T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.lines[key]
	if len(waiting) == 0 {
		delete(q.lines, key)
		return
	}
	next := waiting[0]
	q.lines[key] = slices.Delete(waiting, 0, 1)
	next <- left
}

// Len counts the keys that somebody is in line for.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines)
}
