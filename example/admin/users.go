package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/dynamostore"
)

var listCommand = command{
	name:    "list",
	summary: "list a user's sessions",
	about: "List prints a user's live sessions, by the index of users, a line each, or with -all everyone's, by a scan of\n" +
		"the table. The handle names a session to sign-out. The key of a session holds its ID, unless the service sets\n" +
		"HashIDs, and so is a secret, which is shown with -show-keys only.\n\nOf -all: " + aboutNames,
	examples: []string{"list -user ann", "list -all -json", "-endpoint http://localhost:8000 -user-index by-user list -user ann"},
	flags: func(flags *flag.FlagSet) action {
		user := flags.String("user", "", "whose sessions: the `value` under the service's Config.UserKey")
		all := flags.Bool("all", false, "list everyone's, also those of no user")
		showKeys := flags.Bool("show-keys", false, "show the sessions' keys, which are secret")
		asJSON := jsonFlag(flags, `on each line an object with the members "handle", "user", "created", "expires", and with -show-keys "key"`)
		return func(ctx context.Context, p *program, s *settings) error {
			if (*user == "") != *all {
				return usagef("list: give either -user or -all: see admin list -help")
			}
			client, store, err := s.userStore(ctx, p)
			if err != nil {
				return err
			}
			sessions := store.Sessions(ctx)
			if !*all {
				sessions = store.UserSessions(ctx, *user)
			}
			header, end := !*asJSON, false
			for info, err := range sessions {
				if err != nil {
					return err
				}
				end = end || !info.Expires.IsZero()
				line := newListed(info, *showKeys)
				if *asJSON {
					if err := printJSON(p.stdout, line); err != nil {
						return err
					}
					continue
				}
				if header {
					fmt.Fprintln(p.stdout, listed{Handle: "HANDLE", Created: "CREATED", Expires: "EXPIRES", User: "USER", Key: key(*showKeys, "KEY")})
					header = false
				}
				fmt.Fprintln(p.stdout, line)
			}
			if header {
				fmt.Fprintln(p.stderr, "there is no live session")
			}
			if *all && !end {
				return s.checkNames(ctx, client)
			}
			return nil
		}
	},
}

// listed is a session in a list.
type listed struct {
	Handle  string `json:"handle"`
	User    string `json:"user"`
	Created string `json:"created"` // RFC 3339, in UTC; "": not known
	Expires string `json:"expires"` // likewise
	Key     string `json:"key,omitempty"`
}

func newListed(info dynamostore.SessionInfo, showKeys bool) listed {
	return listed{handle(info.Key), info.User, stamp(info.Created), stamp(info.Expires), key(showKeys, info.Key)}
}

func key(show bool, key string) string {
	if !show {
		return ""
	}
	return key
}

// String is the line of a table.
func (l listed) String() string {
	return strings.TrimRight(fmt.Sprintf("%-16s  %-20s  %-20s  %-16s  %s", l.Handle, l.Created, l.Expires, plain(l.User), plain(l.Key)), " ")
}

// handle names a session where its key, which holds the ID, must not stand.
func handle(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// plain is a text on one line of one's terminal.
func plain(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// handles is a flag that may be given several times.
type handles []string

func (h *handles) String() string { return strings.Join(*h, ",") }

func (h *handles) Set(s string) error {
	*h = append(*h, s)
	return nil
}

var signOutCommand = command{
	name:    "sign-out",
	summary: "end a user's sessions",
	about: "Sign-out ends all sessions of a user, or with -handle only those that list shows so. A request under way cannot\n" +
		"bring them back. Refuse the user's logins first, if they are to stay out. A session that is another user's by then\n" +
		"is left alone. It prints how many it ended, also before an error, and ends with status 1 if a handle named none.\n" +
		"A user whose name begins with - is written -user=-name.",
	examples: []string{"sign-out -user ann -dry-run", "sign-out -user ann", "sign-out -user ann -handle 2c26b46b68ffc68f"},
	flags: func(flags *flag.FlagSet) action {
		user := flags.String("user", "", "whose sessions: the `value` under the service's Config.UserKey")
		var only handles
		flags.Var(&only, "handle", "end the session of this `handle` only; may be given several times")
		dryRun := flags.Bool("dry-run", false, "say what would be ended, and end nothing")
		return func(ctx context.Context, p *program, s *settings) error {
			if *user == "" {
				return usagef("sign-out: give -user: see admin sign-out -help")
			}
			client, store, err := s.userStore(ctx, p)
			if err != nil {
				return err
			}
			did := "ended"
			end := func(info dynamostore.SessionInfo) (bool, error) {
				return s.records(client).Destroy(ctx, info.Key, *user, requestTimeout)
			}
			if *dryRun {
				did = "would end"
				end = func(info dynamostore.SessionInfo) (bool, error) {
					_, err := fmt.Fprintln(p.stdout, newListed(info, false))
					return true, err
				}
			}
			var n int
			var missed error
			if only == nil && !*dryRun {
				n, err = store.DestroyUser(ctx, *user)
			} else {
				n, missed, err = only.each(store.UserSessions(ctx, *user), end)
			}
			if n > 0 || err == nil { // what was done before an error is told all the same
				fmt.Fprintf(p.stdout, "%s %s of %s\n", did, count(n), plain(*user))
			}
			if err == nil && missed != nil {
				err = fmt.Errorf("%s: %w: see admin list -user", plain(*user), missed)
			}
			return err
		}
	},
}

// each calls end for each session that the handles name, or if there are none for all, and returns how many it
// ended, and which handles named none that it did.
func (h handles) each(sessions iter.Seq2[dynamostore.SessionInfo, error], end func(dynamostore.SessionInfo) (bool, error)) (n int, missed, err error) {
	missing := slices.Clone(h)
	var left []string
	for info, err := range sessions {
		if err != nil {
			return n, nil, err
		}
		name := handle(info.Key)
		if h != nil && !slices.Contains(missing, name) {
			continue
		}
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
		ended, err := end(info)
		if err != nil {
			return n, nil, err
		}
		if ended {
			n++
		} else if h != nil {
			left = append(left, name)
		}
	}
	var problems []string
	if len(missing) > 0 {
		problems = append(problems, "no live session has the handle "+strings.Join(missing, ", "))
	}
	if left != nil {
		problems = append(problems, "not ended, since it has ended, got a new ID or changed hands meanwhile: "+strings.Join(left, ", "))
	}
	if problems == nil {
		return n, nil, nil
	}
	return n, errors.New(strings.Join(problems, "; ")), nil
}

func count(n int) string {
	if n == 1 {
		return "1 session"
	}
	return fmt.Sprintf("%d sessions", n)
}
