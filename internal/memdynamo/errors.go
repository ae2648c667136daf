package memdynamo

import (
	"fmt"
	"net/http"
)

// An apiError is an answer other than 200.
type apiError struct {
	status  int
	typ     string // what stands in "__type"
	message string
	extra   map[string]any // further members of the answer
}

func (e *apiError) Error() string { return e.typ + ": " + e.message }

// name is the exception's name without its namespace.
func (e *apiError) name() string {
	for i := len(e.typ) - 1; i >= 0; i-- {
		if e.typ[i] == '#' {
			return e.typ[i+1:]
		}
	}
	return e.typ
}

func validation(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, typ: "com.amazon.coral.validate#ValidationException", message: fmt.Sprintf(format, args...)}
}

func exception(name, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, typ: "com.amazonaws.dynamodb.v20120810#" + name, message: fmt.Sprintf(format, args...)}
}

// serialization is the error for a body that is not of the operation's form.
func serialization(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, typ: "com.amazon.coral.service#SerializationException", message: fmt.Sprintf(format, args...)}
}

func tableNotFound() *apiError {
	return exception("ResourceNotFoundException", "Cannot do operations on a non-existent table")
}

// conditionFailed carries the item that refused the write, where the request
// asked for it and there is one.
func conditionFailed(old *item, returnItem bool) *apiError {
	err := exception("ConditionalCheckFailedException", "The conditional request failed")
	if returnItem && old != nil {
		err.extra = map[string]any{"Item": old.attrs}
	}
	return err
}
