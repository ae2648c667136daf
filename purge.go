package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/dynamostore/internal/record"
)

// PurgeOptions say how PurgeExpired goes about it. The zero one is good for a table that also serves.
type PurgeOptions struct {
	// Parallel is how many segments of the table are scanned at once, each with its deletions one
	// after the other: up to 1000. More is faster, and takes more of the table's read capacity.
	// Default: 1.
	Parallel int
	// PerSecond is the most items to delete in a second, over all segments. Each deletion takes a write
	// unit for each KB of the item, and as much in the index of users. Default: 0, no limit.
	PerSecond int
	// Progress, if not nil, is told how far the purge is: after each page of the scan, and while there is
	// much to delete about once a second. It is never called twice at once, and the purge
	// waits for it.
	Progress func(PurgeStats)
}

// PurgeStats is what a purge did. Scanned is the sum of the other two, but for an item that an error
// came upon.
type PurgeStats struct {
	Scanned int // this Store's items that the scan came upon, tombstones included
	Deleted int // of those, the expired ones that were deleted, by this purge or at the same time by TTL
	Kept    int // of those, the others: live, come to life since the scan, or without a time at which they end
}

// maxParallel is far from DynamoDB's own limit, and more than any machine has use for.
const maxParallel = 1000

// PurgeExpired deletes expired sessions, where the table's TTL cannot be used, or where they are to be gone
// sooner than DynamoDB deletes them (within some days). It scans the whole table, reading eventually
// consistently, and deletes each item that has this Store's KeyPrefix and SortKeyValue only if, at
// that moment, it is still expired: what is saved while it runs lives on. With Config.MaxLifetime, sessions
// whose absolute lifetime is over are deleted as well. An expired tombstone, as Regenerate leaves it, is
// deleted too, a live one not. An empty KeyPrefix is that of all keys. An item whose ExpiresAttribute is
// missing or not a number is kept.
//
// Where DynamoDB throttles it, or is busy with a transaction on the same item, it waits and tries again,
// for as long as ctx allows. Any other error ends it, and comes with what had been done by then; so does
// ctx, once the deletion that is under way has its answer, and an item without the keys that Config names,
// which are then not the table's. It may be run again at any time: what was deleted is gone, and the rest is
// found again.
//
// What has expired is decided by the clock of the machine, as elsewhere in this package. Each request is
// bounded by Config.Timeout. PurgeExpired needs the permissions dynamodb:Scan and dynamodb:DeleteItem, of
// the client the method Scan.
func (s *Store) PurgeExpired(ctx context.Context, opts PurgeOptions) (PurgeStats, error) {
	if err := opts.check(); err != nil {
		return PurgeStats{}, err
	}
	ctx, seen := s.observing(ctx)
	stats, err := s.purge(ctx, opts)
	seen.end(OpPurge, err)
	return stats, err
}

func (s *Store) purge(ctx context.Context, opts PurgeOptions) (PurgeStats, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &purge{store: s, progress: opts.Progress, pace: newPace(opts.PerSecond), reported: time.Now()}
	segments := max(opts.Parallel, 1)
	var wg sync.WaitGroup
	for segment := range segments {
		wg.Go(func() {
			if err := p.segment(ctx, segment, segments); err != nil {
				p.failOnce.Do(func() {
					p.failure = err
					cancel()
				})
			}
		})
	}
	wg.Wait()
	return p.stats, p.failure
}

func (o PurgeOptions) check() error {
	var problems []error
	if o.Parallel < 0 || o.Parallel > maxParallel {
		problems = append(problems, fmt.Errorf("dynamostore: PurgeOptions.Parallel: %d segments: it takes 1 to %d, or 0 for 1", o.Parallel, maxParallel))
	}
	if o.PerSecond < 0 {
		problems = append(problems, fmt.Errorf("dynamostore: PurgeOptions.PerSecond: %d is negative: it takes the most deletions in a second, or 0 for no limit", o.PerSecond))
	}
	return errors.Join(problems...)
}

// purge is one call of PurgeExpired.
type purge struct {
	store    *Store
	progress func(PurgeStats)
	pace     *pace

	failOnce sync.Once
	failure  error // the first, for which the others were stopped

	mu       sync.Mutex
	stats    PurgeStats
	reported time.Time // when progress was last called
}

// segment purges one segment of the table.
func (p *purge) segment(ctx context.Context, segment, segments int) error {
	for page, err := range p.store.table.Pages(ctx, segment, segments, p.store.cfg.Timeout) {
		if err != nil {
			return err
		}
		for _, e := range page {
			gone, err := p.item(ctx, e)
			p.count(gone, err)
			if err != nil {
				return err
			}
		}
		p.report(0)
	}
	return nil
}

// item deletes one item, if it has expired, and reports whether it is gone.
func (p *purge) item(ctx context.Context, e record.Entry) (gone bool, err error) {
	if !e.Item.HasExpires || p.store.lives(e.Item) {
		return false, nil
	}
	if err := p.pace.wait(ctx); err != nil {
		return false, fmt.Errorf("dynamostore: purge table %q: %w", p.store.cfg.Table, err)
	}
	return p.store.table.Purge(ctx, e.Key, p.born(), p.store.cfg.Timeout)
}

// born is when the youngest session was created whose absolute lifetime is over, -1 if there is none.
func (p *purge) born() int64 {
	if p.store.cfg.MaxLifetime == 0 {
		return -1
	}
	return max(time.Now().Add(-p.store.cfg.MaxLifetime).Unix(), -1)
}

func (p *purge) count(gone bool, err error) {
	p.mu.Lock()
	p.stats.Scanned++
	switch {
	case err != nil:
	case gone:
		p.stats.Deleted++
	default:
		p.stats.Kept++
	}
	p.mu.Unlock()
	p.report(time.Second)
}

// report calls progress, unless it was called within the last while.
func (p *purge) report(while time.Duration) {
	if p.progress == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.reported) >= while {
		p.reported = now
		p.progress(p.stats)
	}
}

// pace spreads what it is asked for evenly over time. It does not make up for time that was lost.
type pace struct {
	interval time.Duration // 0: no limit

	mu   sync.Mutex
	next time.Time
}

func newPace(perSecond int) *pace {
	if perSecond == 0 {
		return &pace{}
	}
	n := time.Duration(perSecond)
	return &pace{interval: (time.Second + n - 1) / n} // rounded up, so that no second has one more
}

// wait returns when it is the caller's turn, or ctx is done.
func (p *pace) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil || p.interval == 0 {
		return err
	}
	p.mu.Lock()
	now := time.Now()
	turn := now
	if p.next.After(now) {
		turn = p.next
	}
	p.next = turn.Add(p.interval)
	p.mu.Unlock()
	if turn.Equal(now) {
		return nil
	}
	return record.Pause(ctx, turn.Sub(now))
}
