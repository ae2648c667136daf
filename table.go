package dynamostore

import (
	"context"
	"errors"
	"fmt"

	"example.com/dynamostore/internal/tableadmin"
)

// EnsureTable creates whatever is missing of the Store's table, and waits until it can be used, for
// as long as ctx allows:
//
//   - the table itself, on demand (PAY_PER_REQUEST);
//   - TTL on Config.ExpiresAttribute. For an existing table, only if it is empty: TTL deletes
//     items, and the table may hold another application's;
//   - with Config.UserKey, the index of users.
//
// It does not change what exists, so several instances may call it at every start. It does not
// touch a table whose key or index does not fit. It returns the result of [Store.CheckTable] on the
// finished table.
//
// DynamoDB takes up to an hour to turn TTL on. EnsureTable does not wait for that: expired sessions
// are not returned in the meantime either.
//
// Config.Timeout bounds each request. The client must have the methods of all the operations below,
// and EnsureTable needs these permissions:
//
//   - always dynamodb:DescribeTable and dynamodb:DescribeTimeToLive;
//   - to create the table, dynamodb:CreateTable;
//   - to add the index to an existing table, dynamodb:UpdateTable;
//   - to turn TTL on, dynamodb:UpdateTimeToLive, and for an existing table dynamodb:Scan, to see
//     whether it is empty.
func (s *Store) EnsureTable(ctx context.Context) error { return s.admin().Ensure(ctx) }

// CheckTable compares the table with the Config. Call it when a program starts, or before a deploy.
// It only reads. It returns nil if the table fits, and otherwise an error that joins every problem
// found; each names the table and suggests a fix:
//
//   - the table does not exist, or cannot be used;
//   - its partition key or sort key does not have the name and type in Config;
//   - TTL is off, is being turned off, or is on for another attribute than Config.ExpiresAttribute;
//   - with Config.UserKey, the index is missing, has the wrong key, does not project the required
//     attributes, or is not ready.
//
// If it cannot check the table, the error says why, such as missing permissions or credentials, or
// a wrong region or endpoint.
//
// Config.Timeout bounds each request. CheckTable needs the permissions dynamodb:DescribeTable and
// dynamodb:DescribeTimeToLive, and the client the methods of these names.
func (s *Store) CheckTable(ctx context.Context) error { return s.admin().Check(ctx) }

func (s *Store) admin() *tableadmin.Admin { return tableadmin.New(s.client, s.table, s.cfg.Timeout) }

// PurgeOptions configures PurgeExpired. The zero value suits a table that is in use.
type PurgeOptions struct {
	// Parallel is how many segments of the table are scanned at once, up to 1000. Each segment
	// deletes one item at a time. More segments are faster, and take more of the table's read
	// capacity. Default: 1.
	Parallel int
	// PerSecond is the maximum number of deletions per second, over all segments. Each takes a
	// write unit for each KB of the item, and usually one more for its entry in the index of users.
	// Default: 0, no limit.
	PerSecond int
	// Progress, if not nil, is called after each page of the scan and, during many deletions, about
	// once a second. Calls do not overlap, and the purge waits for them.
	Progress func(PurgeStats)
}

// PurgeStats counts what a purge did. Scanned is the sum of Deleted and Kept, plus any item on
// which an error occurred.
type PurgeStats struct {
	Scanned int // this Store's items that the scan found, tombstones included
	Deleted int // expired ones that were deleted, by this purge or at the same time by TTL
	Kept    int // the others: live, saved since the scan, or without an expiry
}

// maxParallel is far below DynamoDB's limit of 1,000,000, and more than any machine can use.
const maxParallel = 1000

// PurgeExpired deletes expired sessions and tombstones. Use it where TTL is not available, or to
// delete them sooner than TTL, which may take days.
//
//   - It scans the whole table, with eventually consistent reads, for items with this Store's
//     KeyPrefix and SortKeyValue. It deletes an item only if it is still expired at that moment, so
//     a session saved meanwhile stays. An empty KeyPrefix matches all keys.
//   - With Config.MaxLifetime, it also deletes sessions that have exceeded it. It keeps items whose
//     ExpiresAttribute is missing or not a number.
//   - If DynamoDB throttles it, or is busy with a transaction on the same item, it waits and
//     retries, for as long as ctx allows. Timeouts and internal errors are retried a few times.
//   - Any other error ends it, as does an item without the keys that Config names. When ctx ends,
//     it stops after the response to the current deletion. The stats returned with the error count
//     what was done until then. It can be run again at any time.
//
// This machine's clock decides what has expired. Config.Timeout bounds each request. PurgeExpired
// needs the permissions dynamodb:Scan and dynamodb:DeleteItem, and the client the method Scan.
func (s *Store) PurgeExpired(ctx context.Context, opts PurgeOptions) (PurgeStats, error) {
	if err := opts.check(); err != nil {
		return PurgeStats{}, err
	}
	purge := tableadmin.PurgeOptions{
		Segments:    opts.Parallel,
		PerSecond:   opts.PerSecond,
		IsLive:      s.db.IsLive,
		MaxLifetime: s.cfg.MaxLifetime,
	}
	if opts.Progress != nil {
		purge.Progress = func(stats tableadmin.PurgeStats) { opts.Progress(PurgeStats(stats)) }
	}
	ctx, observed := s.observing(ctx)
	stats, err := s.admin().Purge(ctx, purge)
	observed.end(OpPurge, err)
	return PurgeStats(stats), err
}

func (o PurgeOptions) check() error {
	var problems []error
	if o.Parallel < 0 || o.Parallel > maxParallel {
		problems = append(problems, fmt.Errorf("dynamostore: PurgeOptions.Parallel: %d is out of range; want 1 to %d, or 0 for 1", o.Parallel, maxParallel))
	}
	if o.PerSecond < 0 {
		problems = append(problems, fmt.Errorf("dynamostore: PurgeOptions.PerSecond: %d is negative; want the maximum deletions per second, or 0 for no limit", o.PerSecond))
	}
	return errors.Join(problems...)
}
