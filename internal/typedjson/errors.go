package typedjson

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A safeError quotes no value. All errors of this package are safeErrors, since errors of json/v2
// and of the methods of types may quote values.
type safeError string

func (e safeError) Error() string { return string(e) }

const (
	errNotStored  safeError = "it cannot be stored"
	errTooDeep    safeError = "it nests deeper than 1000 levels, or contains itself"
	errNotSession safeError = "it is not the JSON of a session's values"
)

// joinProblems returns an error of the texts, each once and in order, or nil if there are none.
func joinProblems(texts []string) error {
	slices.Sort(texts)
	var errs []error
	for _, text := range slices.Compact(texts) {
		errs = append(errs, safeError(text))
	}
	return errors.Join(errs...)
}

// safe returns the safeError in err, or instead if there is none.
func safe(err error, instead safeError) error {
	if safe, ok := errors.AsType[safeError](err); ok {
		return safe
	}
	return instead
}

// typeName matches the tags of listed types. Any other tag may be another program's data.
var typeName = regexp.MustCompile(`^\$[\pL\pN_*./\[\],-]*[\pL\pN_]\.\pL[\pL\pN_*./\[\],-]*$`)

// unknownTag returns the error for a tag that no type has.
func unknownTag(tag string) error {
	if len(tag) <= 200 && typeName.MatchString(tag) {
		return safeError(fmt.Sprintf("it holds a type %q that JSONCodec.Types does not list", tag[1:]))
	}
	return errNotSession
}

// taggedEncodeError returns a safeError for json/v2's error about a value of type t.
func taggedEncodeError(e *jsontext.Encoder, t reflect.Type, err error) error {
	if e.StackDepth() >= maxDepth {
		return safe(err, errTooDeep)
	}
	t = namedType(t)
	at, ok := err.(*json.SemanticError)
	if !ok { // from the encoder, which refuses nothing else
		return safe(err, safeError(fmt.Sprintf("the type %v holds a string that is not valid UTF-8, or map keys that JSON cannot tell apart", t)))
	}
	text := fmt.Sprintf("the type %v", t)
	if at.GoType != nil && at.GoType != t {
		text += fmt.Sprintf(" holds a %v, which", at.GoType)
		t = at.GoType
	}
	switch definition := definitionError(t); {
	case definition != nil:
		text += " cannot be stored: " + definition.Error()
	case implementsAny(t, encoders):
		text += " could not encode itself"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		text += " is NaN or infinite"
	default:
		text += " has no JSON form"
	}
	return safe(err, safeError(text))
}
