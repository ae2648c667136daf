package record

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// versionOf returns a version of that second.
func versionOf(second int64) string {
	b := make([]byte, 0, 13)
	for shift := 32; shift >= 0; shift -= 8 {
		b = append(b, byte(second>>shift))
	}
	for range 8 {
		b = append(b, byte(rand.Uint32()))
	}
	return versionEncoding.EncodeToString(b)
}

func TestNewVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which time stands still
		now := time.Now().Unix()
		for _, test := range []struct {
			name string
			base *Item
			want int64 // second
		}{
			{"a new item", nil, now},
			{"an item without a version", &Item{}, now},
			{"another store's version", &Item{Version: "v1"}, now},
			{"another store's version, as long as this package's", &Item{Version: strings.Repeat("~", versionSize)}, now},
			{"an older version", &Item{Version: versionOf(now - 1000)}, now},
			{"a version of this second", &Item{Version: versionOf(now)}, now},
			{"the version of a machine whose clock is an hour ahead", &Item{Version: versionOf(now + 3600)}, now + 3600},
		} {
			version := NewVersion(test.base)
			if !regexp.MustCompile(`^[0-9A-V]{21}$`).MatchString(version) {
				t.Errorf("%s: version %q, want 21 characters of base32", test.name, version)
			}
			if second, ok := versionSecond(version); !ok || int64(second) != test.want {
				t.Errorf("%s: the version's second is %d, %v, want %d", test.name, second, ok, test.want)
			}
		}
		seen := make(map[string]bool)
		for range 10_000 {
			seen[shortVersion(NewVersion(nil))] = true
		}
		if len(seen) != 10_000 {
			t.Errorf("10,000 versions of one second have %d short forms", len(seen))
		}
	})
}

// Versions sort by age, in full and, within a quarter of an hour, in short.
func TestVersionsSortByAge(t *testing.T) {
	const begin = 1_795_000_000 &^ (shortWrap - 1)
	versions := make([]string, 0, 900)
	for second := range int64(900) {
		versions = append(versions, versionOf(begin+second))
	}
	if !slices.IsSorted(versions) {
		t.Error("the versions of later seconds do not sort after those of earlier ones")
	}
	for i, version := range versions {
		if got := shortSecond(shortVersion(version)); got != uint64(i) {
			t.Fatalf("the short form of second %d has second %d", i, got)
		}
	}
}

func TestVersionSecondOfForeignText(t *testing.T) {
	for _, version := range []string{"", "v1", strings.Repeat("0", 20), strings.Repeat("0", 22), strings.Repeat("W", 21), strings.Repeat("a", 21), strings.Repeat("\xff", 21)} {
		if second, ok := versionSecond(version); ok {
			t.Errorf("versionSecond(%q) = %d, want none", version, second)
		}
	}
}

// Shows finds a write's version as the last one, and among the recent ones.
func TestShows(t *testing.T) {
	now := time.Now().Unix()
	last, before, other := versionOf(now), versionOf(now-1), versionOf(now)
	item := &Item{Version: last, recent: shortVersion(before)}
	for _, test := range []struct {
		name    string
		item    *Item
		version string
		want    bool
	}{
		{"the last write", item, last, true},
		{"the write before", item, before, true},
		{"another write of that second", item, other, false},
		{"no item", nil, last, false},
		{"an item without a version", &Item{}, last, false},
		{"no version", item, "", false},
		{"no version, of an item without one", &Item{}, "", false},
		{"another store's version", &Item{Version: "v1"}, "v1", false},
		{"a short form", item, shortVersion(before), false},
		{"a tombstone's last write", &Item{Version: last, Gone: Ended}, last, true},
		{"two entries of recent, overlapping", &Item{Version: last, recent: "0000000000" + "1111111111"}, "000000" + "0000011111" + "00000", false},
	} {
		if got := test.item.Shows(test.version); got != test.want {
			t.Errorf("%s: Shows = %v, want %v", test.name, got, test.want)
		}
	}
}

func TestRecentVersions(t *testing.T) {
	const now = 1_795_000_000
	at := func(ages ...int64) (versions []string) {
		for _, age := range ages {
			versions = append(versions, versionOf(now-age))
		}
		return versions
	}
	short := func(versions []string) string {
		var b strings.Builder
		for _, version := range versions {
			b.WriteString(shortVersion(version))
		}
		return b.String()
	}
	many := at(make([]int64, 100)...)
	fresh, minute, stale := at(0, 1, 2), at(5, 60, 60), at(5, 30, 61, 90)
	wrap, later := at(3, shortWrap-1), at(-2, -1, 0, 5)
	for _, test := range []struct {
		name string
		base Item
		want string
	}{
		{"no version", Item{}, ""},
		{"another store's version", Item{Version: "v1", recent: short(fresh)}, ""},
		{"a minute old", Item{Version: at(60)[0]}, "keep"},
		{"more than a minute old", Item{Version: at(61)[0], recent: short(fresh)}, ""},
		{"later than the write", Item{Version: later[0], recent: short(later[1:])}, short(later)},
		{"newest first", Item{Version: fresh[0], recent: short(fresh[1:])}, short(fresh)},
		{"up to a minute", Item{Version: minute[0], recent: short(minute[1:])}, short(minute)},
		{"pruned after a minute", Item{Version: stale[0], recent: short(stale[1:])}, short(stale[:2])},
		{"of a second that has the same last bits", Item{Version: wrap[0], recent: short(wrap[1:])}, short(wrap[:1])},
		{"pruned at 64", Item{Version: many[0], recent: short(many[1:65])}, short(many[:64])},
	} {
		want := test.want
		if want == "keep" {
			want = shortVersion(test.base.Version)
		}
		got := recentVersions(&test.base, versionOf(now))
		if got != want {
			t.Errorf("%s: recent is %q, want %q", test.name, got, want)
		}
		if !validRecent(got) {
			t.Errorf("%s: recent, %q, is not valid when it is read again", test.name, got)
		}
	}
}

func TestValidRecent(t *testing.T) {
	for _, test := range []struct {
		name, recent string
		want         bool
	}{
		{"empty", "", true},
		{"one", "0123456789", true},
		{"two", "0123456789ABCDEFGHIJ", true},
		{"64", strings.Repeat("V", 640), true},
		{"65", strings.Repeat("V", 650), false},
		{"too short", "012345678", false},
		{"too long", "0123456789A", false},
		{"lower case", "012345678a", false},
		{"beyond V", "012345678W", false},
		{"not base32 at the end", "0123456789ABCDEFGHI!", false},
		{"not base32 in the middle", "01234!6789", false},
		{"not UTF-8", "012345678\xff", false},
		{"ten bytes of another alphabet", "ééééé", false},
	} {
		if got := validRecent(test.recent); got != test.want {
			t.Errorf("%s: validRecent(%q) = %v, want %v", test.name, test.recent, got, test.want)
		}
	}
}

// After any series of writes, an item shows those of the last minute, up to 64 before the last, and
// none that is older.
func TestItemRemembersTheLastMinute(t *testing.T) {
	type write struct {
		version string
		at      time.Time
	}
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			var item *Item
			var writes []write
			for range 200 {
				time.Sleep(time.Duration(r.IntN(2)*r.IntN(2)*r.IntN(90)) * time.Second)
				w := Write{Version: NewVersion(item)}
				item = w.Written(item)
				writes = append(writes, write{w.Version, time.Now()})
				for i, w := range slices.Backward(writes) {
					before := len(writes) - 1 - i
					want := before <= recentMax && time.Now().Unix()-w.at.Unix() <= recentSeconds
					if got := item.Shows(w.version); got != want {
						t.Fatalf("seed %d: the item shows the write %d before the last, %v ago: %v, want %v", seed, before, time.Since(w.at), got, want)
					}
				}
			}
		})
	}
}
