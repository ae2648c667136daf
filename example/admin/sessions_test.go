package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
)

const timePattern = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`

// list shows label and last use, and a handle in place of the key.
func TestList(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	keys := []string{a.save("ann", "Firefox on Linux"), a.save("ann", ""), a.save("bob", ""), a.save("", "")}
	a.put("expired", -time.Hour, -2*time.Hour, dynamotest.Item{"user": dynamotest.S("ann")})
	a.change(keys[0], "SET seen = :at", nil, dynamotest.Item{":at": secondsAgo(5 * time.Minute)})

	out, errs, status := a.run("list", "-user", "ann")
	pattern := regexp.MustCompile(`^HANDLE +CREATED +EXPIRES +USER +LABEL AND LAST USE\n([0-9a-f]{16}  ` + timePattern + `  ` + timePattern + `  ann {13}  (Firefox on Linux, last used 5 minutes ago|last used just now)\n){2}$`)
	if status != 0 || errs != "" || !pattern.MatchString(out) || !strings.Contains(out, "Firefox") || !strings.Contains(out, "just now") {
		t.Errorf("list: status %d, it printed\n%sand on standard error %q", status, out, errs)
	}
	for _, key := range keys[:2] {
		if !strings.Contains(out, handle(key)) {
			t.Errorf("list does not show the handle %s:\n%s", handle(key), out)
		}
	}

	out, _, status = a.run("list", "-all", "-json")
	users := map[string]int{}
	for line := range strings.Lines(out) {
		var got map[string]string
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("list -json printed %q: %v", line, err)
		}
		users[got["user"]]++
		for _, name := range []string{"created", "last_seen", "expires"} {
			if !regexp.MustCompile("^" + timePattern + "$").MatchString(got[name]) {
				t.Errorf("list -json: %q is %q, want a time", name, got[name])
			}
		}
		wantLabel := ""
		if got["handle"] == handle(keys[0]) {
			wantLabel = "Firefox on Linux"
		}
		if len(got) != 6 || len(got["handle"]) != 16 || got["label"] != wantLabel {
			t.Errorf("list -json printed %q", line)
		}
	}
	if want := map[string]int{"ann": 2, "bob": 1, "": 1}; status != 0 || !maps.Equal(users, want) {
		t.Errorf("list -all: status %d, sessions of %v, want %v", status, users, want)
	}
	for _, args := range [][]string{{"list", "-user", "ann"}, {"list", "-all"}, {"list", "-all", "-json"}, {"sign-out", "-user", "ann", "-dry-run"}} {
		out, errs, _ := a.run(args...)
		for _, key := range keys {
			if strings.Contains(out+errs, key[:8]) {
				t.Errorf("admin %q shows a key:\n%s%s", args, out, errs)
			}
		}
	}
	a.prints([]string{"list", "-user", "carl"}, "", "there is no live session\n", 0)
	a.prints([]string{"list", "-user", "carl", "-json"}, "", "", 0)
}

// Names and labels that would do something to a terminal are escaped.
func TestListEscapes(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	a.save("ann\n\x1b[2J\u009b1m", "evil\u202egnp\u2066\U000e0041")
	out, _, status := a.run("list", "-all")
	if want := `  "ann\n\x1b[2J\u009b1m"  "evil\u202egnp\u2066\U000e0041", last used just now` + "\n"; status != 0 || !strings.HasSuffix(out, want) {
		t.Errorf("list: status %d, it printed %q, want %q at the end", status, out, want)
	}
	out, _, status = a.run("list", "-all", "-json")
	if want := `"user":"ann\n\u001b[2J\u009b1m","label":"evil\u202egnp\u2066\udb40\udc41",`; status != 0 || !strings.Contains(out, want) {
		t.Errorf("list -json: status %d, it printed %q, want %q in it", status, out, want)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(out), &got); err != nil || got["label"] != "evil\u202egnp\u2066\U000e0041" {
		t.Errorf("list -json: the label is %q, %v", got["label"], err)
	}
	for _, args := range [][]string{{"sign-out", "-json", "-user", "\u202e"}, {"check", "-json", "-user-key", "u", "-user-index", "aaa"}} {
		if out, errs, _ := a.run(args...); strings.ContainsAny(out+errs, "\u202e\u009b") {
			t.Errorf("admin %q printed %q and %q", args, out, errs)
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Minute:      "just now",
		59 * time.Second:  "just now",
		time.Minute:       "1 minute ago",
		59 * time.Minute:  "59 minutes ago",
		time.Hour:         "1 hour ago",
		47 * time.Hour:    "1 day ago",
		400 * time.Hour:   "16 days ago",
		100 * time.Minute: "1 hour ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("ago(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestSignOut(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	keys := []string{a.save("ann", ""), a.save("ann", ""), a.save("bob", ""), a.save("", "")}
	list, _, _ := a.run("list", "-user", "ann")
	_, lines, _ := strings.Cut(list, "\n")
	a.prints([]string{"sign-out", "-user", "ann", "-dry-run"}, lines+"would end 2 sessions of ann\n", "", 0)
	out, _, status := a.run("sign-out", "-user", "ann", "-dry-run", "-json")
	if !strings.HasSuffix(out, "\n"+`{"dry_run":true,"ended":2,"user":"ann"}`+"\n") || strings.Count(out, "\n") != 3 || status != 0 {
		t.Errorf("sign-out -dry-run -json: status %d, it printed\n%s", status, out)
	}
	a.wantLeft(keys...)
	a.prints([]string{"sign-out", "-user", "ann", "-handle", handle(keys[1])}, "ended 1 session of ann\n", "", 0)
	const other = "0123456789abcdef"
	a.prints([]string{"sign-out", "-user", "ann", "-handle", handle(keys[2]), "-handle", other}, "",
		"admin: sign-out: the user has no live session with the handle "+handle(keys[2])+", "+other+", or the session was given a new ID; see admin list\n", 1)
	a.wantLeft(keys[0], keys[2], keys[3])
	a.save("ann", "")
	a.prints([]string{"sign-out", "-user", "ann"}, "ended 2 sessions of ann\n", "", 0)
	a.prints([]string{"sign-out", "-user", "ann"}, "ended 0 sessions of ann\n", "", 0)
	a.prints([]string{"-json", "sign-out", "-user=-x"}, `{"dry_run":false,"ended":0,"user":"-x"}`+"\n", "", 0)
	a.wantLeft(keys[2], keys[3])
}

// A session that is given a new ID in the meantime goes on, and is named. What was ended before an
// error is told.
func TestSignOutOfHandles(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	keys := []string{a.save("ann", ""), a.save("ann", "")}
	slices.Sort(keys) // whatever the order in which they are found
	args := []string{"sign-out", "-user", "ann", "-handle", handle(keys[0]), "-handle", handle(keys[1])}
	moved := func() {
		a.change(keys[0], "SET gone = :moved, seen = :now REMOVE #data, #user", map[string]string{"#data": "data", "#user": "user"},
			dynamotest.Item{":moved": dynamotest.S("moved"), ":now": secondsAgo(0)})
	}
	a.backend.Inject("UpdateItem", dynamotest.Do(moved))
	out, errs, status := a.run(args...)
	if status != 1 || out != "ended 1 session of ann\n" || !strings.Contains(errs, "the handle "+handle(keys[0])+", or the session was given a new ID") || strings.Contains(errs, handle(keys[1])) {
		t.Errorf("admin %q: status %d, it printed %q and on standard error\n%s\nwant 1 session, and the other one's handle", args, status, out, errs)
	}

	keys = []string{a.save("carl", ""), a.save("carl", "")}
	a.backend.Inject("UpdateItem", dynamotest.Do(func() {}), dynamotest.Denied)
	out, errs, status = a.run("sign-out", "-user", "carl", "-handle", handle(keys[0]), "-handle", handle(keys[1]))
	if status != 1 || out != "ended 1 session of carl\n" || !strings.Contains(errs, "the credentials lack the permission dynamodb:UpdateItem") {
		t.Errorf("sign-out: status %d, it printed %q and on standard error %q, want 1 session and the refusal", status, out, errs)
	}
}

// wantLeft asserts which sessions are in the table.
func (a *admin) wantLeft(keys ...string) {
	a.Helper()
	var left []string
	for _, item := range a.backend.Items(a.T) {
		if item["gone"] == nil {
			left = append(left, item["id"].(*types.AttributeValueMemberS).Value)
		}
	}
	slices.Sort(left)
	if want := slices.Sorted(slices.Values(keys)); !slices.Equal(left, want) {
		a.Errorf("the table holds %q, want %q", left, want)
	}
}

// change updates an item.
func (a *admin) change(key, update string, names map[string]string, values dynamotest.Item) {
	a.Helper()
	if _, err := a.backend.Raw().UpdateItem(a.Context(), &dynamodb.UpdateItemInput{
		TableName: &a.backend.Table, Key: dynamotest.Item{"id": dynamotest.S(key)},
		UpdateExpression: &update, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}); err != nil {
		a.Error(err)
	}
}
