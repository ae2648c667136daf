package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
)

var createCommand = command{
	name:    "create",
	summary: "create what is missing of the table: itself, TTL, the index of users",
	about: "Create makes the table, on demand, with TTL on -expires-attribute, and with -user-key the index of users,\n" +
		"and waits until they serve. To a table that exists it adds the index, and TTL if the table is empty. It does\n" +
		"not change a table of another form, but says what is wrong with it.",
	examples: []string{"create", "-table web-sessions -user-key user create", "-endpoint http://localhost:8000 create"},
	flags: func(*flag.FlagSet) action {
		return func(ctx context.Context, p *program, s *settings) error {
			_, store, err := s.store(ctx, p)
			if err != nil {
				return err
			}
			if err := store.EnsureTable(ctx); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "table %q is ready: %s\n", s.cfg.Table, s.form())
			return nil
		}
	},
}

// form says which form the table has.
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

var checkCommand = command{
	name:    "check",
	summary: "say all that is wrong with the table, and what mends it",
	about: "Check compares the table with the flags, and changes nothing. It prints each problem on a line of standard error,\n" +
		"with what mends it, and ends with status 1 if there is one. With -json, the problems are all in the object, on\n" +
		"standard output, also what keeps it from looking.",
	examples: []string{"check", "-table web-sessions -user-key user check -json"},
	flags: func(flags *flag.FlagSet) action {
		asJSON := jsonFlag(flags, `an object with the members "table", "ok" and "problems", a list of texts`)
		return func(ctx context.Context, p *program, s *settings) error {
			_, store, err := s.store(ctx, p)
			if err == nil {
				err = store.CheckTable(ctx)
			}
			if *asJSON {
				problems := []string{}
				if err != nil {
					problems = strings.Split(err.Error(), "\n")
				}
				if printErr := printJSON(p.stdout, map[string]any{"table": s.cfg.Table, "ok": err == nil, "problems": problems}); printErr != nil {
					return printErr
				}
				if err != nil {
					return errFound
				}
				return nil
			}
			if err == nil {
				fmt.Fprintf(p.stdout, "table %q is as it should be: %s\n", s.cfg.Table, s.form())
			}
			return err
		}
	},
}

// jsonFlag adds -json.
func jsonFlag(flags *flag.FlagSet, what string) *bool {
	return flags.Bool("json", false, "print JSON: "+what)
}

// printJSON prints a value on a line.
func printJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
