// Command admin looks after the table of a service that keeps its sessions in dynamostore:
//
//	go run ./example/admin -table sessions create
//	go run ./example/admin -table sessions check
//	go run ./example/admin -table sessions stats
//	go run ./example/admin -table sessions list -user ann
//	go run ./example/admin -table sessions sign-out -user ann
//	go run ./example/admin -table sessions purge -dry-run
//	go run ./example/admin -table sessions policy -features save,regenerate,users
//
// It uses the default AWS configuration, as other AWS tools do, or with -endpoint any other
// DynamoDB, such as DynamoDB Local. It needs none of the service's keys, and shows no session ID.
// The exit status is 0 if all went well, 1 if something failed or is wrong with the table, and 2 if
// the arguments are wrong.
//
// It is written against dynamostore's public API and the AWS SDK, so that it can be copied.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	p := program{stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is the program's environment.
type program struct {
	stdout, stderr io.Writer
	transport      http.RoundTripper // to DynamoDB; nil: the network
}

type command struct {
	name     string
	summary  string
	about    string
	examples []string
	// flags adds the command's flags, and returns what runs the command with their values.
	flags func(*flag.FlagSet) action
}

type action func(context.Context, *program, *settings) error

func commands() []command {
	return []command{createCommand, checkCommand, statsCommand, listCommand, signOutCommand, purgeCommand, policyCommand}
}

// usageError is an error in the arguments.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errReported means that a command failed and has printed why.
var errReported = errors.New("the command failed")

// run runs the command that the arguments name, prints its error, a line for each problem, and
// returns the exit status.
func (p *program) run(ctx context.Context, args []string) int {
	err := p.dispatch(ctx, args)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errReported):
		return 1
	}
	for _, problem := range problems(err) {
		fmt.Fprintln(p.stderr, "admin:", escape(problem))
	}
	if usage := new(usageError); errors.As(err, usage) {
		return 2
	}
	return 1
}

// problems returns the text of an error, a line for each problem, with the flags and commands of
// this program in place of dynamostore's names.
func problems(err error) []string {
	return strings.Split(ownNames.Replace(err.Error()), "\n")
}

// ownNames replaces dynamostore's names.
var ownNames = strings.NewReplacer(
	"dynamostore: ", "",
	"EnsureTable", "admin create",
	"CheckTable", "admin check",
	"PurgeExpired", "admin purge",
	"UserSessions and DestroyUser", "admin list and admin sign-out",
	"the client's region", "-region",
	"Config.Table", "-table",
	"Config.KeyAttribute", "-key-attribute",
	"Config.KeyPrefix", "-key-prefix",
	"Config.SortKeyAttribute", "-sort-key-attribute",
	"Config.SortKeyValue", "-sort-key-value",
	"Config.DataAttribute", "-data-attribute",
	"Config.ExpiresAttribute", "-expires-attribute",
	"Config.UserKey", "-user-key",
	"Config.UserIndex", "-user-index",
	"Config.MaxLifetime", "-max-lifetime",
	"SortKeyAttribute", "-sort-key-attribute",
	"SortKeyValue", "-sort-key-value",
)

func (p *program) dispatch(ctx context.Context, args []string) error {
	s := defaults()
	global := flag.NewFlagSet("admin", flag.ContinueOnError)
	s.register(global)
	if err := parse(global, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			usage(p.stdout, global)
			return err
		}
		return usagef("%w; see admin -help", err)
	}
	if global.NArg() == 0 {
		return usagef("the command is missing; see admin -help")
	}
	name, args := global.Arg(0), global.Args()[1:]
	if name == "help" {
		return p.dispatch(ctx, append(args, "-help"))
	}
	for _, c := range commands() {
		if c.name == name {
			return p.runCommand(ctx, c, s, args)
		}
	}
	return usagef("there is no command %q; see admin -help", name)
}

// runCommand runs a command with the arguments that follow its name. The flags of all commands may
// be among them.
func (p *program) runCommand(ctx context.Context, c command, s *settings, args []string) error {
	own := flag.NewFlagSet(c.name, flag.ContinueOnError)
	run := c.flags(own)
	all := flag.NewFlagSet(c.name, flag.ContinueOnError)
	s.register(all)
	own.VisitAll(func(f *flag.Flag) { all.Var(f.Value, f.Name, f.Usage) })
	if err := parse(all, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			c.usage(p.stdout, own)
			return err
		}
		return usagef("%s: %w; see admin %[1]s -help", c.name, err)
	}
	if all.NArg() > 0 {
		return usagef("%s: %q is not a flag; see admin %[1]s -help", c.name, all.Arg(0))
	}
	if err := s.check(); err != nil {
		return err
	}
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	return run(ctx, p, s)
}

// parse parses flags, and leaves it to the caller to print the error. It refuses a value that looks
// like the next flag: in "-user -dry-run", the value is missing.
func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	err := flags.Parse(args)
	flags.Visit(func(f *flag.Flag) {
		getter, _ := f.Value.(flag.Getter)
		if getter == nil {
			return
		}
		value, _ := getter.Get().(string)
		if strings.HasPrefix(value, "-") && !slices.Contains(args, "-"+f.Name+"="+value) && !slices.Contains(args, "--"+f.Name+"="+value) {
			err = fmt.Errorf("the value of -%s looks like a flag, %q; write -%[1]s=%[2]s if it is the value", f.Name, value)
		}
	})
	return err
}

func usage(w io.Writer, global *flag.FlagSet) {
	fmt.Fprint(w, "Admin looks after the DynamoDB table of a service that keeps its sessions in dynamostore.\n\n"+
		"Usage: admin [flags] command [flags]\n\nCommands:\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nadmin help COMMAND tells more about one.\n\n"+
		"The exit status is 0 if all went well, 1 if something failed or is wrong with the table, and 2 if the\narguments are wrong.\n\n"+
		"Flags, before or after the command; the names are those of the service's dynamostore.Config:\n\n")
	global.SetOutput(w)
	global.PrintDefaults()
}

func (c command) usage(w io.Writer, own *flag.FlagSet) {
	fmt.Fprintf(w, "Usage: admin [flags] %s [flags]\n\n%s\n\nExamples:\n\n", c.name, c.about)
	for _, example := range c.examples {
		fmt.Fprintf(w, "  admin %s\n", example)
	}
	hasOwn := false
	own.VisitAll(func(*flag.Flag) { hasOwn = true })
	if hasOwn {
		fmt.Fprint(w, "\nFlags, besides those of admin -help:\n\n")
		own.SetOutput(w)
		own.PrintDefaults()
	}
}
