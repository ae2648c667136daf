package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// feature is a part of dynamostore, with the IAM actions that it needs.
type feature struct {
	name  string
	what  string
	table []string // on the table
	index []string // on the index of users
}

// docs/operating.md has the same table.
var features = []feature{
	{name: "save", what: "Get, New, Peek, Save", table: []string{"GetItem", "PutItem", "UpdateItem"}},
	// TransactWriteItems has no action of its own, but needs those of its parts.
	{name: "regenerate", what: "Regenerate", table: []string{"GetItem", "PutItem", "UpdateItem"}},
	{name: "update", what: "Load, Update, UpdateUser", table: []string{"GetItem", "UpdateItem"}, index: []string{"Query"}},
	{name: "users", what: "UserSessions, DestroyUser, Destroy", table: []string{"GetItem", "UpdateItem"}, index: []string{"Query"}},
	{name: "list", what: "Sessions", table: []string{"Scan"}},
	{name: "check", what: "CheckTable", table: []string{"DescribeTable", "DescribeTimeToLive"}},
	{name: "create", what: "EnsureTable", table: []string{"DescribeTable", "DescribeTimeToLive", "CreateTable", "UpdateTable", "UpdateTimeToLive", "Scan"}},
	{name: "purge", what: "PurgeExpired", table: []string{"Scan", "DeleteItem"}},
}

var policyCommand = command{
	name:    "policy",
	summary: "print the IAM policy that a service needs",
	about: "Policy prints the least IAM policy for some features of dynamostore on the table. It takes the table's ARN from\n" +
		"-table, or makes it of -region and -account, or asks DynamoDB for it (DescribeTable).\n\nFeatures:\n\n" + featureList(),
	examples: []string{
		"-region eu-central-1 policy -account 123456789012",
		"-table arn:aws:dynamodb:eu-central-1:123456789012:table/sessions policy -features save,regenerate,users,check",
	},
	flags: func(flags *flag.FlagSet) action {
		list := flags.String("features", "save,regenerate", "what the service does, as `names` separated by commas")
		account := flags.String("account", "", "`number` of the AWS account")
		return func(ctx context.Context, p *program, s *settings) error {
			chosen, err := chooseFeatures(*list)
			if err != nil {
				return err
			}
			arn, err := s.arn(ctx, p, *account)
			if err != nil {
				return err
			}
			out := json.NewEncoder(p.stdout)
			out.SetIndent("", "  ")
			return out.Encode(newPolicy(arn, s.cfg.UserIndex, chosen))
		}
	},
}

func featureList() string {
	var lines []string
	for _, f := range features {
		lines = append(lines, fmt.Sprintf("  %-10s  %s", f.name, f.what))
	}
	return strings.Join(lines, "\n")
}

func chooseFeatures(list string) ([]feature, error) {
	var chosen []feature
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(features, func(f feature) bool { return f.name == name })
		if i < 0 {
			return nil, usagef("policy: -features: there is no feature %q; see admin policy -help", name)
		}
		chosen = append(chosen, features[i])
	}
	return chosen, nil
}

var accountNumber = regexp.MustCompile(`^[0-9]{12}$`)

// arn returns the table's ARN.
func (s *settings) arn(ctx context.Context, p *program, account string) (string, error) {
	switch {
	case strings.HasPrefix(s.cfg.Table, "arn:"):
		return s.cfg.Table, nil
	case account != "" && !accountNumber.MatchString(account):
		return "", usagef("policy: -account: %q is not the number of an AWS account; want 12 digits", account)
	}
	client, store, err := s.open(ctx, p)
	if err != nil {
		return "", err
	}
	if account != "" {
		region := client.Options().Region
		return fmt.Sprintf("arn:%s:dynamodb:%s:%s:table/%s", partition(region), region, account, s.cfg.Table), nil
	}
	out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.cfg.Table})
	if err == nil && out.Table != nil && aws.ToString(out.Table.TableArn) != "" {
		return *out.Table.TableArn, nil
	}
	err = cmp.Or(store.CheckTable(ctx), err, errors.New("the response does not hold it")) // the first says how to fix it
	return "", fmt.Errorf("policy: DynamoDB did not tell the ARN of table %q; give -account and -region instead: %w", s.cfg.Table, err)
}

// partition returns the part of AWS that a region is in.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// policy is an IAM policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect   string
	Action   []string
	Resource string
}

func newPolicy(arn, index string, chosen []feature) policy {
	table := statement{Effect: "Allow", Resource: arn}
	users := statement{Effect: "Allow", Resource: arn + "/index/" + index}
	for _, f := range chosen {
		table.allow(f.table)
		users.allow(f.index)
	}
	return policy{"2012-10-17", slices.DeleteFunc([]statement{table, users}, func(s statement) bool { return s.Action == nil })}
}

func (s *statement) allow(operations []string) {
	for _, operation := range operations {
		if action := "dynamodb:" + operation; !slices.Contains(s.Action, action) {
			s.Action = append(s.Action, action)
		}
	}
}
