package main

import (
	"context"
	"encoding/json"
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

// features are all there are. docs/operating.md has the same table.
var features = []feature{
	{name: "save", what: "Get, New, Save", table: []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem"}},
	// TransactWriteItems has no action of its own, but needs those of its parts.
	{name: "regenerate", what: "Regenerate", table: []string{"GetItem", "PutItem", "UpdateItem"}},
	{name: "users", what: "UserSessions, DestroyUser, Destroy", table: []string{"DeleteItem"}, index: []string{"Query"}},
	{name: "list", what: "Sessions", table: []string{"Scan"}},
	{name: "check", what: "CheckTable", table: []string{"DescribeTable", "DescribeTimeToLive"}},
	{name: "create", what: "EnsureTable", table: []string{"DescribeTable", "DescribeTimeToLive", "CreateTable", "UpdateTable", "UpdateTimeToLive", "Scan"}},
	{name: "purge", what: "PurgeExpired", table: []string{"Scan", "DeleteItem"}},
}

var policyCommand = command{
	name:    "policy",
	summary: "print the IAM policy that a service needs",
	about: "Policy prints the least IAM policy for some features of dynamostore on the table. It takes the table's ARN from -table,\n" +
		"or makes it of -region and -account, or asks DynamoDB for it (DescribeTable).\n\nFeatures:\n\n" + featureList(),
	examples: []string{
		"-region eu-central-1 policy -account 123456789012",
		"-table arn:aws:dynamodb:eu-central-1:123456789012:table/sessions policy -features save,regenerate,users,check",
	},
	flags: func(flags *flag.FlagSet) action {
		list := flags.String("features", "save,regenerate", "what the service does, as `names` with commas between")
		account := flags.String("account", "", "`number` of the AWS account")
		return func(ctx context.Context, p *program, s *settings) error {
			chosen, err := choose(*list)
			if err != nil {
				return err
			}
			arn, err := s.arn(ctx, p, *account)
			if err != nil {
				return err
			}
			out := json.NewEncoder(p.stdout)
			out.SetIndent("", "  ")
			return out.Encode(policyFor(arn, s.cfg.UserIndex, chosen))
		}
	},
}

func featureList() string {
	var b strings.Builder
	for _, f := range features {
		fmt.Fprintf(&b, "  %-10s  %s\n", f.name, f.what)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func choose(list string) ([]feature, error) {
	var chosen []feature
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(features, func(f feature) bool { return f.name == name })
		if i < 0 {
			return nil, usagef("policy: -features: %q is none: see admin policy -help", name)
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
		return "", usagef("policy: -account: %q is no number of an AWS account: give its 12 digits", account)
	}
	client, err := s.client(ctx, p)
	if err != nil {
		return "", err
	}
	if account != "" {
		region := client.Options().Region
		return fmt.Sprintf("arn:%s:dynamodb:%s:%s:table/%s", partition(region), region, account, s.cfg.Table), nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.cfg.Table})
	const instead = "policy: give -account and -region, or have DynamoDB tell the ARN"
	if err != nil {
		return "", fmt.Errorf(instead+": %w", s.records(client).Explained("look at", "DescribeTable", err))
	}
	if out.Table == nil || aws.ToString(out.Table.TableArn) == "" {
		return "", fmt.Errorf(instead+": the answer for table %q has none: is the endpoint DynamoDB?", s.cfg.Table)
	}
	return *out.Table.TableArn, nil
}

// partition is the part of AWS in which a region lies.
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

func policyFor(arn, index string, chosen []feature) policy {
	p := policy{Version: "2012-10-17"}
	add := func(resource string, actions func(feature) []string) {
		s := statement{Effect: "Allow", Resource: resource}
		for _, f := range chosen {
			for _, a := range actions(f) {
				if a = "dynamodb:" + a; !slices.Contains(s.Action, a) {
					s.Action = append(s.Action, a)
				}
			}
		}
		if s.Action != nil {
			p.Statement = append(p.Statement, s)
		}
	}
	add(arn, func(f feature) []string { return f.table })
	add(arn+"/index/"+index, func(f feature) []string { return f.index })
	return p
}
