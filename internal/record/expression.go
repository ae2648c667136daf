package record

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// names are the ExpressionAttributeNames of the requests that have few forms. Every name goes by
// a placeholder: the configured ones may hold anything, and DynamoDB reserves several of the
// fixed ones.
type names struct {
	key         map[string]string
	destroy     map[string]string
	remove      map[string]string
	destroyUser map[string]string
	tombstone   map[string]string
	byUser      map[string]string
	all         map[string]string
	touch       map[string]string
	fencedTouch map[string]string
	lock        map[string]string
	unlock      map[string]string
}

func newNames(s Schema) names {
	n := names{
		destroy:     map[string]string{"#data": s.Data},
		remove:      map[string]string{"#data": s.Data, "#moved": attrMoved},
		destroyUser: map[string]string{"#user": attrUser},
		byUser:      map[string]string{"#user": attrUser, "#expires": s.Expires},
		tombstone: map[string]string{
			"#data": s.Data, "#expires": s.Expires, "#codec": attrCodec, "#version": attrVersion, "#prior": attrPrior,
			"#created": attrCreated, "#max_age": attrMaxAge, "#user": attrUser, "#moved": attrMoved,
			"#lock": attrLock, "#lock_until": attrLockUntil,
		},
		key:   map[string]string{"#key": s.Key},
		touch: map[string]string{"#version": attrVersion, "#expires": s.Expires},
		fencedTouch: map[string]string{
			"#version": attrVersion, "#expires": s.Expires, "#lock": attrLock, "#lock_until": attrLockUntil,
		},
		lock: map[string]string{
			"#data": s.Data, "#expires": s.Expires, "#lock": attrLock, "#lock_until": attrLockUntil,
		},
		unlock: map[string]string{"#lock": attrLock, "#lock_until": attrLockUntil},
	}
	n.all = map[string]string{
		"#key": s.Key, "#data": s.Data, "#expires": s.Expires, "#created": attrCreated, "#user": attrUser,
	}
	if s.SortKey != "" {
		n.all["#sort"] = s.SortKey
	}
	return n
}

// ifNotHeld protects whoever holds the lock, for as long as its lease lasts, from everyone else.
// What is not of the type that this package writes locks nothing, or it would do so for ever.
const ifNotHeld = "NOT (attribute_type(#lock, :string) AND attribute_type(#lock_until, :number)" +
	" AND #lock_until > :now AND #lock <> :token)"

// fence adds the values of ifNotHeld.
func fence(values map[string]types.AttributeValue, token string, now time.Time) {
	values[":string"] = typeString
	values[":number"] = typeNumber
	values[":now"] = number(now.UnixMilli())
	values[":token"] = text(token)
}

var typeString, typeNumber = text("S"), text("N")

// A variant is a form of the update expression. All are made once, in New.
type variant uint8

const (
	setMaxAge   variant = 1 << iota // the session's cookie age is not the store's
	unversioned                     // the item that was read has no version
	foreign                         // the version that was read is no string, so it cannot be prior
	overwrite                       // whatever was written since the item was read
	setUser                         // the session is a user's
	fenced                          // only if nobody else holds the lock, and give it up
	variants    = 1 << iota
)

func variantOf(read *Item, w Write) (v variant) {
	if w.HasMaxAge {
		v |= setMaxAge
	}
	if w.User != "" {
		v |= setUser
	}
	if w.Token != "" {
		v |= fenced
	}
	if w.Overwrite {
		return v | overwrite
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
	// Without an index of users, an attribute of that name is somebody else's.
	if s.Index != "" {
		u.names["#user"] = attrUser
		if v&setUser != 0 {
			set = append(set, "user")
		} else {
			remove = append(remove, "#user")
		}
	}
	var clauses []string
	for _, name := range set {
		clauses = append(clauses, "#"+name+" = :"+name)
		u.namesSize += len(u.names["#"+name])
	}
	if v&(unversioned|foreign|overwrite) == 0 {
		clauses = append(clauses, "#prior = :read")
		u.namesSize += len(attrPrior)
		u.keepsRead = true
	} else {
		remove = append(remove, "#prior")
	}
	if v&fenced != 0 {
		u.names["#lock"], u.names["#lock_until"] = attrLock, attrLockUntil
		remove = append(remove, "#lock", "#lock_until")
	}
	u.update = "SET " + strings.Join(clauses, ", ")
	if len(remove) > 0 {
		u.update += " REMOVE " + strings.Join(remove, ", ")
	}
	switch {
	case v&overwrite != 0:
		// Protects a session that was deleted, or rotated: neither has data.
		u.condition = "attribute_exists(#data)"
	case v&unversioned != 0:
		// Protects what was written since, by whichever store.
		u.condition = "attribute_not_exists(#version) AND #data = :read"
	default:
		// Protects what was written since the item was read, and a session that was deleted since:
		// what is missing equals nothing.
		u.condition = "#version = :read"
	}
	if v&fenced != 0 {
		u.condition += " AND " + ifNotHeld
	}
	return u
}
