package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/dynamostore/internal/dynamotest"
)

// Names that are not those of the table's items are told, by each command that would else find
// nothing.
func TestWrongNamesAreTold(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	scans := [][]string{{"stats"}, {"stats", "-json"}, {"list", "-all"}, {"purge"}, {"purge", "-dry-run"}, {"purge", "-parallel", "3"}}
	for _, args := range scans { // nothing is wrong with an empty table
		if _, errs, status := a.run(append(slices.Clone(args), "-data-attribute", "d")...); status != 0 {
			t.Errorf("admin %q: status %d, on standard error %q", args, status, errs)
		}
	}
	a.put("web#1", -time.Hour, -2*time.Hour, dynamotest.Item{"user": dynamotest.S("ann")})
	a.put("web#2", time.Hour, -2*time.Hour, dynamotest.Item{"user": dynamotest.S("ann")})
	a.put("web#3", -time.Minute, 0, dynamotest.Item{"gone": dynamotest.S("moved"), "data": nil})
	const key = `an item has no string (S) under "pk", which -key-attribute says is the table's partition key; admin check reports the table's key`
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"-key-attribute", "pk"}, key},
		{[]string{"-key-attribute", "pk", "-key-prefix", "web#"}, key},
		{[]string{"-sort-key-attribute", "s", "-sort-key-value", "x"}, `an item has no string (S) under "s", which -sort-key-attribute says is the table's sort key; admin check reports the table's key`},
		{[]string{"-data-attribute", "d", "-key-prefix", "web#"}, `none of its items has the attribute "d", so none is a session; set -data-attribute to the name that the service uses`},
		{[]string{"-expires-attribute", "ttl"}, `none of its sessions has a number in the attribute "ttl", so none would ever end; set -expires-attribute to the name that the service uses`},
	} {
		for _, args := range scans {
			args := append(slices.Clone(args), test.flags...)
			_, errs, status := a.run(args...)
			if last := errs[strings.LastIndex(strings.TrimSuffix(errs, "\n"), "\n")+1:]; status != 1 || !strings.HasPrefix(last, "admin: ") || !strings.Contains(last, test.want) || !strings.Contains(last, a.backend.Table) {
				t.Errorf("admin %q: status %d, on standard error %q, want 1 and a line with %q", args, status, errs, test.want)
			}
		}
	}
	if n := len(a.backend.Items(t)); n != 3 {
		t.Errorf("the table holds %d items, want 3", n)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"list", "-user", "ann", "-key-attribute", "pk"}, key},
		{[]string{"sign-out", "-user", "ann", "-key-attribute", "pk"}, key},
		{[]string{"list", "-user", "ann", "-expires-attribute", "ttl"}, `the keys of the index "user-index" are not "user" (S) and "ttl" (N); admin check reports them; set -user-index or -expires-attribute: `},
		{[]string{"sign-out", "-user", "ann", "-user-index", "by-user"}, `the table has no index "by-user"; create it with admin create, or set -user-index: `},
	} {
		if out, errs, status := a.run(test.args...); status != 1 || out != "" || !strings.Contains(errs, test.want) {
			t.Errorf("admin %q: status %d, it printed %q and on standard error %q, want 1 and a line with %q", test.args, status, out, errs, test.want)
		}
	}
	// Sessions of other applications, and tombstones alone, are no reason to fail.
	a.put("app#1", time.Minute, 0, dynamotest.Item{"gone": dynamotest.S("ended"), "data": nil})
	for _, args := range scans {
		if _, errs, status := a.run(append(slices.Clone(args), "-key-prefix", "app#")...); status != 0 {
			t.Errorf("admin %q -key-prefix app#: status %d, on standard error %q", args, status, errs)
		}
	}
}

func TestStats(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	const day = 24 * time.Hour
	for i := range 8 {
		a.put(fmt.Sprint("new ", i), 30*time.Minute, -10*time.Minute, nil)
	}
	for i := range 4 {
		a.put(fmt.Sprint("old ", i), 5*day, -3*day, nil)
	}
	a.put("ancient", 40*day, -400*day, nil)
	a.put("foreign", 0, 0, dynamotest.Item{"expires": dynamotest.N(strconv.FormatInt(time.Now().Add(2*time.Hour).UnixMilli(), 10))})
	a.put("endless", 0, -time.Hour-time.Minute, nil)
	a.put("expired", -2*time.Hour, -3*day, nil)
	a.put("expired long ago", -3*day, -4*day, nil)
	a.put("tombstone", time.Minute, 0, dynamotest.Item{"gone": dynamotest.S("ended"), "data": nil})
	a.put("tombstone, expired", -time.Minute, 0, dynamotest.Item{"gone": dynamotest.S("ended"), "data": nil})
	a.put("no session", -time.Minute, 0, dynamotest.Item{"data": nil})
	a.prints([]string{"stats"}, `table "NAME": 15 live, 2 expired and not deleted yet; 2 tombstones of sessions that ended

age                           live   expired
  under 1 hour                   8         0  ########################################
  under 1 day                    1         0  #####
  under 7 days                   4         2  ####################----------
  under 30 days                  0         0
  30 days or more                1         0  #####
  not known                      1         0  #####

time left                     live   expired
  under 1 hour                   8         0  ########################################
  under 1 day                    1         0  #####
  under 7 days                   4         0  ####################
  under 30 days                  0         0
  30 days or more                1         0  #####
  without end                    1         0  #####

expired for                   live   expired
  under 1 hour                   0         0
  under 1 day                    0         1  ----------------------------------------
  under 7 days                   0         1  ----------------------------------------
  under 30 days                  0         0
  30 days or more                0         0
  by age (-max-lifetime)         0         0
`, "", 0)
	out, errs, status := a.run("stats", "-json", "-max-lifetime", "24h")
	var got tally
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != 0 || errs != "" {
		t.Fatalf("stats -json: status %d, %v, it printed %q and on standard error %q", status, err, out, errs)
	}
	if got.Live != 10 || got.Expired != 7 || got.Tombstones != 2 || got.WithoutEnd != 1 || got.ByTimeExpired[5].Expired != 5 || got.Table != a.backend.Table {
		t.Errorf("stats -json -max-lifetime 24h = %+v", got)
	}
	a.prints([]string{"-key-prefix", "nobody#", "stats"}, `table "NAME": 0 live, 0 expired and not deleted yet; 0 tombstones of sessions that ended`+"\n", "", 0)
}
