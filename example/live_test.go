package main

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
)

// lives returns what the script of the visitor's page is told.
func (v *visitor) lives(status int) string {
	v.Helper()
	a := v.do("GET", "/live", nil)
	a.is(v, status)
	if len(a.Cookies()) != 0 {
		v.Errorf("GET /live set %v, want nothing", a.Cookies())
	}
	return a.body
}

func TestItemIsShownToItsOwnerAlone(t *testing.T) {
	s := newSite(t)
	ann, bob := s.visitor(), s.visitor()
	ann.login("Ann", false).backHome(t)
	ann.home()
	for _, body := range []string{ann.home(), ann.lives(http.StatusOK)} {
		items := s.sessions()
		if len(items) != 1 {
			t.Fatalf("the table holds %d sessions, want 1", len(items))
		}
		for name, value := range items[0] {
			var typ, content string
			switch v := value.(type) {
			case *types.AttributeValueMemberS:
				typ, content = "S", v.Value
			case *types.AttributeValueMemberN:
				typ, content = "N", v.Value
			case *types.AttributeValueMemberB:
				typ, content = "B", string(v.Value)
			}
			if name == "id" {
				content = content[:shownOfID] + "…"
			}
			bytes := describeAttribute(name, value).Bytes
			holds(t, body, fmt.Sprintf(`data-name="%s">%s <small>%s, %d bytes</small></th><td><code>%s</code>`, name, name, typ, bytes, content))
		}
		holds(t, body, `{"user":"Ann","visits":2}`)
		if !regexp.MustCompile(`<dt>Ends in</dt><dd>(1 d 0 h 0|23 h 59) min</dd>`).MatchString(body) {
			t.Errorf("the page does not say that the session ends in a day:\n%s", body)
		}
		lacks(t, body, keyOf(items[0]))
	}
	key := keyOf(s.sessions()[0])
	for _, body := range []string{bob.home(), bob.lives(http.StatusOK)} {
		lacks(t, body, key[:shownOfID])
		lacks(t, body, "Ann")
	}
}

func TestLookingSavesNothing(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	before := s.sessions()
	s.backend.Counts()
	v.lives(http.StatusOK)
	if got, want := s.backend.Counts(), map[string]int{"GetItem": 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("a look sent %v, want %v", got, want)
	}
	if after := s.sessions(); !reflect.DeepEqual(after, before) {
		t.Errorf("a look left %v, where there was %v", after, before)
	}
}

func TestLookAtWhatIsNotThere(t *testing.T) {
	s := newSite(t)
	laptop, phone := s.loggedInAs("Ann"), s.loggedInAs("Ann")
	holds(t, phone.lives(http.StatusOK), `"user":"Ann"`)
	laptop.post("/sessions/end-others", nil).backHome(t)
	body := phone.lives(http.StatusOK)
	holds(t, body, "It is not there: it has ended.")
	lacks(t, body, "Ann")

	s.backend.Counts()
	holds(t, s.visitor().lives(http.StatusOK), "It is not there")
	a := s.visitor().do("GET", "/live", nil, "Cookie", cookieName+"=forged")
	a.is(t, http.StatusOK)
	holds(t, a.body, "It is not there")
	if counts := s.backend.Counts(); len(counts) != 0 {
		t.Errorf("a look without a good cookie sent %v, want nothing", counts)
	}
}

func TestItemThatCannotBeReadIsSaid(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	// A first visit loads nothing, so this is the look at the item.
	s.backend.Inject("GetItem", dynamotest.Times(3, dynamotest.InternalError)...)
	body := v.home()
	holds(t, body, "The item cannot be read at the moment.")
	holds(t, body, `visit <strong id="visits">1</strong>`)

	s.backend.Inject("GetItem", dynamotest.Denied)
	holds(t, v.lives(http.StatusServiceUnavailable), "The item cannot be read at the moment.")
	holds(t, v.lives(http.StatusOK), `"visits":1`)
}

func TestDescribeAttribute(t *testing.T) {
	for _, test := range []struct {
		name  string
		value types.AttributeValue
		want  attribute
	}{
		{"data", dynamotest.B([]byte("\xff\x00")), attribute{"data", "B", "/wA=", "in base64", 6}},
		{"data", dynamotest.S("{}"), attribute{"data", "S", "{}", "", 6}},
		{"user", dynamotest.S("Zoë"), attribute{"user", "S", "Zoë", "", 8}},
		{"expires", dynamotest.N("1795512600"), attribute{"expires", "N", "1795512600", "24 Nov 2026, 09:30:00 UTC", 12}},
		{"expires", dynamotest.S("soon"), attribute{"expires", "S", "soon", "", 11}},
		{"id", dynamotest.S("ABCDEFG"), attribute{"id", "S", "ABCDEF…", "the session's ID, 7 characters: a secret, so cut here", 9}},
		{"odd", &types.AttributeValueMemberBOOL{Value: true}, attribute{"odd", "BOOL", "", "", 3}},
	} {
		if got := describeAttribute(test.name, test.value); got != test.want {
			t.Errorf("describeAttribute(%q, %v) = %+v, want %+v", test.name, test.value, got, test.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	now := time.Unix(1795512600, 0)
	i := describe(dynamotest.Item{
		"data":    dynamotest.B(make([]byte, 5000)),
		"id":      dynamotest.S("A"),
		"expires": dynamotest.N("1795516199"),
	}, now)
	var names []string
	for _, a := range i.Attributes {
		names = append(names, a.Name)
	}
	if want := []string{"id", "data", "expires"}; !reflect.DeepEqual(names, want) {
		t.Errorf("the attributes are %q, want %q", names, want)
	}
	if i.Bytes != 3+5004+13 || i.ReadUnits != 2 || i.WriteUnits != 5 || i.Left != "59 min" {
		t.Errorf("describe = %d bytes, %d and %d units, ends in %q, want 5020, 2 and 5, 59 min", i.Bytes, i.ReadUnits, i.WriteUnits, i.Left)
	}
}

func TestCountdown(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour:                           "less than a minute",
		59 * time.Second:                     "less than a minute",
		time.Minute:                          "1 min",
		time.Hour - 1:                        "59 min",
		time.Hour:                            "1 h 0 min",
		24*time.Hour - 1:                     "23 h 59 min",
		24 * time.Hour:                       "1 d 0 h 0 min",
		720*time.Hour - 61*time.Second:       "29 d 23 h 58 min",
		9*24*time.Hour + 3*time.Hour:         "9 d 3 h 0 min",
		24*time.Hour + 90*time.Minute + 1000: "1 d 1 h 30 min",
	} {
		if got := countdown(d); got != want {
			t.Errorf("countdown(%v) = %q, want %q", d, got, want)
		}
	}
}
