// Package keyqueue lets one goroutine at a time hold a key, in the order of their requests.
package keyqueue

import (
	"context"
	"slices"
	"sync"
)

// Queue has a queue for each key. The zero Queue is ready for use. A key that nobody holds takes no
// memory.
type Queue struct {
	mu      sync.Mutex
	waiting map[string][]chan struct{} // behind the holder of each key that is held
}

// Acquire waits until the caller holds key, and reports whether it had to wait. It returns the
// error of ctx if that is done first. Call [Queue.Release] to release the key.
func (q *Queue) Acquire(ctx context.Context, key string) (waited bool, err error) {
	q.mu.Lock()
	waiting, held := q.waiting[key]
	if !held {
		if q.waiting == nil {
			q.waiting = make(map[string][]chan struct{})
		}
		q.waiting[key] = nil
		q.mu.Unlock()
		return false, nil
	}
	next := make(chan struct{})
	q.waiting[key] = append(waiting, next)
	q.mu.Unlock()
	select {
	case <-next:
		return true, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	i := slices.Index(q.waiting[key], next)
	if i >= 0 {
		q.waiting[key] = slices.Delete(q.waiting[key], i, i+1)
	}
	q.mu.Unlock()
	if i < 0 {
		q.Release(key) // the caller has just become the holder
	}
	return true, ctx.Err()
}

// Release passes key to the goroutine that has waited longest.
func (q *Queue) Release(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting[key]
	if len(waiting) == 0 {
		delete(q.waiting, key)
		return
	}
	q.waiting[key] = waiting[1:]
	close(waiting[0])
}

// Len returns the number of keys that are held.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
