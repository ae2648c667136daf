package tableadmin

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/dynamostore/internal/record"
)

// PurgeOptions says what to purge, and how fast.
type PurgeOptions struct {
	Segments    int              // scanned at once; 0 is 1
	PerSecond   int              // maximum deletions per second; 0: no limit
	Progress    func(PurgeStats) // may be nil
	IsLive      func(*record.Item) bool
	MaxLifetime time.Duration // 0: none
}

// PurgeStats counts what a purge did.
type PurgeStats struct {
	Scanned, Deleted, Kept int
}

// Purge deletes expired sessions and tombstones. If DynamoDB is busy, it waits, for as long as ctx
// allows. Any other error ends it. The stats returned with the error count what was done until
// then.
func (a *Admin) Purge(ctx context.Context, opts PurgeOptions) (PurgeStats, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &purge{Admin: a, opts: opts, reported: time.Now()}
	if n := time.Duration(opts.PerSecond); n > 0 {
		p.interval = (time.Second + n - 1) / n // rounded up, so that no second has an extra call
	}
	segments := max(opts.Segments, 1)
	errs := make(chan error, segments)
	var wg sync.WaitGroup
	for segment := range segments {
		wg.Go(func() {
			if err := p.purgeSegment(ctx, segment); err != nil {
				errs <- err
				cancel() // the other segments
			}
		})
	}
	wg.Wait()
	close(errs)
	return p.stats, <-errs // the first one, or nil
}

// purge is one call of Purge.
type purge struct {
	*Admin
	opts     PurgeOptions
	interval time.Duration // between two deletions

	mu       sync.Mutex
	next     time.Time // of the next deletion
	stats    PurgeStats
	reported time.Time // when Progress was last called
}

func (p *purge) purgeSegment(ctx context.Context, segment int) error {
	scan := record.ScanOptions{
		Segment: segment, Segments: p.opts.Segments, Timeout: p.timeout, Patient: true, Tombstones: true,
		EndOfPage: func() { p.report(0) },
	}
	for e, err := range p.table.Scan(ctx, scan) {
		if err != nil {
			return err
		}
		deleted, err := p.purgeItem(ctx, e)
		p.count(deleted, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// purgeItem deletes an item if it has expired, and reports whether it is gone.
func (p *purge) purgeItem(ctx context.Context, e record.Entry) (deleted bool, err error) {
	if !e.Item.HasExpires || p.opts.IsLive(e.Item) {
		return false, nil
	}
	if err := p.pace(ctx); err != nil {
		return false, fmt.Errorf("dynamostore: purge table %q: %w", p.schema.Table, err)
	}
	createdBefore := int64(-1) // no absolute lifetime
	if p.opts.MaxLifetime > 0 {
		createdBefore = max(time.Now().Add(-p.opts.MaxLifetime).Unix(), -1)
	}
	return p.table.Purge(ctx, e, createdBefore, p.timeout)
}

func (p *purge) count(deleted bool, err error) {
	p.mu.Lock()
	p.stats.Scanned++
	switch {
	case err != nil:
	case deleted:
		p.stats.Deleted++
	default:
		p.stats.Kept++
	}
	p.mu.Unlock()
	p.report(time.Second)
}

// report calls Progress if the last call was at least interval ago.
func (p *purge) report(interval time.Duration) {
	if p.opts.Progress == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.reported) >= interval {
		p.reported = now
		p.opts.Progress(p.stats)
	}
}

// pace waits until the next deletion may be sent, or until ctx is done, and then returns the
// context's error. It spaces deletions evenly, and does not make up for unused time.
func (p *purge) pace(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	pause := max(p.next.Sub(now), 0)
	p.next = now.Add(pause + p.interval)
	p.mu.Unlock()
	if err := ctx.Err(); err != nil || pause == 0 {
		return err
	}
	return record.Pause(ctx, pause)
}
