package memdynamo

import (
	"errors"
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
