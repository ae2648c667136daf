package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// aboutNames tells in the help of the commands that scan the table what they make of wrong names.
const aboutNames = "It ends with status 1, and says so, if an item has no key of the names that the flags give, or if the table holds\n" +
	"items, and none of them has the -data-attribute, or none of its sessions the -expires-attribute: the name is wrong,\n" +
	"most likely, and no session would ever be found, or ever end."

// doubt is checkNames after a scan that counted t.
func (s *settings) doubt(ctx context.Context, client *dynamodb.Client, t *tally) error {
	if t.Expired > 0 || t.Live > t.WithoutEnd {
		return nil // a session with data and an end
	}
	return s.checkNames(ctx, client)
}

// checkNames returns an error if the table's items show that a name that the flags give is wrong: that of
// the sessions' data, or that of their end. It scans the table until it finds that both are right.
func (s *settings) checkNames(ctx context.Context, client *dynamodb.Client) error {
	table := s.records(client)
	session, end := false, false
	for page, err := range table.Pages(ctx, 0, 1, requestTimeout) {
		if err != nil {
			return err
		}
		for _, e := range page {
			session = session || !e.Item.Moved
			end = end || e.Item.HasExpires
		}
		if session && end {
			return nil
		}
	}
	if session {
		return fmt.Errorf("table %q: none of its sessions has a number in the attribute %q, so none would ever end: is -expires-attribute the service's Config.ExpiresAttribute?", s.cfg.Table, s.cfg.ExpiresAttribute)
	}
	others, err := table.HoldsOthers(ctx, requestTimeout)
	if err == nil && others {
		err = fmt.Errorf("table %q: it holds items, and none of them has the attribute %q, so none is a session: is -data-attribute the service's Config.DataAttribute?", s.cfg.Table, s.cfg.DataAttribute)
	}
	return err
}
