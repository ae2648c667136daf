package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore"
)

var purgeCommand = command{
	name:    "purge",
	summary: "delete what has expired, where TTL cannot be used or is too slow",
	about: "Purge scans the table, and deletes each session only if it is still expired, and expired tombstones. It shows how\n" +
		"far it is on standard error, with a percentage unless the table is shared by a prefix or a sort key, and may be\n" +
		"interrupted and run again. It reads the whole table, which costs a read unit for each 8 KB, and before that as far\n" +
		"as the first session, to see that the names are right. A deletion costs a write unit for each KB of the item.\n\n" + aboutNames,
	examples: []string{"purge -dry-run", "purge -per-second 100", "-table web-sessions -timeout 1h purge -parallel 8"},
	flags: func(flags *flag.FlagSet) action {
		dryRun := flags.Bool("dry-run", false, "count what has expired, and delete nothing")
		parallel := flags.Int("parallel", 1, "`number` of segments of the table to work on at once, 1 to 1000")
		perSecond := flags.Int("per-second", 0, "the most `deletions` in a second, over all segments; 0 for no limit")
		asJSON := jsonFlag(flags, `an object with the members "scanned", "deleted" and "kept"; with -dry-run, "expired" instead of "deleted"`)
		return func(ctx context.Context, p *program, s *settings) error {
			var wrong []error
			if *parallel < 1 || *parallel > 1000 {
				wrong = append(wrong, fmt.Errorf("purge: -parallel: %d segments: give 1 to 1000", *parallel))
			}
			if *perSecond < 0 {
				wrong = append(wrong, fmt.Errorf("purge: -per-second: %d is negative: give the most deletions in a second, or 0 for no limit", *perSecond))
			}
			if wrong == nil && *dryRun && (*parallel != 1 || *perSecond != 0) {
				wrong = append(wrong, errors.New("purge: -dry-run counts in one go, and deletes nothing: leave out -parallel and -per-second"))
			}
			if wrong != nil {
				return usageError{errors.Join(wrong...)}
			}
			client, store, err := s.store(ctx, p)
			if err != nil {
				return err
			}
			if *dryRun {
				t, err := s.tally(ctx, client)
				if err != nil {
					return err
				}
				expired := t.Expired + t.TombstonesExpired
				if *asJSON {
					if err := printJSON(p.stdout, map[string]int{"scanned": t.scanned, "expired": expired, "kept": t.scanned - expired}); err != nil {
						return err
					}
				} else {
					fmt.Fprintf(p.stdout, "scanned %d, would delete %d, would keep %d\n", t.scanned, expired, t.scanned-expired)
				}
				return s.doubt(ctx, client, t)
			}
			if err := s.checkNames(ctx, client); err != nil {
				return err
			}
			bar := newBar(p, s.items(ctx, client))
			stats, err := store.PurgeExpired(ctx, dynamostore.PurgeOptions{Parallel: *parallel, PerSecond: *perSecond, Progress: bar.show})
			bar.end()
			// What was done before an error is told all the same.
			if *asJSON {
				if printErr := printJSON(p.stdout, map[string]int{"scanned": stats.Scanned, "deleted": stats.Deleted, "kept": stats.Kept}); printErr != nil {
					return printErr
				}
			} else {
				fmt.Fprintf(p.stdout, "scanned %d, deleted %d, kept %d\n", stats.Scanned, stats.Deleted, stats.Kept)
			}
			return err
		}
	},
}

// items is about how many items the table holds: DynamoDB counts them every six hours or so. 0: not known,
// for lack of permission, say, or since the purge comes upon a part of them only.
func (s *settings) items(ctx context.Context, client *dynamodb.Client) int {
	if s.cfg.KeyPrefix != "" || s.cfg.SortKeyValue != "" {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.cfg.Table})
	if err != nil || out.Table == nil {
		return 0
	}
	return int(aws.ToInt64(out.Table.ItemCount))
}

// bar shows how far a purge is: on a terminal as a bar, elsewhere as a line now and then.
type bar struct {
	w        io.Writer
	terminal bool
	total    int
	shown    time.Time
	width    int // of what stands on the terminal's line
}

const (
	barWidth     = 30
	betweenLines = 5 * time.Second
	betweenBars  = 100 * time.Millisecond
)

func newBar(p *program, total int) *bar { return &bar{w: p.stderr, terminal: p.terminal, total: total} }

func (b *bar) show(s dynamostore.PurgeStats) {
	pause := betweenLines
	if b.terminal {
		pause = betweenBars
	}
	if time.Since(b.shown) < pause {
		return
	}
	b.shown = time.Now()
	line := fmt.Sprintf("%d scanned, %d deleted", s.Scanned, s.Deleted)
	if b.total > 0 {
		// Others put items into the table while it is scanned.
		part := min(s.Scanned, b.total)
		full := barWidth * part / b.total
		line = fmt.Sprintf("[%s%s] %3d%%  %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*part/b.total, line)
	}
	if !b.terminal {
		fmt.Fprintln(b.w, line)
		return
	}
	fmt.Fprintf(b.w, "\r%-*s", b.width, line)
	b.width = len(line)
}

// end leaves the terminal's line empty for what comes.
func (b *bar) end() {
	if b.terminal && b.width > 0 {
		fmt.Fprintf(b.w, "\r%*s\r", b.width, "")
	}
}
