package memdynamo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Requests are decoded into structures that have the parameters that an operation implements. Those
// that the engine must tell from absent ones are pointers, slices or maps, which are then nil.
//
// Attribute values are decoded later, by decodeValue, since their errors come after others.

// decode reads a request. It refuses any parameter that in does not have, so none is ignored.
func decode(body []byte, in any) {
	err := json.Unmarshal(body, in, json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(true))
	var semantic *json.SemanticError
	if err == nil {
		return
	}
	failIf(!errors.As(err, &semantic) || semantic.JSONPointer == "", serialization, "The request body is not a JSON object")
	unimplementedIf(semantic.Err == json.ErrUnknownName, semantic.JSONPointer.LastToken())
	failIf(true, serialization, "%s has a wrong type", semantic.JSONPointer.LastToken())
}

func unimplementedIf(cond bool, parameter string) {
	refuseIf(cond, "dynamostoretest does not implement the request parameter %s", parameter)
}

// as returns x as a T, one of the types that JSON is decoded to. what names it in the error.
func as[T any](x any, what string) T {
	t, ok := x.(T)
	failIf(!ok, serialization, "%s has a wrong type", what)
	return t
}

// A tableRequest is a request that only names a table.
type tableRequest struct{ TableName string }

// placeholders are the definitions of #names and :values.
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]any
}

// checkEnum refuses a parameter that is not one of set. It may be absent.
func checkEnum(name, value string, set ...string) {
	refuseIf(value != "" && !slices.Contains(set, value),
		"1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", value, lowerFirst(name), strings.Join(set, ", "))
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// A reporting is what a request wants to know of its cost.
type reporting struct{ ReturnConsumedCapacity string }

func (r reporting) check() {
	checkEnum("ReturnConsumedCapacity", r.ReturnConsumedCapacity, "INDEXES", "TOTAL", "NONE")
}

// An apiError is an error response: it says what is wrong with a request. Code at any depth panics
// with it, and attempt recovers it. An operation checks everything before it changes anything.
type apiError struct {
	typ     string // the member "__type"
	message string
	extra   map[string]any // further members of the response

	// cancels says that in a transaction, the error is a reason for its cancellation. Other errors
	// found before anything is read refuse the transaction as they refuse a single request.
	cancels bool
}

// attempt returns the apiError with which f panics, or nil. Each request runs in it, and also each
// part of a transaction, whose response reports all parts.
func attempt(f func()) (err *apiError) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *apiError:
			err = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// Types of errors. The name of an exception is appended to the last.
const (
	validation    = "com.amazon.coral.validate#ValidationException"
	serialization = "com.amazon.coral.service#SerializationException" // the body does not have the operation's form
	exception     = "com.amazonaws.dynamodb.v20120810#"
)

func newError(typ, format string, args ...any) *apiError {
	return &apiError{typ: typ, message: fmt.Sprintf(format, args...)}
}

// failIf panics with an error if cond is true.
func failIf(cond bool, typ, format string, args ...any) {
	if cond {
		panic(newError(typ, format, args...))
	}
}

// refuseIf panics with a validation error if cond is true.
func refuseIf(cond bool, format string, args ...any) { failIf(cond, validation, format, args...) }

// mismatchIf panics with a validation error about an attribute that does not fit the table's schema
// if cond is true.
func mismatchIf(cond bool, format string, args ...any) {
	if cond {
		err := newError(validation, format, args...)
		err.cancels = true
		panic(err)
	}
}

// reworded runs f, and adds texts to the message of a validation error that it panics with.
func reworded(before, after string, f func()) {
	err := attempt(f)
	if err != nil {
		refuseIf(err.typ == validation, "%s%s%s", before, err.message, after)
		panic(err)
	}
}
