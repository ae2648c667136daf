package memdynamo

import "fmt"

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
