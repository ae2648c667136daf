package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
)

func TestPurge(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	for i := range 10 {
		expires := time.Hour
		if i%2 == 0 {
			expires = -time.Hour
		}
		a.put(strconv.Itoa(i), expires, -2*time.Hour, nil)
	}
	a.put("tombstone", -time.Minute, 0, dynamotest.Item{"gone": dynamotest.S("ended"), "data": nil})
	a.put("no session", -time.Minute, 0, dynamotest.Item{"data": nil})
	for _, args := range [][]string{{"purge", "-dry-run"}, {"purge", "-dry-run", "-parallel", "3", "-per-second", "1000"}} {
		a.purges(args, "scanned 11, expired 6, kept 5\n")
	}
	a.purges([]string{"purge", "-dry-run", "-json"}, `{"expired":6,"kept":5,"scanned":11}`+"\n")
	a.purges([]string{"-json", "purge", "-dry-run"}, `{"expired":6,"kept":5,"scanned":11}`+"\n")
	if counts := a.backend.Counts(); counts["DeleteItem"] != 0 {
		t.Errorf("purge -dry-run sent %v", counts)
	}
	a.purges([]string{"purge", "-parallel", "2", "-per-second", "1000"}, "scanned 11, deleted 6, kept 5\n")
	a.purges([]string{"purge", "-json"}, `{"deleted":0,"kept":5,"scanned":5}`+"\n")
	if n := len(a.backend.Items(t)); n != 6 {
		t.Errorf("after purge, the table holds %d items, want 6", n)
	}

	// What was done before an error is told.
	a.put("a", -time.Hour, 0, nil)
	a.put("b", -time.Hour, 0, nil)
	a.backend.Inject("DeleteItem", dynamotest.Do(func() {}), dynamotest.Denied)
	out, errs, status := a.run("purge")
	if status != 1 || !strings.Contains(out, ", deleted 1, ") || !strings.Contains(errs, "the credentials lack the permission dynamodb:DeleteItem") {
		t.Errorf("purge: status %d, it printed %q and on standard error %q", status, out, errs)
	}
}

// purges asserts what purge prints. Its progress, which comes with the first page, is on standard
// error.
func (a *admin) purges(args []string, stdout string) {
	a.Helper()
	out, errs, status := a.run(args...)
	if !strings.HasPrefix(errs, "scanned ") || !strings.HasSuffix(errs, " so far\n") {
		a.Errorf("admin %q: on standard error %q, want progress", args, errs)
	}
	if status != 0 || out != stdout {
		a.Errorf("admin %q: status %d, it printed %q, want %q; on standard error %q", args, status, out, stdout, errs)
	}
}

// purge deletes by the attribute by which TTL deletes, or by one that the operator vouches for.
func TestPurgeRefusesAnotherAttribute(t *testing.T) {
	const trust = "give -trust-expires-attribute if it holds the end of a session"
	const off = `TTL is off, so it is not known whether "last_login" is right, and live sessions could be deleted; ` + trust
	const other = `the TTL attribute is "expires", and not "last_login", so live sessions could be deleted; set -expires-attribute to "expires", or ` + trust
	const denied = `it is not known whether "last_login" is the TTL attribute; add the permission dynamodb:DescribeTimeToLive, or ` + trust
	for _, test := range []struct {
		name   string
		ttl    string // empty: off
		status string // that DescribeTimeToLive is made to tell
		fault  dynamotest.Fault
		args   []string
		want   string // empty: it is not refused
	}{
		{name: "TTL off, default"},
		{name: "TTL off, another", args: []string{"-expires-attribute", "last_login"}, want: off},
		{name: "TTL off, another that is trusted", args: []string{"-expires-attribute", "last_login", "-trust-expires-attribute"}},
		{name: "TTL on the default", ttl: "expires"},
		{name: "TTL on the default, being turned off", ttl: "expires", status: "DISABLING"},
		{name: "TTL on the default, another", ttl: "expires", args: []string{"-expires-attribute", "last_login"}, want: other},
		{name: "TTL on the default, another, dry run", ttl: "expires", args: []string{"-dry-run", "-expires-attribute", "last_login"}, want: other},
		{name: "TTL on the default, another that is trusted", ttl: "expires", args: []string{"-expires-attribute", "last_login", "-trust-expires-attribute"}},
		{name: "TTL on another, default", ttl: "ttl", want: `the TTL attribute is "ttl", and not "expires", so live sessions could be deleted; set -expires-attribute to "ttl", or ` + trust},
		{name: "not permitted", fault: dynamotest.Denied, args: []string{"-expires-attribute", "last_login"}, want: denied},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newAdmin(t)
			a.createTable()
			a.put("1", time.Hour, -time.Hour, dynamotest.Item{"last_login": secondsAgo(time.Minute)})
			if test.ttl != "" {
				a.setTTL(test.ttl, true)
			}
			if test.status != "" {
				test.fault = dynamotest.Edited(func(answer map[string]any) {
					answer["TimeToLiveDescription"].(map[string]any)["TimeToLiveStatus"] = test.status
				})
			}
			if test.fault != nil {
				a.backend.Inject("DescribeTimeToLive", test.fault)
			}
			out, errs, status := a.run(append([]string{"purge"}, test.args...)...)
			switch {
			case test.want == "":
				if status != 0 || out == "" {
					t.Errorf("purge: status %d, it printed %q and on standard error %q", status, out, errs)
				}
			case status != 1 || out != "" || !strings.HasPrefix(errs, `admin: table "`+a.backend.Table+`": `+test.want):
				t.Errorf("purge: status %d, it printed %q and on standard error\n%s\nwant\n%s", status, out, errs, test.want)
			case len(a.backend.Items(t)) != 1:
				t.Errorf("purge deleted the session")
			}
		})
	}
}

// setTTL turns TTL on or off.
func (a *admin) setTTL(attribute string, on bool) {
	a.Helper()
	if _, err := a.backend.Raw().UpdateTimeToLive(a.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               &a.backend.Table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: aws.Bool(on)},
	}); err != nil {
		a.Fatal(err)
	}
}

// A table with a sort key, of which the flags say nothing, refuses a deletion.
func TestPurgeWithoutTheSortKey(t *testing.T) {
	a := newAdmin(t)
	a.backend.CreateTable(t, "id", "sk")
	a.put("x", -time.Hour, 0, dynamotest.Item{"sk": dynamotest.S("session")})
	const want = "the table's key differs from -key-attribute and -sort-key-attribute; admin check reports the table's key: "
	if _, errs, status := a.run("purge"); status != 1 || !strings.Contains(errs, want) {
		t.Errorf("purge: status %d, on standard error %q, want 1 and a line with %q", status, errs, want)
	}
}

// Of a table that applications share, purge sees the service's items.
func TestPurgeOfASharedTable(t *testing.T) {
	for _, test := range []struct {
		sort string
		args []string
	}{
		{"", []string{"purge", "-key-prefix", "web#"}},
		{"sk", []string{"purge", "-sort-key-attribute", "sk", "-sort-key-value", "session"}},
	} {
		a := newAdmin(t)
		a.backend.CreateTable(t, "id", test.sort)
		for i := range 4 {
			a.put("web#"+strconv.Itoa(i), -time.Hour, 0, dynamotest.Item{"sk": dynamotest.S("session")})
			a.put("app#"+strconv.Itoa(i), -time.Hour, 0, dynamotest.Item{"sk": dynamotest.S("other")})
			if test.sort == "" {
				a.put("web#two#"+strconv.Itoa(i), -time.Hour, 0, nil)
			}
		}
		a.purges(test.args, "scanned 4, deleted 4, kept 0\n")
	}
}
