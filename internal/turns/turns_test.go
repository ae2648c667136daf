package turns

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// inLine waits until n wait behind the one whose turn it is.
func (q *Queue[T]) inLine(key string, n int) {
	for {
		q.mu.Lock()
		waiting := len(q.lines[key])
		q.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

func TestTurnsComeInOrder(t *testing.T) {
	var q Queue[int]
	if left, waited, err := q.Take(t.Context(), "k"); left != nil || waited || err != nil {
		t.Fatalf("first Take = %v, %v, %v", left, waited, err)
	}
	var order []int
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			left, waited, err := q.Take(t.Context(), "k")
			if err != nil || !waited || left == nil || *left != i {
				t.Errorf("Take %d = %v, %v, %v, want what the one before left", i, left, waited, err)
			}
			order = append(order, i)
			next := i + 1
			q.Pass("k", &next)
		})
		q.inLine("k", i+1)
	}
	first := 0
	q.Pass("k", &first)
	wg.Wait()
	for i, got := range order {
		if got != i {
			t.Fatalf("order = %v", order)
		}
	}
	if q.Len() != 0 {
		t.Errorf("%d lines are left", q.Len())
	}
}

func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	var q Queue[int]
	q.Take(t.Context(), "k")
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, _, err := q.Take(ctx, "k")
		gaveUp <- err
	}()
	q.inLine("k", 1)
	got := make(chan *int)
	go func() {
		left, _, _ := q.Take(context.Background(), "k")
		got <- left
	}()
	q.inLine("k", 2)
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("Take = %v, want context.Canceled", err)
	}
	seven := 7
	q.Pass("k", &seven)
	if left := <-got; left == nil || *left != 7 {
		t.Errorf("the next in line got %v, want 7", left)
	}
	q.Pass("k", nil)
	if q.Len() != 0 {
		t.Errorf("%d lines are left", q.Len())
	}
}

// Many who give up while turns are passed: nobody is forgotten, and two are never at once.
func TestRace(t *testing.T) {
	var q Queue[int]
	var wg sync.WaitGroup
	busy := make(map[string]*int)
	for i := range 4 {
		busy[strconv.Itoa(i)] = new(int)
	}
	for i := range 200 {
		wg.Go(func() {
			key := strconv.Itoa(i % 4)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			if _, _, err := q.Take(ctx, key); err != nil {
				return
			}
			*busy[key]++ // the race detector tells if two are here at once
			runtime.Gosched()
			q.Pass(key, nil)
		})
	}
	wg.Wait()
	if q.Len() != 0 {
		t.Errorf("%d lines are left", q.Len())
	}
}
