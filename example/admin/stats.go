package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore/internal/record"
)

var statsCommand = command{
	name:    "stats",
	summary: "count live and expired sessions, by age and time left",
	about: "Stats scans the table and counts its sessions: # is a live one in the chart, - one that has expired and is not\n" +
		"deleted yet. It reads the whole table, which costs a read unit for each 8 KB.\n\n" + aboutNames,
	examples: []string{"stats", "-table web-sessions -key-prefix web# stats -json"},
	flags: func(flags *flag.FlagSet) action {
		asJSON := jsonFlag(flags, `an object with the members "table", "live", "expired", "tombstones", "without_end" (of the live), and "by_age", "by_time_left" and "by_time_expired", lists of objects`)
		return func(ctx context.Context, p *program, s *settings) error {
			client, err := s.client(ctx, p)
			if err != nil {
				return err
			}
			t, err := s.tally(ctx, client)
			if err != nil {
				return err
			}
			if *asJSON {
				if err := printJSON(p.stdout, t); err != nil {
					return err
				}
			} else {
				t.print(p.stdout)
			}
			return s.doubt(ctx, client, t)
		}
	},
}

// tally counts sessions.
type tally struct {
	Table             string  `json:"table"`
	Live              int     `json:"live"`
	Expired           int     `json:"expired"`
	Tombstones        int     `json:"tombstones"` // expired ones included
	TombstonesExpired int     `json:"-"`
	WithoutEnd        int     `json:"without_end"`
	ByAge             []class `json:"by_age"`
	ByTimeLeft        []class `json:"by_time_left"`
	ByTimeExpired     []class `json:"by_time_expired"`

	scanned int
}

// class is the sessions whose age, or the like, is less than that, and not less than that of the class
// before.
type class struct {
	Label   string `json:"label"`
	Live    int    `json:"live"`
	Expired int    `json:"expired"`

	under time.Duration
}

// classes are those of a time, and one for what is longer, and one for what has none.
func classes(none string) []class {
	const day = 24 * time.Hour
	return []class{
		{Label: "under 1 hour", under: time.Hour},
		{Label: "under 1 day", under: day},
		{Label: "under 7 days", under: 7 * day},
		{Label: "under 30 days", under: 30 * day},
		{Label: "30 days or more", under: 1<<63 - 1},
		{Label: none},
	}
}

// classify counts a session in its class, the last one if its time is not known.
func classify(classes []class, d time.Duration, known, live bool) {
	i := len(classes) - 1
	if known {
		for i = 0; d >= classes[i].under && i < len(classes)-2; i++ {
		}
	}
	if live {
		classes[i].Live++
	} else {
		classes[i].Expired++
	}
}

// tally scans the table.
func (s *settings) tally(ctx context.Context, client *dynamodb.Client) (*tally, error) {
	t := &tally{
		Table:         s.cfg.Table,
		ByAge:         classes("not known"),
		ByTimeLeft:    classes("without end"),
		ByTimeExpired: classes("by age (-max-lifetime)"),
	}
	now := time.Now()
	for page, err := range s.records(client).Pages(ctx, 0, 1, requestTimeout) {
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			t.add(now, s.cfg.MaxLifetime, e.Item)
		}
	}
	return t, nil
}

func (t *tally) add(now time.Time, maxLifetime time.Duration, item *record.Item) {
	t.scanned++
	left := since(item.Expires, now.Unix())
	over := item.HasExpires && left <= 0
	age := since(now.Unix(), item.Created)
	old := maxLifetime > 0 && item.HasCreated && item.HasExpires && age >= maxLifetime
	switch {
	case item.Moved:
		t.Tombstones++
		if over {
			t.TombstonesExpired++
		}
		return
	case over || old:
		t.Expired++
		classify(t.ByTimeExpired, -left, over, false)
	default:
		t.Live++
		if !item.HasExpires {
			t.WithoutEnd++
		}
		classify(t.ByTimeLeft, left, item.HasExpires, true)
	}
	classify(t.ByAge, age, item.HasCreated, !over && !old)
}

// since is the time from one second since 1970 to a later one, as far as a Duration reaches.
func since(later, earlier int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Second)
	return time.Duration(max(min(float64(later)-float64(earlier), float64(most)), -float64(most))) * time.Second
}

func (t *tally) print(w io.Writer) {
	fmt.Fprintf(w, "table %q: %d live, %d expired and not deleted yet; %d tombstones of rotated IDs\n", t.Table, t.Live, t.Expired, t.Tombstones)
	chart(w, "age", t.ByAge)
	chart(w, "time left", t.ByTimeLeft)
	chart(w, "expired for", t.ByTimeExpired)
}

const chartWidth = 40

// chart prints a bar for each class, the longest of them chartWidth wide.
func chart(w io.Writer, title string, classes []class) {
	most := 0
	for _, c := range classes {
		most = max(most, c.Live+c.Expired)
	}
	if most == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-24s %9s %9s\n", title, "live", "expired")
	for _, c := range classes {
		length := func(n int) int {
			if n == 0 {
				return 0
			}
			return max(1, n*chartWidth/most) // what is there is seen
		}
		bar := strings.Repeat("#", length(c.Live)) + strings.Repeat("-", length(c.Expired))
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-22s %9d %9d  %s", c.Label, c.Live, c.Expired, bar), " "))
	}
}
