package keyqueue

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
)

func TestKeyIsHeldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		if waited, err := q.Acquire(t.Context(), "k"); waited || err != nil {
			t.Fatalf("Acquire of a free key = %v, %v", waited, err)
		}
		var order []int
		for i := range 50 {
			go func() {
				if waited, err := q.Acquire(t.Context(), "k"); !waited || err != nil {
					t.Errorf("Acquire %d = %v, %v, want a wait", i, waited, err)
				}
				order = append(order, i)
				q.Release("k")
			}()
			synctest.Wait() // until it waits
		}
		q.Release("k")
		synctest.Wait()
		if len(order) != 50 || !slices.IsSorted(order) {
			t.Errorf("the key was held in the order %v", order)
		}
		if q.Len() != 0 {
			t.Errorf("%d keys are still held", q.Len())
		}
	})
}

func TestOtherKeysAreFree(t *testing.T) {
	var q Queue
	for _, key := range []string{"a", "b"} {
		if waited, err := q.Acquire(t.Context(), key); waited || err != nil {
			t.Errorf("Acquire(%q) = %v, %v, want no wait", key, waited, err)
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		q.Acquire(t.Context(), "k")
		ctx, cancel := context.WithCancel(t.Context())
		var gaveUp error
		go func() { _, gaveUp = q.Acquire(ctx, "k") }()
		synctest.Wait()
		held := false
		go func() {
			_, err := q.Acquire(context.Background(), "k")
			held = err == nil
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(gaveUp, context.Canceled) {
			t.Errorf("Acquire = %v, want context.Canceled", gaveUp)
		}
		q.Release("k")
		synctest.Wait()
		if !held {
			t.Error("the next in line does not hold the key")
		}
		q.Release("k")
		if q.Len() != 0 {
			t.Errorf("%d keys are still held", q.Len())
		}
	})
}

// Many who give up while keys change hands: nobody is forgotten, and two never hold a key at once.
func TestRace(t *testing.T) {
	var q Queue
	var wg sync.WaitGroup
	held := make(map[string]*int)
	for i := range 4 {
		held[strconv.Itoa(i)] = new(int)
	}
	for i := range 200 {
		wg.Go(func() {
			key := strconv.Itoa(i % 4)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			if _, err := q.Acquire(ctx, key); err != nil {
				return
			}
			*held[key]++ // the race detector tells if two are here at once
			runtime.Gosched()
			q.Release(key)
		})
	}
	wg.Wait()
	if q.Len() != 0 {
		t.Errorf("%d keys are still held", q.Len())
	}
}
