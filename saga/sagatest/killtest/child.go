package killtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// childEnv, in the environment, makes a test binary a child: its value is the child's name and
// arguments, as a JSON array.
const childEnv = "ATONE_TEST_CHILD"

// Children are what a test binary can be started as, by name. A function gets the arguments of
// [Start]; when it returns, the child ends.
type Children map[string]func(args []string) error

// BeChild returns at once in the process of the tests. In a child it calls the child's function and
// ends the process: with code 0, or with code 1 after the error was printed. TestMain calls it
// first.
func BeChild(children Children) {
	text, ok := os.LookupEnv(childEnv)
	if !ok {
		return
	}
	var words []string
	err := json.Unmarshal([]byte(text), &words)
	if err == nil && (len(words) == 0 || children[words[0]] == nil) {
		err = fmt.Errorf("%s is %q: TestMain knows no such child", childEnv, text)
	}
	if err == nil {
		err = children[words[0]](words[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Child is a process that a test has started.
type Child struct {
	// Stdin is the child's standard input. A child that ends in order does so when it is closed.
	Stdin io.WriteCloser

	name   string
	cmd    *exec.Cmd
	lines  *bufio.Reader
	stderr output
}

// output keeps what a child prints while others look at it.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// Start starts the test's binary as the child of that name, see [Children]. The child is killed
// with the test, if it still lives.
func Start(t testing.TB, name string, args ...string) *Child {
	t.Helper()
	return StartWith(t, nil, name, args...)
}

// StartWith is [Start] with files that the child inherits, as file descriptors from 3 on.
func StartWith(t testing.TB, files []*os.File, name string, args ...string) *Child {
	t.Helper()
	words, err := json.Marshal(append([]string{name}, args...))
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)
	c := &Child{name: name, cmd: exec.Command(exe, "-test.run=^$")}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(words))
	c.cmd.ExtraFiles = files
	c.cmd.Stderr = &c.stderr
	c.Stdin, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	// A pipe of our own: what the child said before it was killed can still be read.
	out, in, err := os.Pipe()
	require.NoError(t, err)
	c.lines, c.cmd.Stdout = bufio.NewReader(out), in
	err = c.cmd.Start()
	_ = in.Close() // the child has it
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = out.Close()
		if c.cmd.ProcessState == nil {
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait() // "signal: killed", as it should be
		}
	})
	return c
}

// Line returns the next line that the child prints, without its end, and [io.EOF] after the last
// one. What a child said before it was killed can be read after the kill.
func (c *Child) Line() (string, error) {
	line, err := c.lines.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// Says requires that the next line which the child prints is this one.
func (c *Child) Says(t testing.TB, want string) {
	t.Helper()
	line, err := c.Line()
	if err != nil || line != want {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		t.Fatalf("the child %s should have said %q and said %q (%v)\n%s", c.name, want, line, err, c.Stderr())
	}
}

// Stderr returns what the child has printed to its standard error so far.
func (c *Child) Stderr() string {
	c.stderr.mu.Lock()
	defer c.stderr.mu.Unlock()
	return c.stderr.text.String()
}

// Kill kills the child with -9, and requires that it had not ended by itself.
func (c *Child) Kill(t testing.TB) {
	t.Helper()
	killed := c.cmd.Process.Kill()
	ended := c.cmd.Wait()
	var exit *exec.ExitError
	if killed != nil || !errors.As(ended, &exit) || exit.String() != "signal: killed" {
		t.Fatalf("the child %s ended by itself: %v, %v\n%s", c.name, killed, ended, c.Stderr())
	}
}

// End closes the child's standard input and requires that the child ends without an error.
func (c *Child) End(t testing.TB) {
	t.Helper()
	_ = c.Stdin.Close() // a child that has ended already has closed it
	require.NoError(t, c.cmd.Wait(), "the child %s: %s", c.name, c.Stderr())
}
