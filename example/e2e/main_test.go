// Package e2e drives the demo in headless Chromium, as its visitors do.
//
// It builds the demo with the race detector, starts it on a free port, and stops it as Ctrl-C does.
// It needs Chromium and npm, which fetches axe-core once.
package e2e

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// screenshots is where the tests leave screenshots, if it is not empty.
var screenshots = flag.String("screenshots", "", "write screenshots of the page into this `directory`, which exists")

// All tests share the demo and a browser, in which each test has profiles of its own.
var (
	site    string // the demo's URL, without a path
	browser context.Context
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	chromium, err := findChromium()
	if err != nil {
		return 0, err
	}
	scratch, err := os.MkdirTemp("", "dynamostore-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	demo, err := startDemo(scratch)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, demo.stop()) }()
	site = demo.url

	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium),
		chromedp.NoSandbox, // which root, as in a container, cannot have
		chromedp.DisableGPU,
	)...)
	defer cancel()
	browser, cancel = chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(browser); err != nil {
		return 0, fmt.Errorf("start %s: %w", chromium, err)
	}
	defer func() { err = errors.Join(err, chromedp.Cancel(browser)) }()
	return m.Run(), nil
}

// findChromium returns the path of the browser that $CHROMIUM names, or of an installed one.
func findChromium() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	if name := os.Getenv("CHROMIUM"); name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of the programs %q is installed; install Chromium (on Debian: apt-get install chromium), or set $CHROMIUM", names)
}

// demo is the running demo.
type demo struct {
	url    string
	cmd    *exec.Cmd
	output *bufio.Reader
}

// startDemo builds the demo into a directory and starts it.
func startDemo(dir string) (*demo, error) {
	program := filepath.Join(dir, "demo")
	build := exec.Command("go", "build", "-race", "-o", program, "./example")
	build.Dir = filepath.Join("..", "..")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the demo: %w\n%s", err, output)
	}
	d := &demo{cmd: exec.Command(program, "-addr", "localhost:0")}
	d.cmd.Stderr = os.Stderr
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the demo: %w", err)
	}
	d.output = bufio.NewReader(stdout)
	line, err := d.output.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		d.cmd.Process.Kill()
		return nil, fmt.Errorf("the demo printed %q, not where it listens: %w", line, errors.Join(err, d.cmd.Wait()))
	}
	d.url = url
	return d, nil
}

// stop ends the demo as Ctrl-C does. It returns an error if the demo failed, or had a data race.
func (d *demo) stop() error {
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop the demo: %w", err)
	}
	rest, err := io.ReadAll(d.output)
	if err := errors.Join(err, d.cmd.Wait()); err != nil {
		return fmt.Errorf("stop the demo: %w", err)
	}
	if string(rest) != "stopped\n" {
		return fmt.Errorf("the demo ended with the output %q, and not stopped", rest)
	}
	return nil
}
