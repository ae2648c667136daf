package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
)

var purgeCommand = command{
	name:    "purge",
	summary: "delete expired sessions, where TTL cannot be used or is too slow",
	about: "Purge scans the table, and deletes expired sessions and tombstones, each only if it is still expired. It can be\n" +
		"interrupted and run again, and prints its progress on standard error. It reads the whole table, which costs a read\n" +
		"unit for each 8 KB, and before that as far as the first live session. A deletion costs a write unit for each KB\n" +
		"of the item.\n\n" +
		"It refuses an -expires-attribute that is not the table's TTL attribute, since an attribute that holds another\n" +
		"time, such as that of the last login, would have it delete live sessions. If TTL is off, it accepts the default.\n\n" +
		`With -json, it prints an object with the members "scanned", "deleted" and "kept"; with -dry-run, "expired" instead` + "\n" +
		"of \"deleted\".\n\n" + aboutNames,
	examples: []string{"purge -dry-run", "purge -per-second 100", "-table web-sessions -timeout 1h purge -parallel 8"},
	flags: func(flags *flag.FlagSet) action {
		dryRun := flags.Bool("dry-run", false, "count what has expired, and delete nothing")
		parallel := flags.Uint("parallel", 1, "`number` of segments of the table to scan at once, up to 1000")
		perSecond := flags.Uint("per-second", 0, "the most `deletions` in a second, over all segments; 0 for no limit")
		trust := flags.Bool("trust-expires-attribute", false, "do not compare -expires-attribute with the table's TTL attribute")
		return func(ctx context.Context, p *program, s *settings) error {
			if *parallel > 1000 {
				return usagef("purge: -parallel: %d segments; want up to 1000", *parallel)
			}
			client, store, err := s.open(ctx, p)
			if err != nil {
				return err
			}
			if err := s.checkNames(ctx, client, store); err != nil {
				return err
			}
			if !*trust {
				if err := s.checkTTL(ctx, client); err != nil {
					return err
				}
			}
			did := "deleted"
			if *dryRun {
				did = "expired"
				if store, err = s.storeOn(readOnly{client}); err != nil {
					return err
				}
			}
			stats, err := store.PurgeExpired(ctx, dynamostore.PurgeOptions{Parallel: int(*parallel), PerSecond: int(*perSecond), Progress: p.progress(did)})
			// What was done before an error is told, too.
			if s.json {
				return errors.Join(printJSON(p.stdout, map[string]int{"scanned": stats.Scanned, did: stats.Deleted, "kept": stats.Kept}), err)
			}
			fmt.Fprintf(p.stdout, "scanned %d, %s %d, kept %d\n", stats.Scanned, did, stats.Deleted, stats.Kept)
			return err
		}
	},
}

// readOnly is a client that deletes nothing, and says that it has.
type readOnly struct{ *dynamodb.Client }

// DeleteItem does nothing.
func (readOnly) DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return &dynamodb.DeleteItemOutput{}, nil
}

// checkTTL returns an error if TTL is on for another attribute than -expires-attribute, or if TTL
// is off and nothing else confirms that the attribute holds the sessions' end.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html
func (s *settings) checkTTL(ctx context.Context, client *dynamodb.Client) error {
	const trust = "give -trust-expires-attribute if it holds the end of a session"
	out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.cfg.Table})
	if err != nil {
		return fmt.Errorf("table %q: it is not known whether %q is the TTL attribute; add the permission dynamodb:DescribeTimeToLive, or "+trust+": %w", s.cfg.Table, s.cfg.ExpiresAttribute, err)
	}
	attribute := ""
	if ttl := out.TimeToLiveDescription; ttl != nil && ttl.TimeToLiveStatus != types.TimeToLiveStatusDisabled {
		attribute = aws.ToString(ttl.AttributeName)
	}
	switch {
	case attribute == s.cfg.ExpiresAttribute || attribute == "" && s.cfg.ExpiresAttribute == defaultExpires:
		return nil
	case attribute == "":
		return fmt.Errorf("table %q: TTL is off, so it is not known whether %q is right, and live sessions could be deleted; "+trust, s.cfg.Table, s.cfg.ExpiresAttribute)
	}
	return fmt.Errorf("table %q: the TTL attribute is %q, and not %q, so live sessions could be deleted; set -expires-attribute to %[2]q, or "+trust, s.cfg.Table, attribute, s.cfg.ExpiresAttribute)
}

// progress returns a function that prints what a purge did, every few seconds.
func (p *program) progress(did string) func(dynamostore.PurgeStats) {
	var printed time.Time
	return func(stats dynamostore.PurgeStats) {
		if time.Since(printed) >= 5*time.Second {
			printed = time.Now()
			fmt.Fprintf(p.stderr, "scanned %d, %s %d so far\n", stats.Scanned, did, stats.Deleted)
		}
	}
}
