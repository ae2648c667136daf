package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"example.com/dynamostore"
)

var createCommand = command{
	name:    "create",
	summary: "create what is missing: the table, TTL, the index of users",
	about: "Create creates the table, on demand, with TTL on -expires-attribute and, with -user-key, the index of users,\n" +
		"and waits until they can be used. To an existing table it adds the index, and TTL if the table is empty. It\n" +
		"does not change a table of another form, but says what is wrong with it.\n\n" + aboutReport,
	examples: []string{"create", "-table web-sessions -user-key user create", "-endpoint http://localhost:8000 create"},
	flags: func(*flag.FlagSet) action {
		return func(ctx context.Context, p *program, s *settings) error {
			return s.report(ctx, p, "is ready", (*dynamostore.Store).EnsureTable)
		}
	},
}

var checkCommand = command{
	name:     "check",
	summary:  "say what is wrong with the table, and how to fix it",
	about:    "Check compares the table with the flags, and changes nothing.\n\n" + aboutReport,
	examples: []string{"check", "-table web-sessions -user-key user check -json"},
	flags: func(*flag.FlagSet) action {
		return func(ctx context.Context, p *program, s *settings) error {
			return s.report(ctx, p, "is as it should be", (*dynamostore.Store).CheckTable)
		}
	},
}

const aboutReport = "It prints each problem on a line of standard error, and ends with status 1 if there is one. With -json, it\n" +
	`prints an object on standard output, with the members "table", "ok" and "problems", a list of texts, which` + "\n" +
	"also hold what kept it from looking."

// report prints the problems that call finds, or that there are none.
func (s *settings) report(ctx context.Context, p *program, good string, call func(*dynamostore.Store, context.Context) error) error {
	_, store, err := s.open(ctx, p)
	if err == nil {
		err = call(store, ctx)
	}
	if !s.json {
		if err == nil {
			fmt.Fprintf(p.stdout, "table %q %s: %s\n", s.cfg.Table, good, s.form())
		}
		return err
	}
	found, failed := []string{}, error(nil)
	if err != nil {
		found, failed = problems(err), errReported
	}
	return errors.Join(printJSON(p.stdout, map[string]any{"table": s.cfg.Table, "ok": err == nil, "problems": found}), failed)
}

// form describes the table.
func (s *settings) form() string {
	form := fmt.Sprintf("partition key %q", s.cfg.KeyAttribute)
	if s.cfg.SortKeyAttribute != "" {
		form += fmt.Sprintf(", sort key %q", s.cfg.SortKeyAttribute)
	}
	form += fmt.Sprintf(", TTL on %q", s.cfg.ExpiresAttribute)
	if s.cfg.UserKey != "" {
		form += fmt.Sprintf(", index %q", s.cfg.UserIndex)
	}
	return form
}
