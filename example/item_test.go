package main

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
)

// live returns what the script of the visitor's page gets.
func (v *visitor) live() string {
	v.Helper()
	a := v.do("GET", "/live", nil)
	a.wantStatus(v, http.StatusOK)
	a.wantNoCookie(v)
	return a.body
}

func TestItemIsShownToItsOwnerAlone(t *testing.T) {
	s := newSite(t)
	ann, bob := s.visitor(), s.visitor()
	ann.login("Ann", false).wantRedirect(t, "/")
	ann.add("Tea")
	item := s.session()
	for _, body := range []string{ann.home(), ann.live()} {
		body := strings.ReplaceAll(body, "<wbr>", "")
		for name, value := range item {
			content, _ := text(value)
			if name == "id" {
				content = content[:shownOfID] + "…"
			}
			wantText(t, body, fmt.Sprintf(`data-name="%s"><code>%s</code>`, name, content))
		}
		wantText(t, body, `{"cart":{"$main.cart":{"Tea":1}},"device":"Unknown device","user":"Ann"}`)
		wantNoText(t, body, keyOf(item))
	}
	for _, body := range []string{bob.home(), bob.live()} {
		wantNoText(t, body, keyOf(item)[:shownOfID])
		wantNoText(t, body, "Ann")
	}
}

func TestLiveSavesNothing(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	before := s.session()
	s.backend.Counts()
	v.live()
	s.wantRequests(map[string]int{"GetItem": 1})
	if after := s.session(); !reflect.DeepEqual(after, before) {
		t.Errorf("GET /live left %v, want %v", after, before)
	}
}

func TestItemOfAnEndedSession(t *testing.T) {
	s := newSite(t)
	laptop, phone := s.loggedInAs("Ann"), s.loggedInAs("Ann")
	wantText(t, phone.live(), `"user":"Ann"`)
	laptop.post("/sessions/end-others", nil).wantRedirect(t, "/#sessions")
	body := phone.live()
	wantText(t, body, "data-ended")
	wantText(t, body, "a tombstone")
	wantNoText(t, body, "Ann")

	s.deleteAll()
	wantText(t, phone.live(), "It has ended, and the item is gone.")

	s.backend.Counts()
	wantText(t, s.visitor().live(), "This browser has no session.")
	a := s.visitor().do("GET", "/live", nil, "Cookie", cookieName+"=forged")
	wantText(t, a.body, "This browser has no session.")
	s.wantRequests(map[string]int{})
}

func TestItemThatCannotBeReadIsSaid(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.backend.Inject("GetItem", dynamotest.Denied)
	wantText(t, v.live(), "The item cannot be read at the moment.")
	wantText(t, v.live(), `"user":"Ann"`)
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        attribute
	}{
		{"data", `{"a":1,"b":2}`, attribute{"data", []string{`{"a":1,`, `"b":2}`}, ""}},
		{"user", "Zoë", attribute{"user", []string{"Zoë"}, "by which a user's sessions are found"}},
		{"expires", "1795512600", attribute{"expires", []string{"1795512600"}, "24 Nov 2026, 09:30 UTC: then DynamoDB deletes it"}},
		{"expires", "soon", attribute{"expires", []string{"soon"}, "then DynamoDB deletes it"}},
		{"id", "ABCDEFG", attribute{"id", []string{"ABCDEF…"}, "the session's ID: a secret, so cut here"}},
		{"recent", strings.Repeat("A", maxText-1) + "ä", attribute{"recent", []string{strings.Repeat("A", maxText-1) + "…"}, "the versions of the last minute"}},
		{"odd", "", attribute{"odd", []string{""}, ""}},
	} {
		if got := explain(test.name, test.value); !reflect.DeepEqual(got, test.want) {
			t.Errorf("explain(%q, %q) = %+v, want %+v", test.name, test.value, got, test.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	i := describe(dynamotest.Item{
		"version": dynamotest.S("1"),
		"data":    dynamotest.B(make([]byte, 5000)),
		"id":      dynamotest.S("A"),
		"expires": dynamotest.N("1795516100"),
		"odd":     &types.AttributeValueMemberBOOL{Value: true},
	})
	var names []string
	for _, a := range append(i.Attributes, i.More...) {
		names = append(names, a.Name)
	}
	if want := []string{"id", "data", "expires", "odd", "version"}; !reflect.DeepEqual(names, want) {
		t.Errorf("the attributes are %q, want %q", names, want)
	}
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
	if bytes := 8 + 5004 + 3 + 12 + 3; i.Bytes != bytes || i.ReadUnits != 2 || i.WriteUnits != 5 {
		t.Errorf("describe = %d bytes, %d units to read and %d to write, want %d, 2 and 5", i.Bytes, i.ReadUnits, i.WriteUnits, bytes)
	}
}
