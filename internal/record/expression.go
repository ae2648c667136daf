package record

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// names are the ExpressionAttributeNames of the requests that have only one form. Every name goes
// by a placeholder: the configured ones may hold anything, and DynamoDB reserves several of the
// fixed ones.
type names struct {
	key   map[string]string
	touch map[string]string
}

func newNames(s Schema) names {
	return names{
		key:   map[string]string{"#key": s.Key},
		touch: map[string]string{"#version": attrVersion, "#expires": s.Expires},
	}
}

// A variant is a form of the update expression. All are made once, in New.
type variant uint8

const (
	setMaxAge   variant = 1 << iota // the session's cookie age is not the store's
	unversioned                     // the item that was read has no version
	foreign                         // the version that was read is no string, so it cannot be prior
	variants    = 1 << iota
)

func variantOf(read *Item, w Write) (v variant) {
	if w.HasMaxAge {
		v |= setMaxAge
	}
	switch read.Version.(type) {
	case nil:
		v |= unversioned
	case *types.AttributeValueMemberS:
	default:
		v |= foreign
	}
	return v
}

// update is one variant of the write of changed data.
type update struct {
	update    string
	condition string
	names     map[string]string
	namesSize int  // bytes of the names of the attributes that it sets
	keepsRead bool // the version that was read becomes prior
}

func newUpdate(s Schema, v variant) update {
	set := []string{"data", "codec", "version", "expires", "created"}
	var remove []string
	u := update{names: map[string]string{
		"#data":    s.Data,
		"#codec":   attrCodec,
		"#version": attrVersion,
		"#expires": s.Expires,
		"#created": attrCreated,
		"#max_age": attrMaxAge,
		"#prior":   attrPrior,
	}}
	if v&setMaxAge != 0 {
		set = append(set, "max_age")
	} else {
		remove = append(remove, "#max_age")
	}
	var clauses []string
	for _, name := range set {
		clauses = append(clauses, "#"+name+" = :"+name)
		u.namesSize += len(u.names["#"+name])
	}
	if v&(unversioned|foreign) == 0 {
		clauses = append(clauses, "#prior = :read")
		u.namesSize += len(attrPrior)
		u.keepsRead = true
	} else {
		remove = append(remove, "#prior")
	}
	u.update = "SET " + strings.Join(clauses, ", ")
	if len(remove) > 0 {
		u.update += " REMOVE " + strings.Join(remove, ", ")
	}
	// The condition protects whatever was written since the item was read, and a session that
	// was deleted since: a missing item has no version, and neither has a key that it could equal.
	// An item without a version is compared by its data, and must not have got one since.
	u.condition = "#version = :read"
	if v&unversioned != 0 {
		u.condition = "attribute_not_exists(#version) AND #data = :read"
	}
	return u
}
