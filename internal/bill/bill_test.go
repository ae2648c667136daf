// Package bill replays a day of an application and computes what its sessions cost on DynamoDB.
//
// What visitors do is in day_test.go, what the application stores in app_test.go, and what DynamoDB charges in
// replay_test.go. The same day, request by request, passes through stores that are set in different ways, on an
// engine that states the capacity units of each request. It is seeded, so it is always the same.
//
// Time is that of a testing/synctest bubble: the replay sleeps from one request to the next in no time, and the
// Store, the engine and their timers see the clock of the day that they are in.
package bill

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/dynamostore/internal/dynamotest"
)

var (
	show  = flag.Bool("print", false, "print the bill")
	write = flag.Bool("write", false, "write the chart")
)

const (
	chartFile = "../../docs/cost.svg"
	tableFile = "../../docs/speed.md"
)

// The chart and the table in the documentation are those of the code as it is, and the bill stays a small part of the usual one. With the race detector,
// which takes five times as long, the day is a short one, which is not drawn; without it, which is how make cost runs
// this, it is whole.
func TestBill(t *testing.T) {
	visits := allVisits
	if dynamotest.RaceDetector {
		visits /= 10
	}
	var tallies []tally
	for _, s := range settings {
		synctest.Test(t, func(t *testing.T) {
			tally, err := replay(s, day(1, visits), 1)
			if err != nil {
				t.Fatal(err)
			}
			tallies = append(tallies, tally)
		})
	}
	ours, usual := tallies[0], tallies[len(tallies)-1]
	if got, most := ours.readDollars()+ours.writeDollars(), (usual.readDollars()+usual.writeDollars())/3; got > most {
		t.Errorf("the bill is $%.2f, more than a third of the usual one, $%.2f", got, 3*most)
	}
	if visits != allVisits {
		return
	}
	if *show {
		if err := print(os.Stdout, tallies); err != nil {
			t.Error(err)
		}
	}
	if *write {
		if err := os.WriteFile(chartFile, chart(tallies), 0o644); err != nil {
			t.Error(err)
		}
	}
	drawn, err := os.ReadFile(chartFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(drawn, chart(tallies)) {
		t.Errorf("%s is not what the bill is now: run make cost", chartFile)
		if err := print(t.Output(), tallies); err != nil {
			t.Error(err)
		}
	}
	page, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, tally := range tallies {
		if row := "| " + strings.Join(tally.cells(), " | ") + " |"; !bytes.Contains(page, []byte(row)) {
			t.Errorf("%s does not have the row %s", tableFile, row)
		}
	}
}

// A day is made of what its constants say.
func TestDay(t *testing.T) {
	pages, withBrowser, changes, pageLooks := 0, 0, 0, 0
	for _, s := range day(1, allVisits) {
		if s.at < 0 || !s.page {
			continue
		}
		pages++
		if s.browser < 0 {
			continue
		}
		withBrowser++
		switch s.actions[0] {
		case change:
			changes++
		case look:
			pageLooks++
		}
	}
	if share := 1 - float64(withBrowser)/float64(pages); share < bots-0.01 || share > bots+0.01 {
		t.Errorf("%.3f of %d page views are by bots, want %v", share, pages, bots)
	}
	if share := float64(changes) / float64(changes+pageLooks); share < pageWrites-0.02 || share > pageWrites+0.02 {
		t.Errorf("%.3f of people's page views change the session, want %v", share, pageWrites)
	}
}
