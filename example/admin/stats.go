package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

var statsCommand = command{
	name:    "stats",
	summary: "count live and expired sessions, by age and time left",
	about: "Stats scans the table and counts its sessions. In the chart, # is a live one, and - one that has expired and is\n" +
		"not deleted yet. It reads the whole table, which costs a read unit for each 8 KB.\n\n" +
		`With -json, it prints an object with the members "table", "live", "expired", "tombstones", "without_end" (of the` + "\n" +
		`live), and "by_age", "by_time_left" and "by_time_expired", lists of objects.` + "\n\n" + aboutNames,
	examples: []string{"stats", "-table web-sessions -key-prefix web# stats -json"},
	flags: func(*flag.FlagSet) action {
		return func(ctx context.Context, p *program, s *settings) error {
			client, store, err := s.open(ctx, p)
			if err != nil {
				return err
			}
			if err := s.checkNames(ctx, client, store); err != nil {
				return err
			}
			t := tally{Table: s.cfg.Table, ByAge: newClasses("not known"), ByTimeLeft: newClasses("without end"), ByTimeExpired: newClasses("by age (-max-lifetime)")}
			now := time.Now()
			for i, err := range s.scan(ctx, client, isStored) {
				if err != nil {
					return err
				}
				t.add(i, now, s.cfg.MaxLifetime)
			}
			if s.json {
				return printJSON(p.stdout, t)
			}
			t.print(p.stdout)
			return nil
		}
	},
}

// tally counts sessions.
type tally struct {
	Table         string  `json:"table"`
	Live          int     `json:"live"`
	Expired       int     `json:"expired"`
	Tombstones    int     `json:"tombstones"`
	WithoutEnd    int     `json:"without_end"`
	ByAge         []class `json:"by_age"`
	ByTimeLeft    []class `json:"by_time_left"`
	ByTimeExpired []class `json:"by_time_expired"`
}

// class counts sessions whose age, or the like, is less than under, and not less than that of the
// class before.
type class struct {
	Label   string `json:"label"`
	Live    int    `json:"live"`
	Expired int    `json:"expired"`

	under time.Duration
}

// newClasses returns classes of a duration. The last one is for sessions without it.
func newClasses(without string) []class {
	const day = 24 * time.Hour
	return []class{
		{Label: "under 1 hour", under: time.Hour},
		{Label: "under 1 day", under: day},
		{Label: "under 7 days", under: 7 * day},
		{Label: "under 30 days", under: 30 * day},
		{Label: "30 days or more"},
		{Label: without},
	}
}

// classOf returns the class of a duration, or the last one if it is not known.
func classOf(classes []class, d time.Duration, known bool) *class {
	if !known {
		return &classes[len(classes)-1]
	}
	i := 0
	for i < len(classes)-2 && d >= classes[i].under {
		i++
	}
	return &classes[i]
}

// add counts an item.
func (t *tally) add(i item, now time.Time, maxLifetime time.Duration) {
	if i.tombstone {
		t.Tombstones++
		return
	}
	age, hasAge := now.Sub(i.created), !i.created.IsZero()
	left, ends := i.expires.Sub(now), !i.expires.IsZero()
	isOver := ends && left <= 0
	byAge := classOf(t.ByAge, age, hasAge)
	if isOver || maxLifetime > 0 && hasAge && age >= maxLifetime {
		t.Expired++
		byAge.Expired++
		classOf(t.ByTimeExpired, -left, isOver).Expired++
		return
	}
	t.Live++
	byAge.Live++
	classOf(t.ByTimeLeft, left, ends).Live++
	if !ends {
		t.WithoutEnd++
	}
}

func (t *tally) print(w io.Writer) {
	fmt.Fprintf(w, "table %q: %d live, %d expired and not deleted yet; %s of sessions that ended\n", t.Table, t.Live, t.Expired, count(t.Tombstones, "tombstone"))
	printChart(w, "age", t.ByAge)
	printChart(w, "time left", t.ByTimeLeft)
	printChart(w, "expired for", t.ByTimeExpired)
}

// printChart prints a bar for each class, unless all are empty.
func printChart(w io.Writer, title string, classes []class) {
	const width = 40 // of the longest bar
	most := 0
	for _, c := range classes {
		most = max(most, c.Live+c.Expired)
	}
	if most == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-24s %9s %9s\n", title, "live", "expired")
	for _, c := range classes {
		length := func(n int) int { return (n*width + most - 1) / most } // at least 1 for what there is
		bar := strings.Repeat("#", length(c.Live)) + strings.Repeat("-", length(c.Expired))
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-22s %9d %9d  %s", c.Label, c.Live, c.Expired, bar), " "))
	}
}
