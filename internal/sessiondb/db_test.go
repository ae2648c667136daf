package sessiondb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/envelope"
	"example.com/dynamostore/internal/record"
)

// printing is a codec that writes a session's values as fmt does, and reads those that it wrote.
type printing struct{ known map[string]map[any]any }

func (printing) Name() string { return "printing" }

func (c printing) Encode(values map[any]any) ([]byte, error) {
	if values["refused"] != nil {
		return nil, errors.New("refused")
	}
	text := fmt.Sprint(values)
	c.known[text] = values
	return []byte(text), nil
}

func (c printing) Decode(data []byte) (map[any]any, error) {
	values, ok := c.known[string(data)]
	if !ok {
		return nil, DecodeError("it was not printed")
	}
	copied := map[any]any{}
	for k, v := range values {
		copied[k] = v
	}
	return copied, nil
}

// newDB returns a DB without requests, whose Config is as configure changes it.
func newDB(configure ...func(*Config)) *DB {
	codec := printing{map[string]map[any]any{}}
	cfg := Config{
		Table: "sessions", Codec: codec, ReadCodecs: []Codec{codec}, Envelope: envelope.New(envelope.Config{Codec: codec.Name()}),
		Lifetime: 24 * time.Hour, Timeout: 5 * time.Second,
		Lock:          LockConfig{Wait: 10 * time.Second, MinRetry: 10 * time.Millisecond, MaxRetry: 50 * time.Millisecond, Lease: 30 * time.Second},
		ObserveUnlock: func(ctx context.Context) (context.Context, func(error)) { return ctx, func(error) {} },
	}
	for _, f := range configure {
		f(&cfg)
	}
	db := New(record.New(nil, record.Schema{Table: "sessions", Key: "id", Data: "data", Expires: "expires"}), cfg)
	db.MaxLength = 1 << 20
	return db
}

// newStoredDB is newDB on a DynamoDB in memory.
func newStoredDB(t *testing.T, configure ...func(*Config)) (*DB, *dynamotest.Backend) {
	t.Helper()
	backend := dynamotest.NewInMemory(t)
	backend.CreateTable(t, "id", "")
	db := newDB(configure...)
	db.table = record.New(backend.Client, record.Schema{Table: backend.Table, Key: "id", Data: "data", Expires: "expires"})
	return db, backend
}

const defaultAge = 30 * 24 * 60 * 60 // seconds

// item returns an item of this package's form, as it was written some time ago, and its end.
func item(ago, left time.Duration, more ...func(*record.Item)) *record.Item {
	now := time.Now().Unix()
	i := &record.Item{
		Codec: "printing", Version: record.NewVersion(nil), Data: []byte("map[]"),
		Expires: now + int64(left/time.Second), HasExpires: true, Created: now - int64(ago/time.Second), HasCreated: true,
		Seen: now - int64(ago/time.Second), HasSeen: true,
	}
	for _, f := range more {
		f(i)
	}
	return i
}

func withAge(seconds int) func(*record.Item) {
	return func(i *record.Item) { i.MaxAge, i.HasMaxAge = seconds, true }
}

// A session lives until its end, or for MaxLifetime. A tombstone does not live.
func TestIsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which time stands still
		const hour = time.Hour
		for _, test := range []struct {
			name        string
			item        *record.Item
			maxLifetime time.Duration
			want        bool
		}{
			{"no item", nil, 0, false},
			{"a second left", item(hour, time.Second), 0, true},
			{"its end is now", item(hour, 0), 0, false},
			{"its end is past", item(hour, -time.Second), 0, false},
			{"no end", item(hour, 0, func(i *record.Item) { i.HasExpires = false }), 0, true},
			{"a tombstone", item(hour, hour, func(i *record.Item) { i.Gone = record.Ended }), 0, false},
			{"the tombstone of a move", item(hour, hour, func(i *record.Item) { i.Gone = record.Moved }), 0, false},
			{"within MaxLifetime", item(hour-time.Second, hour), hour, true},
			{"past MaxLifetime", item(hour, hour), hour, false},
			{"of unknown age", item(hour, hour, func(i *record.Item) { i.HasCreated = false }), hour, true},
			{"created in the far future", item(0, hour, func(i *record.Item) { i.Created = 253402300799 }), 1<<63 - 1, true},
		} {
			db := newDB(func(c *Config) { c.MaxLifetime = test.maxLifetime })
			if got := db.IsLive(test.item); got != test.want {
				t.Errorf("%s: IsLive = %v, want %v", test.name, got, test.want)
			}
		}
	})
}

// The end of a session moves in steps of TouchInterval, whatever is written. It moves back only by
// more than an hour.
func TestExpiry(t *testing.T) {
	const (
		day   = 24 * time.Hour
		month = 30 * day
		never = -1
	)
	stored := func(ago, left time.Duration, more ...func(*record.Item)) func() *record.Item {
		return func() *record.Item { return item(ago, left, more...) }
	}
	life := func(d time.Duration) int { return int(d / time.Second) }
	for _, test := range []struct {
		name   string
		cfg    Config // Lifetime, MaxLifetime, TouchInterval
		kind   Kind
		base   func() *record.Item // nil for Create
		maxAge int
		keep   bool
		want   time.Duration // from now; never: the end does not move
	}{
		{"create", Config{}, Create, nil, defaultAge, false, month},
		{"create, MaxAge 0", Config{}, Create, nil, 0, false, day},
		{"create, MaxAge 0, another Lifetime", Config{Lifetime: time.Hour}, Create, nil, 0, false, time.Hour},
		{"create, MaxLifetime", Config{MaxLifetime: day}, Create, nil, defaultAge, false, day},
		{"create, MaxAge beyond any time", Config{}, Create, nil, math.MaxInt, false, math.MaxInt64 / time.Second * time.Second},
		{"move", Config{}, Move, stored(0, month-time.Second), defaultAge, false, month},

		{"changed at once", Config{}, Update, stored(0, month), defaultAge, false, never},
		{"changed, below a twentieth", Config{}, Update, stored(0, month-month/20+time.Second), defaultAge, false, never},
		{"changed, a twentieth", Config{}, Update, stored(0, month-month/20), defaultAge, false, month},
		{"changed, a fixed interval", Config{TouchInterval: time.Hour}, Update, stored(0, month-time.Hour), defaultAge, false, month},
		{"changed, below a fixed interval", Config{TouchInterval: time.Hour}, Update, stored(0, month-time.Hour+time.Second), defaultAge, false, never},
		{"changed, interval below a second, same second", Config{TouchInterval: time.Millisecond}, Update, stored(0, month), defaultAge, false, never},
		{"changed, interval below a second", Config{TouchInterval: time.Millisecond}, Update, stored(0, month-time.Second), defaultAge, false, month},
		{"changed, negative interval", Config{TouchInterval: -1}, Update, stored(0, month), defaultAge, false, month},
		{"unchanged, a twentieth", Config{}, Nothing, stored(0, month-month/20), defaultAge, false, month},
		{"unchanged, below a twentieth", Config{}, Nothing, stored(0, month-time.Hour), defaultAge, false, never},
		{"MaxAge 0: a twentieth of Lifetime", Config{}, Update, stored(0, day-day/20, withAge(0)), 0, false, day},
		{"MaxAge 0: below a twentieth of Lifetime", Config{}, Update, stored(0, day-day/20+time.Second, withAge(0)), 0, false, never},

		{"MaxLifetime leaves less", Config{MaxLifetime: 2 * time.Hour}, Update, stored(time.Hour, 30*time.Minute, withAge(3600)), 3600, false, time.Hour},
		{"MaxLifetime leaves nothing more", Config{MaxLifetime: 2 * time.Hour}, Update, stored(time.Hour, time.Hour, withAge(7200)), 7200, false, never},

		{"MaxAge changed, shorter", Config{}, Update, stored(0, month), life(time.Hour), false, time.Hour},
		{"MaxAge changed, shorter by a minute", Config{}, Update, stored(0, month), defaultAge - 60, false, month - time.Minute},
		{"MaxAge changed, longer", Config{}, Update, stored(0, time.Hour, withAge(3600)), life(day), false, day},
		{"MaxAge taken back to the default", Config{}, Update, stored(0, time.Hour, withAge(3600)), defaultAge, false, month},

		{"an end that is an hour too late, by a clock that is ahead", Config{}, Update, stored(0, month+time.Hour), defaultAge, false, never},
		{"an end that is more than an hour too late", Config{}, Update, stored(0, month+time.Hour+time.Second), defaultAge, false, month},
		{"an end that is too late, by a clock behind the last writer's", Config{}, Update, stored(-2*time.Hour, month+2*time.Hour), defaultAge, false, never},

		{"another store's item", Config{}, Update, stored(0, month-time.Second, func(i *record.Item) { i.HasSeen = false }), defaultAge, false, month},
		{"an item without an end", Config{}, Update, stored(0, 0, func(i *record.Item) { i.HasExpires = false }), defaultAge, false, month},

		{"Update, which keeps the end", Config{}, Update, stored(0, time.Hour), defaultAge, true, never},
		{"Update of another store's item", Config{}, Update, stored(0, time.Hour, func(i *record.Item) { i.HasSeen = false }), defaultAge, true, time.Hour},
		{"Update of an item without an end", Config{}, Update, stored(0, 0, func(i *record.Item) { i.HasExpires, i.Expires = false, 0 }), defaultAge, true, never},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := newDB(func(c *Config) {
					if test.cfg.Lifetime != 0 {
						c.Lifetime = test.cfg.Lifetime
					}
					c.MaxLifetime, c.TouchInterval = test.cfg.MaxLifetime, test.cfg.TouchInterval
				})
				var base *record.Item
				if test.base != nil {
					base = test.base()
				}
				d := Draft{kind: test.kind, base: base, maxAge: test.maxAge, ours: Change{DefaultMaxAge: defaultAge, KeepEnd: test.keep}, created: time.Now().Unix()}
				if base != nil && base.HasCreated {
					d.created = base.Created
				}
				expires, moves := db.expiry(d)
				if moves != (test.want != never) {
					t.Errorf("the end moves: %v, want %v", moves, test.want != never)
				}
				want := time.Now().Add(test.want).Unix()
				if test.want == never {
					want = base.Expires
				}
				if expires != want {
					t.Errorf("the end is %v from now, want %v", time.Until(time.Unix(expires, 0)), time.Until(time.Unix(want, 0)))
				}
			})
		})
	}
}

// Draft says what a change takes: nothing, a touch, an update, a create or a move.
func TestKindOfDraft(t *testing.T) {
	name, other := Name{ID: "id", Key: "id"}, Name{ID: "other", Key: "other"}
	values := map[any]any{"k": "v"}
	for _, test := range []struct {
		name    string
		item    *record.Item
		session func(*Session)
		change  Change
		want    Kind
		err     error
	}{
		{"a new session", nil, nil, Change{Values: values, NewName: name}, Create, nil},
		{"a new session without values", nil, nil, Change{NewName: name}, Create, nil},
		{"unchanged", item(0, 30*24*time.Hour), nil, Change{Values: values}, Nothing, nil},
		{"unchanged, the end moves", item(0, time.Hour), nil, Change{Values: values}, Touch, nil},
		{"changed", item(0, time.Hour), nil, Change{Values: map[any]any{"k": "w"}}, Update, nil},
		{"emptied", item(0, time.Hour), nil, Change{}, Update, nil},
		{"MaxAge changed", item(0, time.Hour), nil, Change{Values: values, MaxAge: 60, MaxAgeChanged: true}, Update, nil},
		{"options changed", item(0, time.Hour), nil, Change{Values: values, Options: "new", OptionsChanged: true}, Update, nil},
		{"options that are stored", item(0, 30*24*time.Hour, func(i *record.Item) { i.Options = "same" }), nil, Change{Values: values, Options: "same", OptionsChanged: true}, Nothing, nil},
		{"another form", item(0, 30*24*time.Hour), func(s *Session) { s.outdated = true }, Change{Values: values}, Update, nil},
		{"a pending write", item(0, 30*24*time.Hour), func(s *Session) { s.pending = []pending{{version: "v"}} }, Change{Values: values}, Update, nil},
		{"moved", item(0, time.Hour), nil, Change{Values: values, NewName: other}, Move, nil},
		// Other requests may have extended it.
		{"expired, as far as is known", item(time.Hour, -time.Second), nil, Change{Values: values}, Touch, nil},
		{"too large", nil, nil, Change{Values: map[any]any{"k": make([]byte, 2<<20)}, NewName: name}, 0, ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Session{}
			if test.item != nil {
				s = Session{Name: name, item: test.item.WithoutData(), values: map[any]any{"k": "v"}}
			}
			if test.session != nil {
				test.session(&s)
			}
			change := test.change
			change.DefaultMaxAge = defaultAge
			if !change.MaxAgeChanged {
				change.MaxAge = defaultAge
			}
			d, err := newDB().Draft(s, change)
			if !errors.Is(err, test.err) || test.err == nil && err != nil {
				t.Errorf("Draft: %v, want %v", err, test.err)
			}
			if err == nil && d.Kind() != test.want {
				t.Errorf("the draft is of kind %d, want %d", d.Kind(), test.want)
			}
		})
	}
}

// A draft does not change with the caller's values, nor when another one follows on it.
func TestDraftIsAValue(t *testing.T) {
	db := newDB()
	encode := func(values map[any]any) []byte {
		data, err := db.cfg.Codec.Encode(values)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	s := Session{Name: Name{"id", "id"}, item: item(0, time.Hour).WithoutData(), values: map[any]any{"k": 1}}
	values := map[any]any{"k": 2, "list": []any{1}}
	d, err := db.Draft(s, Change{Values: values, MaxAge: defaultAge, DefaultMaxAge: defaultAge})
	if err != nil {
		t.Fatal(err)
	}
	before := d
	values["k"], values["list"].([]any)[0] = 3, 2
	stored := item(0, time.Hour, func(i *record.Item) { i.Data = encode(map[any]any{"k": 1, "theirs": 1}) })
	next, err := db.rebase(t.Context(), d, stored)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d, before) || !reflect.DeepEqual(d.ours.Values, map[any]any{"k": 2, "list": []any{1}}) {
		t.Errorf("the draft is now %+v\nand was        %+v", d, before)
	}
	if want := (map[any]any{"k": 2, "list": []any{1}, "theirs": 1}); !reflect.DeepEqual(next.values, want) {
		t.Errorf("the next draft writes %v, want %v", next.values, want)
	}
	if next.version == d.version || next.base != stored {
		t.Error("the next draft has the same version, or the same base")
	}
}

// A fork may be refused so late that the stored item does not show its first attempt any more.
func TestRebaseOfAForkThatIsForgotten(t *testing.T) {
	db := newDB(func(c *Config) { c.Mode = Overwrite })
	d := Draft{
		kind: Update, forked: true, name: Name{"id", "id"}, base: item(0, time.Hour), version: "sent",
		known: map[any]any{"k": 1}, ours: Change{Values: map[any]any{"k": 1, "ours": 1}},
	}
	data, err := db.cfg.Codec.Encode(map[any]any{"theirs": 1})
	if err != nil {
		t.Fatal(err)
	}
	stored := item(0, time.Hour, func(i *record.Item) { i.Data, i.Version = data, record.NewVersion(d.base) })
	next, err := db.rebase(t.Context(), d, stored)
	if want := (map[any]any{"ours": 1, "theirs": 1}); err != nil || !reflect.DeepEqual(next.values, want) {
		t.Errorf("rebase = %v, %v, want the fork's own changes on what is stored: %v", next.values, err, want)
	}
}

// A refused draft follows on what is stored as the mode says.
func TestRebase(t *testing.T) {
	for _, test := range []struct {
		name    string
		mode    Mode
		same    bool // the stored version is the draft's base: somebody holds the lock, or the write is a fence
		pending bool // the stored version is that of a pending write
		want    map[any]any
		err     error
	}{
		{"Merge", Merge, false, false, map[any]any{"k": 1, "ours": 1, "theirs": 1}, nil},
		{"Merge, after a pending write", Merge, false, true, map[any]any{"k": 1, "ours": 1, "theirs": 1}, nil},
		{"Refuse", Refuse, false, false, nil, ErrConflict},
		{"Refuse, unchanged", Refuse, true, false, map[any]any{"k": 1, "ours": 1}, nil},
		{"Refuse, after a pending write", Refuse, false, true, map[any]any{"k": 1, "ours": 1}, nil},
		{"Overwrite", Overwrite, false, false, map[any]any{"k": 1, "ours": 1}, nil},
		{"Lock", Lock, false, false, nil, ErrLockLost},
		{"Lock, unchanged: somebody holds the lock", Lock, true, false, nil, ErrLockLost},
		{"Lock, after a pending write", Lock, false, true, map[any]any{"k": 1, "ours": 1}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := newDB(func(c *Config) { c.Mode = test.mode })
			base := item(0, time.Hour)
			s := Session{Name: Name{"id", "id"}, item: base.WithoutData(), values: map[any]any{"k": 1}}
			data, err := db.cfg.Codec.Encode(map[any]any{"k": 1, "theirs": 1})
			if err != nil {
				t.Fatal(err)
			}
			stored := item(0, time.Hour, func(i *record.Item) { i.Data, i.Version = data, record.NewVersion(base) })
			if test.same {
				stored.Version = base.Version
			}
			if test.pending {
				s.pending = []pending{{version: stored.Version, name: s.Name, values: map[any]any{"k": 1}, maxAge: defaultAge}}
			}
			d, err := db.Draft(s, Change{Values: map[any]any{"k": 1, "ours": 1}, MaxAge: defaultAge, DefaultMaxAge: defaultAge})
			if err != nil {
				t.Fatal(err)
			}
			next, err := db.rebase(t.Context(), d, stored)
			if !errors.Is(err, test.err) || test.err == nil && err != nil {
				t.Fatalf("rebase: %v, want %v", err, test.err)
			}
			if err == nil && !reflect.DeepEqual(next.values, test.want) {
				t.Errorf("the next draft writes %v, want %v", next.values, test.want)
			}
		})
	}
}

// Nothing is merged into the session of another user, whichever way the user changed.
func TestCheckUsers(t *testing.T) {
	db := newDB(func(c *Config) { c.UserKey = "user" })
	of := func(user string) map[any]any {
		if user == "" {
			return map[any]any{"k": 1}
		}
		return map[any]any{"user": user, "k": 1}
	}
	for _, test := range []struct {
		known, theirs, ours string
		ok                  bool
	}{
		{"ann", "ann", "ann", true},
		{"", "", "", true},
		{"", "", "ann", true},       // we log in
		{"ann", "ann", "bob", true}, // we change the user
		{"ann", "ann", "", true},    // we log out
		{"", "ann", "ann", true},    // both log the same user in
		{"ann", "bob", "bob", true},
		{"", "ann", "", false},
		{"", "ann", "bob", false},
		{"ann", "bob", "ann", false},
		{"ann", "", "ann", false},
		{"ann", "", "bob", false},
		{"ann", "bob", "", false},
	} {
		err := db.checkUsers(of(test.known), of(test.theirs), of(test.ours))
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrConflict) {
			t.Errorf("known %q, theirs %q, ours %q: %v, want ErrConflict: %v", test.known, test.theirs, test.ours, err, !test.ok)
		}
	}
	if err := newDB().checkUsers(of("ann"), of("bob"), of("ann")); err != nil {
		t.Errorf("without UserKey: %v", err)
	}
}

type (
	userID   int64
	userName string
	uuid     [2]byte
	broken   struct{}
	secretly string
)

func (u uuid) MarshalText() ([]byte, error)      { return fmt.Appendf(nil, "%x", u[:]), nil }
func (broken) MarshalText() ([]byte, error)      { return nil, errors.New("secret") }
func (s *secretly) MarshalText() ([]byte, error) { return []byte(*s), nil }

// A user is of any string or integer kind, or a TextMarshaler. The index holds the text.
func TestUser(t *testing.T) {
	db := newDB(func(c *Config) { c.UserKey = "user" })
	name := secretly("ann")
	for _, test := range []struct {
		v    any
		want string
		ok   bool
	}{
		{"ann", "ann", true},
		{userName("ann"), "ann", true},
		{7, "7", true},
		{userID(-7), "-7", true},
		{int8(1), "1", true},
		{uint64(1<<64 - 1), "18446744073709551615", true},
		{uintptr(7), "7", true},
		{uuid{0xab, 0xcd}, "abcd", true},
		{&uuid{0xab, 0xcd}, "abcd", true},
		{&name, "ann", true},
		{time.Unix(0, 0).UTC(), "1970-01-01T00:00:00Z", true},
		{"", "", false},
		{(*secretly)(nil), "", false},
		{nil, "", false},
		{1.5, "", false},
		{true, "", false},
		{[]byte("secret"), "", false},
		{struct{ Secret string }{"secret"}, "", false},
		{broken{}, "", false},
		{"\xff", "", false},
		{string(make([]byte, 2049)), "", false},
	} {
		got, err := db.user(map[any]any{"user": test.v})
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("the user %T %.20v is %q, %v, want %q", test.v, test.v, got, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("error %q holds the value", err)
		}
	}
	for name, values := range map[string]map[any]any{"no key": {"k": 1}, "no values": nil} {
		if got, err := db.user(values); got != "" || err != nil {
			t.Errorf("%s: the user is %q, %v, want none", name, got, err)
		}
	}
	if got, err := newDB().user(map[any]any{nil: "ann", "": "bob"}); got != "" || err != nil {
		t.Errorf("without UserKey, the user is %q, %v, want none", got, err)
	}
}

func TestLabel(t *testing.T) {
	db := newDB(func(c *Config) { c.LabelKey = "device" })
	for _, test := range []struct {
		v    any
		want string
		ok   bool
	}{
		{"phone", "phone", true},
		{"", "", true},
		{string(make([]byte, 256)), string(make([]byte, 256)), true},
		{string(make([]byte, 257)), "", false},
		{"\xff", "", false},
		{7, "", false},
		{userName("phone"), "", false},
	} {
		if got, err := db.label(map[any]any{"device": test.v}); got != test.want || (err == nil) != test.ok {
			t.Errorf("the label %T %.20v is %.20q, %v, want %.20q", test.v, test.v, got, err, test.want)
		}
	}
}

// The newest pending write that the item shows was applied.
func TestLastApplied(t *testing.T) {
	a, b, c := record.NewVersion(nil), record.NewVersion(nil), record.NewVersion(nil)
	d := Draft{pending: []pending{{version: a}, {version: b}, {version: c}}}
	for _, test := range []struct {
		name string
		item *record.Item
		want string
	}{
		{"no item", nil, ""},
		{"none of them", &record.Item{Version: record.NewVersion(nil)}, ""},
		{"the first", &record.Item{Version: a}, a},
		{"the last", &record.Item{Version: c}, c},
		{"the last, by its tombstone", &record.Item{Version: c, Gone: record.Ended}, c},
		{"the second, and another write since", (&record.Write{Version: record.NewVersion(nil)}).Written(&record.Item{Version: b}), b},
	} {
		got := ""
		if p := d.lastApplied(test.item); p != nil {
			got = p.version
		}
		if got != test.want {
			t.Errorf("%s: lastApplied = %q, want %q", test.name, got, test.want)
		}
	}
}

// A retry of a create or a move uses the name of the first try.
func TestPendingName(t *testing.T) {
	old, created, moved := Name{"old", "old"}, Name{"created", "created"}, Name{"moved", "moved"}
	for _, test := range []struct {
		name    string
		session Session
		want    Name
		ok      bool
	}{
		{"nothing pending", Session{Name: old}, Name{}, false},
		{"an update", Session{Name: old, pending: []pending{{name: old}}}, Name{}, false},
		{"a create", Session{pending: []pending{{name: created}}}, created, true},
		{"a move", Session{Name: old, pending: []pending{{name: moved}}}, moved, true},
		{"a move, and updates", Session{Name: old, pending: []pending{{name: old}, {name: moved}, {name: old}}}, moved, true},
	} {
		if got, ok := test.session.PendingName(); got != test.want || ok != test.ok {
			t.Errorf("%s: PendingName = %+v, %v, want %+v, %v", test.name, got, ok, test.want, test.ok)
		}
	}
}
