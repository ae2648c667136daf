package typedjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// uniqueNames makes json/v2 check that names are unique behind tags. Elsewhere this package does.
var uniqueNames = jsontext.AllowDuplicateNames(false)

// jsonOptions returns the options for json/v2, which encodes and decodes what is behind a tag.
func (c *Codec) jsonOptions() json.Options {
	marshalers := []*json.Marshalers{
		json.MarshalToFunc(c.encodeSession),
		json.MarshalToFunc(func(e *jsontext.Encoder, v *any) error { return c.encode(e, *v) }),
		json.MarshalToFunc(encodeTime),
	}
	unmarshalers := []*json.Unmarshalers{
		json.UnmarshalFromFunc(c.decodeSession),
		json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) (err error) {
			*v, err = (&decoder{Codec: c, Decoder: d}).value()
			return err
		}),
	}
	add := func(m *json.Marshalers, u *json.Unmarshalers) {
		marshalers, unmarshalers = append(marshalers, m), append(unmarshalers, u)
	}
	add(asText(escape, unescape))
	add(asText(notFinite[float32], parseFloat[float32]))
	add(asText(notFinite[float64], parseFloat[float64]))
	add(asText(formatComplex[complex64], parseComplex[complex64]))
	add(asText(formatComplex[complex128], parseComplex[complex128]))
	add(asText(time.Duration.String, time.ParseDuration))
	return json.JoinOptions(
		jsontext.AllowDuplicateNames(true),
		json.FormatNilSliceAsNull(true),
		json.FormatNilMapAsNull(true),
		json.Deterministic(true),
		json.WithMarshalers(json.JoinMarshalers(marshalers...)),
		json.WithUnmarshalers(json.JoinUnmarshalers(unmarshalers...)))
}

// asText returns functions with which json/v2 encodes and decodes values of type T as strings. If
// format returns "", json/v2 uses its own form.
func asText[T any](format func(T) string, parse func(string) (T, error)) (*json.Marshalers, *json.Unmarshalers) {
	encode := func(e *jsontext.Encoder, v T) error {
		text := format(v)
		if text == "" {
			return errors.ErrUnsupported
		}
		return e.WriteToken(jsontext.String(text))
	}
	decode := func(d *jsontext.Decoder, v *T) error {
		if d.PeekKind() != jsontext.KindString {
			return errors.ErrUnsupported
		}
		text, err := (&decoder{Decoder: d}).string()
		if err == nil {
			*v, err = parse(text)
		}
		return err
	}
	return json.MarshalToFunc(encode), json.UnmarshalFromFunc(decode)
}

// escapePrefix begins a string that is written in base64, because it is not valid UTF-8 or begins
// with escapePrefix.
const escapePrefix = "$base64:"

// escape returns s as it is written behind a tag, or as a key of the session.
func escape(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, escapePrefix) {
		return s
	}
	return escapePrefix + base64.StdEncoding.EncodeToString([]byte(s))
}

func unescape(s string) (string, error) {
	encoded, ok := strings.CutPrefix(s, escapePrefix)
	if !ok {
		return s, nil
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	return string(b), err
}

// notFinite returns the text of NaN and the infinities, and "" for other values.
func notFinite[T float32 | float64](f T) string {
	if isFinite(float64(f)) {
		return ""
	}
	return fmt.Sprint(f)
}

func parseFloat[T float32 | float64](s string) (T, error) {
	f, err := strconv.ParseFloat(s, reflect.TypeFor[T]().Bits())
	return T(f), err
}

func formatComplex[T complex64 | complex128](c T) string { return fmt.Sprint(c) }

func parseComplex[T complex64 | complex128](s string) (T, error) {
	c, err := strconv.ParseComplex(s, reflect.TypeFor[T]().Bits())
	return T(c), err
}

// encodeTime writes a time whose offset has no JSON form, as UTC.
func encodeTime(e *jsontext.Encoder, t time.Time) error {
	const day = 24 * 60 * 60
	if _, offset := t.Zone(); offset%60 != 0 || offset <= -day || offset >= day {
		return json.MarshalEncode(e, t.UTC())
	}
	if y := t.Year(); y < 0 || y > 9999 {
		return safeError("a time.Time is outside the years 0 to 9999")
	}
	return errors.ErrUnsupported
}
