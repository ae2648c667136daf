package envelope

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

func TestSealSaysHowToOpen(t *testing.T) {
	for _, test := range []struct {
		name  string
		text  bool
		plain string
		tag   string
	}{
		{"bytes", false, "\x00\xff", "gob"},
		{"text in a binary attribute", false, "{}", "gob"},
		{"text", true, `{"a":"é"}`, "gob"},
		{"bytes in a text attribute", true, "\x00\xff", "gob+base64"},
		{"nothing", true, "", "gob"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := New("gob", test.text)
			tag, stored := e.Seal([]byte(test.plain))
			if tag != test.tag {
				t.Errorf("tag = %q, want %q", tag, test.tag)
			}
			if test.text && !utf8.Valid(stored) {
				t.Errorf("stored %q is not text", stored)
			}
			if Codec(tag) != "gob" {
				t.Errorf("Codec(%q) = %q, want gob", tag, Codec(tag))
			}
			plain, err := Open(tag, stored)
			if err != nil || string(plain) != test.plain {
				t.Errorf("Open = %q, %v, want %q", plain, err, test.plain)
			}
			if !e.Current(tag, test.text) {
				t.Errorf("Current(%q, %v) = false for what was just sealed", tag, test.text)
			}
			if e.Current(tag, !test.text) {
				t.Errorf("Current(%q, %v) = true for the other type of attribute", tag, !test.text)
			}
			if e.Current("json", test.text) {
				t.Error("Current(json) = true for another codec")
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct{ name, tag, stored string }{
		{"unknown step", "gob+rot13", "secret"},
		{"empty step", "gob++base64", "c2VjcmV0"},
		{"step twice", "gob+base64+base64", "c2VjcmV0"},
		{"broken base64", "gob+base64", "secret!"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plain, err := Open(test.tag, []byte(test.stored))
			if err == nil {
				t.Fatalf("Open = %q, want an error", plain)
			}
			for _, leak := range []string{"secret", "rot13", "c2Vj"} {
				if bytes.Contains([]byte(err.Error()), []byte(leak)) {
					t.Errorf("error %q quotes its input", err)
				}
			}
		})
	}
}

func TestForeignTextMayBeBase64(t *testing.T) {
	for _, test := range []struct {
		name, stored string
		text         bool
		want         []string
	}{
		{"bytes", "AAE=", false, []string{"AAE="}},
		{"text", "AAE=", true, []string{"AAE=", "\x00\x01"}},
		{"text that is no base64", "{}", true, []string{"{}"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ways := Foreign([]byte(test.stored), test.text)
			if len(ways) != len(test.want) {
				t.Fatalf("Foreign = %q, want %q", ways, test.want)
			}
			for i := range ways {
				if string(ways[i]) != test.want[i] {
					t.Errorf("Foreign = %q, want %q", ways, test.want)
				}
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("gob", []byte("x"), true)
	f.Add("gob+base64", []byte("AAE="), true)
	f.Add("gob+", []byte(nil), false)
	f.Fuzz(func(t *testing.T, tag string, stored []byte, text bool) {
		plain, err := Open(tag, stored)
		if err != nil {
			return
		}
		e := New(Codec(tag), text)
		sealed, again := e.Seal(plain)
		back, err := Open(sealed, again)
		if err != nil || !bytes.Equal(back, plain) {
			t.Fatalf("Open(Seal(%q)) = %q, %v", plain, back, err)
		}
	})
}
