// Command sluice develops, runs and examines Sluice consumers on this machine.
//
//	go tool sluice demo     play the sample shop's story and check that nothing is lost
//	go tool sluice dev      run the stack locally, on one port, until interrupted
//	go tool sluice build    compile the handlers, reproducibly
//	go tool sluice invoke   run one event file against one handler
//
// # Exit codes
//
// 0: done, and what was asked holds. 1: it ran, and the answer is no (a demo
// that lost or doubled something, an invocation that failed). 2: the command
// line or its input is wrong. 3: it could not run (a build failed, a port is
// taken, a template is missing). 130: interrupted before it was done; dev, which
// runs until it is interrupted, then exits with 0.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit codes.
const (
	exitNo          = 1
	exitUsage       = 2
	exitCannot      = 3
	exitInterrupted = 130
)

// cli is the command line.
type cli struct {
	JSON     bool   `help:"Print one JSON object instead of text." name:"json"`
	Dir      string `help:"Directory of the module; default: the nearest go.mod above the working directory." type:"existingdir" placeholder:"DIR"`
	Template string `help:"Synthesized template to take the resources from; default: the one of the CDK app in infra/." type:"existingfile" placeholder:"FILE"`
	Verbose  bool   `help:"Print what the functions log." short:"v"`

	Demo   demoCmd   `cmd:"" help:"Play the sample shop's story on a virtual clock, with real handler binaries, and check that nothing is lost or doubled."`
	Dev    devCmd    `cmd:"" help:"Run the stack locally until interrupted: SQS, SNS, EventBridge and DynamoDB on one port, with the real handlers."`
	Build  buildCmd  `cmd:"" help:"Build every handler reproducibly to dist/<handler>/bootstrap."`
	Invoke invokeCmd `cmd:"" help:"Run one event file against one handler, as Lambda would."`
}

// app is what a command has besides its own flags.
type app struct {
	cli            *cli
	stdin          io.Reader
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)                                   // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) //nolint:gocritic // stop matters to a process that goes on
}

// run is main with its surroundings given.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("sluice"), kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code }),
		kong.Description("Develop, run and examine Sluice consumers on this machine. Exit codes: 0 done; 1 the answer is no; 2 wrong usage; 3 could not run."),
		kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(stderr, "sluice:", err)
		return exitCannot
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "sluice: %v\nRun `go tool sluice --help` for what there is.\n", err)
		return exitUsage
	}
	err = parsed.Run(&app{cli: &c, stdin: stdin, stdout: stdout, stderr: stderr})
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "sluice: interrupted")
		return exitInterrupted
	case errors.As(err, &exit):
		if exit.err != nil {
			fmt.Fprintf(stderr, "sluice: %v\n", exit.err)
		}
		return exit.code
	default:
		fmt.Fprintf(stderr, "sluice: %v\n", err)
		return exitCannot
	}
}

// exitError ends the command with a code of its own.
type exitError struct {
	code int
	err  error // nil if what it says was printed already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// say prints a line of progress, for people.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.stderr, format+"\n", args...)
}
