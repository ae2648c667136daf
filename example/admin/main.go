// Command admin looks after the table of a service that keeps its sessions by dynamostore:
//
//	go run ./example/admin -table sessions create
//	go run ./example/admin -table sessions check
//	go run ./example/admin -table sessions stats
//	go run ./example/admin -table sessions list -user ann
//	go run ./example/admin -table sessions sign-out -user ann
//	go run ./example/admin -table sessions purge -dry-run
//	go run ./example/admin -table sessions policy -features save,regenerate,users
//
// It works on the default AWS configuration, as other AWS tools do, and with -endpoint on any other DynamoDB,
// such as DynamoDB Local. It needs no key of the service's cookies. It ends with status 0 if all went well, 1 if
// something failed or is wrong with the table, and 2 if it was called wrongly.
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
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	p := program{stdout: os.Stdout, stderr: os.Stderr, terminal: isTerminal(os.Stderr)}
	os.Exit(p.run(ctx, os.Args[1:]))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// The program's exit status.
const (
	statusOK     = 0
	statusFailed = 1 // something failed, or is wrong with the table
	statusUsage  = 2 // the program was called wrongly
)

// program is what the program has of the outside world.
type program struct {
	stdout, stderr io.Writer
	terminal       bool              // stderr is a terminal
	transport      http.RoundTripper // to DynamoDB; nil: the network
}

// A command is what the first argument that is no flag names.
type command struct {
	name     string
	summary  string
	about    string
	examples []string
	// flags adds the command's flags, and returns what carries the command out with them.
	flags func(*flag.FlagSet) action
}

type action func(context.Context, *program, *settings) error

func commands() []command {
	return []command{createCommand, checkCommand, statsCommand, listCommand, signOutCommand, purgeCommand, policyCommand}
}

// usageError is an error in how the program was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errFound says that a command found something wrong, and has told it itself.
var errFound = errors.New("problems were found")

// run carries out what the arguments say and returns the exit status. Each error is one line.
func (p *program) run(ctx context.Context, args []string) int {
	err := p.carryOut(ctx, args)
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return statusOK
	case errors.Is(err, errFound):
		return statusFailed
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(p.stderr, "admin:", line)
	}
	if errors.As(err, &usage) {
		return statusUsage
	}
	return statusFailed
}

func (p *program) carryOut(ctx context.Context, args []string) error {
	s := defaults()
	global := flag.NewFlagSet("admin", flag.ContinueOnError)
	s.register(global)
	if err := parse(global, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			p.usage(p.stdout, global)
			return err
		}
		return usagef("%w: see admin -help", err)
	}
	args = global.Args()
	if len(args) == 0 {
		p.usage(p.stderr, global)
		return usagef("give a command, such as check")
	}
	name, args := args[0], args[1:]
	if name == "help" {
		if len(args) == 0 {
			p.usage(p.stdout, global)
			return nil
		}
		name, args = args[0], []string{"-help"}
	}
	for _, c := range commands() {
		if c.name == name {
			return p.command(ctx, c, s, args)
		}
	}
	return usagef("%q is no command: see admin -help", name)
}

// command carries out one command, with the rest of the arguments. What stands behind it may be a flag
// that could stand before it as well.
func (p *program) command(ctx context.Context, c command, s *settings, args []string) error {
	own := flag.NewFlagSet(c.name, flag.ContinueOnError)
	act := c.flags(own)
	common := flag.NewFlagSet(c.name, flag.ContinueOnError)
	s.register(common)
	all := flag.NewFlagSet(c.name, flag.ContinueOnError)
	for _, set := range []*flag.FlagSet{own, common} {
		set.VisitAll(func(f *flag.Flag) { all.Var(f.Value, f.Name, f.Usage) })
	}
	if err := parse(all, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			c.usage(p.stdout, own, common)
			return err
		}
		return usagef("%s: %w: see admin %[1]s -help", c.name, err)
	}
	if all.NArg() > 0 {
		return usagef("%s: %q is no flag: see admin %[1]s -help", c.name, all.Arg(0))
	}
	if err := s.check(); err != nil {
		return err
	}
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	return act(ctx, p, s)
}

// parse leaves it to the caller to tell the error.
func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	if err := swallowed(flags, args); err != nil {
		return err
	}
	return flags.Parse(args)
}

// swallowed returns an error if the value of a flag that takes a text looks like the next flag, as in
// "-user -dry-run", which package flag takes for a user named "-dry-run".
func swallowed(flags *flag.FlagSet, args []string) error {
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "-")
		name = strings.TrimPrefix(name, "-")
		if !ok || name == "" {
			return nil // the flags end here
		}
		f := flags.Lookup(name)
		if f == nil {
			continue // -name=value, or none, which Parse tells
		}
		switch value := f.Value.(type) {
		case interface{ IsBoolFlag() bool }:
			continue
		case flag.Getter:
			if _, isText := value.Get().(string); !isText {
				i++
				continue // -5s is a duration
			}
		}
		if i++; i < len(args) && strings.HasPrefix(args[i], "-") {
			return fmt.Errorf("-%s: %q looks like a flag: write -%[1]s=%[2]s if it is the value", name, args[i])
		}
	}
	return nil
}

func (p *program) usage(w io.Writer, global *flag.FlagSet) {
	fmt.Fprint(w, "Admin looks after the DynamoDB table of a service that keeps its sessions by dynamostore.\n\n"+
		"Usage: admin [flags] command [flags]\n\nCommands:\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nadmin help COMMAND tells more of one.\n\n"+
		"It ends with status 0 if all went well, 1 if something failed or is wrong with the table, and 2 if it was\ncalled wrongly.\n\n"+
		"Flags, before or behind the command, which are those of the service's dynamostore.Config:\n\n")
	global.SetOutput(w)
	global.PrintDefaults()
}

func (c command) usage(w io.Writer, own, common *flag.FlagSet) {
	fmt.Fprintf(w, "Usage: admin [flags] %s [flags]\n\n%s\n\nExamples:\n\n", c.name, c.about)
	for _, example := range c.examples {
		fmt.Fprintf(w, "  admin %s\n", example)
	}
	n := 0
	own.VisitAll(func(*flag.Flag) { n++ })
	if n > 0 {
		fmt.Fprint(w, "\nFlags:\n\n")
		own.SetOutput(w)
		own.PrintDefaults()
	}
	fmt.Fprint(w, "\nFlags of all commands:\n\n")
	common.SetOutput(w)
	common.PrintDefaults()
}
