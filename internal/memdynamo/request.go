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
	switch {
	case err == nil:
	case !errors.As(err, &semantic) || semantic.JSONPointer == "":
		panic(serialization("The request body is not a JSON object"))
	case semantic.Err == json.ErrUnknownName:
		refuse(semantic.JSONPointer.LastToken())
	default:
		panic(serialization("%s has a wrong type", semantic.JSONPointer.LastToken()))
	}
}

// refuse names a parameter that is known but not implemented.
func refuse(name string) {
	panic(validation("dynamostoretest does not implement the request parameter %s", name))
}

// as returns x as a T, one of the types that JSON is decoded to. what names it in the error.
func as[T any](x any, what string) T {
	t, ok := x.(T)
	if !ok {
		panic(serialization("%s has a wrong type", what))
	}
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

const validationType = "com.amazon.coral.validate#ValidationException"

func validation(format string, args ...any) *apiError {
	return &apiError{typ: validationType, message: fmt.Sprintf(format, args...)}
}

// refuseIf panics with a validation error if cond is true.
func refuseIf(cond bool, format string, args ...any) {
	if cond {
		panic(validation(format, args...))
	}
}

// reworded runs f, and adds texts to the message of a validation error that it panics with.
func reworded(before, after string, f func()) {
	err := attempt(f)
	switch {
	case err == nil:
	case err.typ == validationType:
		panic(validation("%s%s%s", before, err.message, after))
	default:
		panic(err)
	}
}

func exception(name, format string, args ...any) *apiError {
	return &apiError{typ: "com.amazonaws.dynamodb.v20120810#" + name, message: fmt.Sprintf(format, args...)}
}

// serialization returns the error for a body that does not have the operation's form.
func serialization(format string, args ...any) *apiError {
	return &apiError{typ: "com.amazon.coral.service#SerializationException", message: fmt.Sprintf(format, args...)}
}

// mismatchIf panics with a validation error about an attribute that does not fit the table's schema
// if cond is true.
func mismatchIf(cond bool, format string, args ...any) {
	if cond {
		err := validation(format, args...)
		err.cancels = true
		panic(err)
	}
}
