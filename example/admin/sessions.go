package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/dynamostore"
)

var listCommand = command{
	name:    "list",
	summary: "list a user's sessions, with label and last use",
	about: "List prints a user's live sessions, by the index of users, a line each, or with -all everyone's, by a scan of\n" +
		"the table. The handle names a session to sign-out. Session IDs are secret and are not shown. When a session was\n" +
		"last used is known to within the service's TouchInterval.\n\n" +
		`With -json, it prints on each line an object with the members "handle", "user", "label", "created", "last_seen"` + "\n" +
		"and \"expires\".\n\nWith -all: " + aboutNames,
	examples: []string{"list -user ann", "list -all -json", "-endpoint http://localhost:8000 -user-index by-user list -user ann"},
	flags: func(flags *flag.FlagSet) action {
		user := flags.String("user", "", "whose sessions: the `value` under the service's UserKey")
		all := flags.Bool("all", false, "list everyone's, also those without a user")
		return func(ctx context.Context, p *program, s *settings) error {
			if (*user == "") != *all {
				return usagef("list: want either -user or -all; see admin list -help")
			}
			s.withUsers()
			client, store, err := s.open(ctx, p)
			if err != nil {
				return err
			}
			sessions := store.UserSessions(ctx, *user)
			if *all {
				if err := s.checkNames(ctx, client, store); err != nil {
					return err
				}
				sessions = store.Sessions(ctx)
			}
			n := 0
			for info, err := range sessions {
				if err != nil {
					return err
				}
				if n == 0 && !s.json {
					fmt.Fprintf(p.stdout, listFormat+"\n", "HANDLE", "CREATED", "EXPIRES", "USER", "LABEL AND LAST USE")
				}
				n++
				if err := s.printSession(p, info); err != nil {
					return err
				}
			}
			if n == 0 && !s.json {
				fmt.Fprintln(p.stderr, "there is no live session")
			}
			return nil
		}
	},
}

const listFormat = "%-16s  %-20s  %-20s  %-16s  %s"

// withUsers has the Store use the index of users. Under which key of a session the service keeps
// the user does not matter.
func (s *settings) withUsers() { s.cfg.UserKey = cmp.Or(s.cfg.UserKey, "user") }

// printSession prints a session on a line.
func (s *settings) printSession(p *program, info dynamostore.SessionInfo) error {
	if s.json {
		return printJSON(p.stdout, struct {
			Handle   string `json:"handle"`
			User     string `json:"user"`
			Label    string `json:"label"`
			Created  string `json:"created"` // RFC 3339, in UTC; empty: not known
			LastSeen string `json:"last_seen"`
			Expires  string `json:"expires"`
		}{handle(info.Key), info.User, info.Label, timestamp(info.Created), timestamp(info.LastSeen), timestamp(info.Expires)})
	}
	about := quoteUnlessPlain(info.Label)
	if !info.LastSeen.IsZero() {
		about = strings.TrimPrefix(about+", last used "+ago(time.Since(info.LastSeen)), ", ")
	}
	line := fmt.Sprintf(listFormat, handle(info.Key), timestamp(info.Created), timestamp(info.Expires), quoteUnlessPlain(info.User), about)
	_, err := fmt.Fprintln(p.stdout, strings.TrimRight(line, " "))
	return err
}

// handle names a session without showing its key, which holds its ID.
func handle(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// ago returns how long ago something was, as in "5 minutes ago".
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int(d/time.Minute), "minute") + " ago"
	case d < day:
		return count(int(d/time.Hour), "hour") + " ago"
	default:
		return count(int(d/day), "day") + " ago"
	}
}

var handlePattern = regexp.MustCompile(`^[0-9a-f]{16}$`)

var signOutCommand = command{
	name:    "sign-out",
	summary: "end a user's sessions",
	about: "Sign-out ends all sessions of a user, or with -handle only those that list shows under these handles. A request\n" +
		"that is under way cannot bring them back. To keep the user out, refuse the login first. It prints how many\n" +
		"sessions it ended, also before an error, and ends with status 1 if a handle names none. A user whose name begins\n" +
		"with - is written -user=-name. A session that was saved before the service had Config.UserKey belongs to no user\n" +
		"until its next Save.\n\n" +
		`With -json, it prints an object with the members "user", "ended" and "dry_run"; with -dry-run, after the` + "\n" +
		"sessions as list prints them.",
	examples: []string{"sign-out -user ann -dry-run", "sign-out -user ann", "sign-out -user ann -handle 2c26b46b68ffc68f"},
	flags: func(flags *flag.FlagSet) action {
		user := flags.String("user", "", "whose sessions: the `value` under the service's UserKey")
		var handles []string
		flags.Func("handle", "end only the session with this `handle`; may be given several times", func(h string) error {
			if !handlePattern.MatchString(h) {
				return errors.New("want the 16 hexadecimal digits that admin list shows")
			}
			handles = append(handles, h)
			return nil
		})
		dryRun := flags.Bool("dry-run", false, "say what would be ended, and end nothing")
		return func(ctx context.Context, p *program, s *settings) error {
			if *user == "" {
				return usagef("sign-out: want -user; see admin sign-out -help")
			}
			s.withUsers()
			_, store, err := s.open(ctx, p)
			if err != nil {
				return err
			}
			did := "ended"
			end := func(info dynamostore.SessionInfo) error { return store.Destroy(ctx, info.Key) }
			if *dryRun {
				did = "would end"
				end = func(info dynamostore.SessionInfo) error { return s.printSession(p, info) }
			}
			var n int
			if handles == nil && !*dryRun {
				n, err = store.DestroyUser(ctx, *user)
			} else {
				n, err = endEach(store.UserSessions(ctx, *user), handles, end)
			}
			// What was done before an error is told, too.
			if s.json {
				return errors.Join(printJSON(p.stdout, map[string]any{"user": *user, "ended": n, "dry_run": *dryRun}), err)
			}
			if n > 0 || err == nil {
				fmt.Fprintf(p.stdout, "%s %s of %s\n", did, count(n, "session"), quoteUnlessPlain(*user))
			}
			return err
		}
	},
}

// endEach calls end for the sessions with these handles, or for all if there are no handles, and
// returns how many it ended.
func endEach(sessions iter.Seq2[dynamostore.SessionInfo, error], handles []string, end func(dynamostore.SessionInfo) error) (ended int, err error) {
	left := slices.Clone(handles)
	for info, err := range sessions {
		if err != nil {
			return ended, err
		}
		name := handle(info.Key)
		if handles != nil && !slices.Contains(left, name) {
			continue
		}
		if err := end(info); errors.Is(err, dynamostore.ErrGone) {
			continue // it goes on under a new ID
		} else if err != nil {
			return ended, err
		}
		left = slices.DeleteFunc(left, func(h string) bool { return h == name })
		ended++
	}
	if len(left) > 0 {
		return ended, fmt.Errorf("sign-out: the user has no live session with the handle %s, or the session was given a new ID; see admin list", strings.Join(left, ", "))
	}
	return ended, nil
}
