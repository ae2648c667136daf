package main

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
)

// A Store lists live sessions. This file reads the rest of the table, with the AWS SDK: expired
// sessions, and tombstones, which are what remains of sessions that ended, for a while.

// item is a session or a tombstone. A zero time is none.
type item struct {
	tombstone        bool
	created, expires time.Time
}

// isStored is the filter of items that are sessions or tombstones.
const isStored = "attribute_exists(#data) OR attribute_type(#gone, :string)"

// scan yields the service's items that meet filter, expired ones too; an empty filter is met by
// all.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
func (s *settings) scan(ctx context.Context, client *dynamodb.Client, filter string) iter.Seq2[item, error] {
	projection := "#key, #expires, #created, #gone"
	in := &dynamodb.ScanInput{
		TableName: &s.cfg.Table,
		ExpressionAttributeNames: map[string]string{
			"#key": s.cfg.KeyAttribute, "#expires": s.cfg.ExpiresAttribute, "#created": "created", "#gone": "gone",
		},
		ProjectionExpression: &projection,
	}
	if s.cfg.SortKeyAttribute != "" {
		projection += ", #sort"
		in.ExpressionAttributeNames["#sort"] = s.cfg.SortKeyAttribute
	}
	if filter != "" {
		in.FilterExpression = &filter
		in.ExpressionAttributeNames["#data"] = s.cfg.DataAttribute
		in.ExpressionAttributeValues = map[string]types.AttributeValue{":string": &types.AttributeValueMemberS{Value: "S"}}
	}
	return func(yield func(item, error) bool) {
		for pages := dynamodb.NewScanPaginator(client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(item{}, fmt.Errorf("scan table %q: %w", s.cfg.Table, err))
				return
			}
			for _, attrs := range page.Items {
				if i, ok := s.item(attrs); ok && !yield(i, nil) {
					return
				}
			}
		}
	}
}

// item returns an item, if it is one of the service's.
func (s *settings) item(attrs map[string]types.AttributeValue) (item, bool) {
	text := func(name string) string {
		v, _ := attrs[name].(*types.AttributeValueMemberS)
		if v == nil {
			return ""
		}
		return v.Value
	}
	// A prefix such as "app#" is not that of "app#two#".
	id, ok := strings.CutPrefix(text(s.cfg.KeyAttribute), s.cfg.KeyPrefix)
	last, _ := utf8.DecodeLastRuneInString(s.cfg.KeyPrefix)
	if !ok || s.cfg.KeyPrefix != "" && strings.ContainsRune(id, last) || text(s.cfg.SortKeyAttribute) != s.cfg.SortKeyValue {
		return item{}, false
	}
	return item{text("gone") != "", timeOf(attrs["created"]), timeOf(attrs[s.cfg.ExpiresAttribute])}, true
}

// timeOf returns the time that an attribute holds: seconds since 1970, or milliseconds, as other
// stores write, if the number is too large.
func timeOf(v types.AttributeValue) time.Time {
	const year10000 = 253402300800
	n, _ := v.(*types.AttributeValueMemberN)
	if n == nil {
		return time.Time{}
	}
	seconds, _ := strconv.ParseFloat(n.Value, 64) // an N is a number
	if seconds >= year10000 {
		seconds /= 1000
	}
	return time.Unix(int64(max(0, min(seconds, year10000-1))), 0)
}

const aboutNames = "It ends with status 1 if a name seems to be wrong, because no session would ever be found, or ever end: if the table\n" +
	"holds items, and none of them has the -data-attribute, or if none of its sessions has the -expires-attribute."

// checkNames returns an error if the table's items show that a name that the flags give is wrong.
// It scans the table until it finds a session that has an end.
func (s *settings) checkNames(ctx context.Context, client *dynamodb.Client, store *dynamostore.Store) error {
	// The Store says what keeps it from scanning, and whether the keys have other names.
	for info, err := range store.Sessions(ctx) {
		if err != nil || !info.Expires.IsZero() {
			return err
		}
	}
	found := false
	for i, err := range s.scan(ctx, client, isStored) {
		if err != nil || !i.tombstone && !i.expires.IsZero() {
			return err
		}
		found = found || !i.tombstone
	}
	if found {
		return fmt.Errorf("table %q: none of its sessions has a number in the attribute %q, so none would ever end; set -expires-attribute to the name that the service uses", s.cfg.Table, s.cfg.ExpiresAttribute)
	}
	for i, err := range s.scan(ctx, client, "") {
		if err != nil {
			return err
		}
		if !i.tombstone {
			return fmt.Errorf("table %q: none of its items has the attribute %q, so none is a session; set -data-attribute to the name that the service uses", s.cfg.Table, s.cfg.DataAttribute)
		}
	}
	return nil
}
