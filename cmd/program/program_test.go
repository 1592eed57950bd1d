package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/act"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type payload struct {
	N      int    `json:"n"`
	Secret string `json:"secret,omitempty" atone:"secret"`
}

// testApp has a saga that does what its input says, and counts what it did.
func testApp() App {
	once := saga.Retry{MaxAttempts: 1}
	double := &saga.Action[payload, payload]{Name: "double", Description: "double a number", Retry: once, UndoRetry: once,
		Do: func(_ context.Context, p payload) (payload, error) { return payload{N: 2 * p.N}, nil },
		Undo: func(_ context.Context, did saga.Did[payload, payload]) error {
			if did.Input.N == 666 {
				return errors.New("it can't be halved")
			}
			if did.Input.N > 666 {
				return fmt.Errorf("number %d is gone", did.Input.N)
			}
			return nil
		}}
	check := &saga.Action[payload, payload]{Name: "check", Effect: saga.NoEffect, Retry: once,
		Do: func(_ context.Context, p payload) (payload, error) {
			if p.N > 100 {
				return p, errors.New("too much")
			}
			return p, nil
		}}
	return App{
		Name: "prog",
		Sagas: []saga.AnySaga{
			saga.Define("calc", 1, func(f *saga.Flow, in saga.Ref[payload]) saga.Ref[payload] {
				return saga.Do(f, check, saga.Do(f, double, in.In).In)
			}, saga.Description("calculate")),
			saga.Define("patient", 1, func(f *saga.Flow, in saga.Ref[payload]) saga.Ref[payload] {
				n := saga.Await[payload](f, "more")
				return saga.Do(f, double, n.In)
			}),
		},
	}
}

// prog runs the app's command line on a directory.
func prog(t *testing.T, app App, dir string, args ...string) (stdout, stderr string, code Exit) {
	t.Helper()
	var out bytes.Buffer
	var errs lockedBuffer
	code = Run(t.Context(), app, append(args, "--data", dir, "--actor", "tester"), Streams{In: strings.NewReader(`{"n": 4}`), Out: &out, Err: &errs})
	return out.String(), errs.String(), code
}

func TestStartWaitsAndTellsByItsExitCode(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	out, errs, code := prog(t, app, dir, "start", "calc", "-d", `{"n": 21}`, "--wait")
	require.Equal(t, ExitOK, code, errs)
	require.JSONEq(t, `{"n": 42}`, out)
	require.Contains(t, errs, "double: done in", "what happens is shown")
	require.Contains(t, errs, "by tester")

	out, errs, code = prog(t, app, dir, "start", "calc", "-d", `{"n": 60}`, "--wait", "-q", "--key", "sixty")
	require.Equal(t, ExitCompensated, code)
	require.Empty(t, out)
	require.Contains(t, errs, "check: too much")
	require.Contains(t, errs, "next: `prog show ")

	out, errs, code = prog(t, app, dir, "start", "calc", "-d", `{"n": 666}`, "--wait", "-o", "json", "--key", "evil")
	require.Equal(t, ExitStuck, code)
	var r wire.Result
	require.NoError(t, json.Unmarshal([]byte(out), &r), out)
	require.Equal(t, domain.RunIsStuck, r.State)
	var complaint struct {
		Error, Next string
		Exit        Exit `json:"exit_code"`
	}
	require.NoError(t, json.Unmarshal([]byte(errs), &complaint), errs)
	require.Equal(t, ExitStuck, complaint.Exit)
	require.Contains(t, complaint.Next, "prog retry calc:evil")

	out, errs, code = prog(t, app, dir, "resolve", "calc:evil", "double", "--skip", "-r", "halved by hand", "--wait", "-q", "--yes")
	require.Equal(t, ExitCompensated, code, out+errs)
	out, _, code = prog(t, app, dir, "show", "calc:evil")
	require.Equal(t, ExitOK, code)
	require.Contains(t, out, "compensated")
	require.Contains(t, out, "key       evil")
}

func TestSameKeyIsTheSameRun(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	first, _, code := prog(t, app, dir, "start", "patient", "-d", "-", "--key", "k", "-l", "who=me")
	require.Equal(t, ExitOK, code)
	second, _, code := prog(t, app, dir, "start", "patient", "-d", `{"n":4}`, "--key", "k", "-l", "who=me")
	require.Equal(t, ExitOK, code)
	require.Equal(t, first, second)
	_, errs, code := prog(t, app, dir, "start", "patient", "-d", `{"n":5}`, "--key", "k")
	require.Equal(t, ExitRefused, code)
	require.Contains(t, errs, "use another key")
	require.Contains(t, errs, "run patient:k (patient v1) has it")
	require.Contains(t, errs, "show patient:k")
	require.NotContains(t, errs, "SAGA:KEY")
}

// doing returns a function that gives a command line, requires its exit code, and returns all that
// was printed.
func doing(t *testing.T, app App, dir string) func(want Exit, args ...string) string {
	t.Helper()
	return func(want Exit, args ...string) string {
		t.Helper()
		out, errs, code := prog(t, app, dir, args...)
		require.Equal(t, want, code, "%v: %s%s", args, out, errs)
		return out + errs
	}
}

func TestRunsAreSteered(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	do := doing(t, app, dir)
	do(ExitOK, "start", "patient", "-d", `{"n": 1}`, "--key", "a")
	require.Contains(t, do(ExitOK, "show", "patient:a"), "waiting")
	require.Contains(t, do(ExitUnfinished, "signal", "patient:a", "less", "--keep", "-d", `1`, "--wait", "--timeout", "20ms"), "wait longer with --timeout")
	require.Contains(t, do(ExitOK, "pause", "patient:a", "-r", "lunch"), "paused")
	require.Contains(t, do(ExitOK, "show", "patient:a"), "lunch")
	do(ExitOK, "resume", "patient:a")
	require.JSONEq(t, `{"n":6}`, strings.TrimSpace(do(ExitOK, "signal", "patient:a", "more", "-d", `{"n":3}`, "--wait", "-q")))
	require.Contains(t, do(ExitRefused, "cancel", "patient:a"), "the run has ended")

	do(ExitOK, "start", "patient", "-d", `{"n": 1}`, "--key", "b")
	require.Contains(t, do(ExitCancelled, "cancel", "patient:b", "-r", "no longer wanted", "--wait", "-q", "--yes"), "no longer wanted")
	do(ExitOK, "start", "patient", "-d", `{"n": 1}`, "--key", "c")
	do(ExitRefused, "retry", "patient:c")
	require.Contains(t, do(ExitUsage, "abandon", "patient:c"), "--reason")
	require.Contains(t, do(ExitAbandoned, "abandon", "patient:c", "-r", "moved away", "--wait", "-q", "--yes"), "abandoned")

	var run wire.Run
	require.NoError(t, json.Unmarshal([]byte(do(ExitOK, "show", "patient:b", "-o", "json")), &run))
	require.Equal(t, domain.RunIsCancelled, run.State)
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	_, errs, code := prog(t, app, dir, "start", "calc", "-d", `{"n": 1, "secret": "hush"}`, "--wait", "--key", "s")
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, errs, "started: calc")
	require.NotContains(t, errs, "hush")
	for _, format := range []string{"table", "json"} {
		out, errs, code := prog(t, app, dir, "show", "calc:s", "-o", format)
		require.Equal(t, ExitOK, code, errs)
		require.NotContains(t, out, "hush")
	}
}

func TestInvokeRunsOneAction(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	file := filepath.Join(t.TempDir(), "in.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"n": 5}`), 0o600))
	out, errs, code := prog(t, app, dir, "invoke", "double", "-d", "@"+file)
	require.Equal(t, ExitOK, code, errs)
	require.JSONEq(t, `{"n": 10}`, out)
	_, errs, code = prog(t, app, dir, "invoke", "triple")
	require.Equal(t, ExitNotFound, code)
	require.Contains(t, errs, "`prog actions`")
}

func TestWrongCommandLinesSayWhatToDo(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	app.Commands = []*cobra.Command{{Use: "own", Args: cobra.NoArgs, Run: func(*cobra.Command, []string) {}}}
	_, said, code := prog(t, app, dir, "start", "calc", "-d", `{"n": 1}`)
	require.Equal(t, ExitOK, code, said)
	for _, c := range []struct {
		args []string
		want Exit
		says string
	}{
		{[]string{"strat"}, ExitUsage, `unknown command "strat": did you mean start?`}, //nolint:misspell // the typing mistake is what is tested
		{[]string{"start"}, ExitUsage, "usage: prog start SAGA"},
		{[]string{"own", "more"}, ExitUsage, "usage: prog own"},
		{[]string{"start", "calc", "--colour"}, ExitUsage, "unknown flag"},
		{[]string{"start", "calc"}, ExitUsage, "the input must be of the type program.payload"},
		{[]string{"start", "calc", "-d", "null"}, ExitUsage, "the input must be of the type program.payload, with n, and none was given"},
		{[]string{"start", "calc", "-d", ""}, ExitUsage, "none was given"},
		{[]string{"start", "calc", "-d", "{}"}, ExitUsage, "the input lacks n"},
		{[]string{"invoke", "double", "-d", "{}"}, ExitUsage, "the input lacks n"},
		{[]string{"start", "calc", "--input", "1"}, ExitUsage, "did you mean -d, --data-json?"},
		{[]string{"start", "calc", "-d", "{n: 1}"}, ExitUsage, "quote it for the shell"},
		{[]string{"start", "calc", "-d", "@" + filepath.Join(dir, "none")}, ExitUsage, "read the payload"},
		{[]string{"start", "calc", "-d", `"` + strings.Repeat("x", 1<<20) + `"`}, ExitUsage, "store it elsewhere"},
		{[]string{"start", "calc", "--version", "-1"}, ExitUsage, "--version"},
		{[]string{"start", "calc", "--wait", "--timeout", "-1s"}, ExitUsage, "is not a duration"},
		{[]string{"start", "calc", "-l", "green"}, ExitUsage, "NAME=VALUE"},
		{[]string{"start", "clac"}, ExitNotFound, "`prog sagas`"},
		{[]string{"start", "calc", "-d", `"text"`}, ExitUsage, "bad input"},
		{[]string{"show", "17"}, ExitUsage, "give its id, the last 6 or more digits of it, or SAGA:KEY"},
		{[]string{"cancel", "calc:none"}, ExitNotFound, "check the run's id"},
		{[]string{"resolve", "calc:none"}, ExitUsage, "--skip"},
		{[]string{"resolve", "calc:none", "--substitute", "1"}, ExitUsage, "name it"},
		{[]string{"sagas", "-o", "yaml"}, ExitUsage, "use table, wide, json"},
	} {
		out, errs, code := prog(t, app, dir, c.args...)
		require.Equal(t, c.want, code, "%v: %s%s", c.args, out, errs)
		require.Contains(t, errs, c.says, "%v", c.args)
	}
	var errs bytes.Buffer
	app.Name = "other"
	code = Run(t.Context(), app, []string{"show", "calc:x", "--data="}, Streams{Out: &errs, Err: &errs})
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs.String(), "give --data DIR")
	_, text, code := prog(t, app, filepath.Join(dir, "missing"), "show", "calc:x")
	require.Equal(t, ExitError, code)
	require.Contains(t, text, "has no log")
	require.NoDirExists(t, filepath.Join(dir, "missing"), "looking makes nothing")
}

func TestDirectoryInUseHasItsOwnCode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := pebblelog.Open(host.LogDir(dir), pebblelog.Config{})
	require.NoError(t, err)
	defer log.Close()
	_, errs, code := prog(t, testApp(), dir, "show", "calc:x")
	require.Equal(t, ExitInUse, code)
	require.Contains(t, errs, "next: if a server runs on the directory, talk to it with --server URL")
}

func TestCatalogueNeedsNoDirectory(t *testing.T) {
	t.Parallel()
	app := testApp()
	app.Setup = func(context.Context, *Setup) error { return errors.New("must not be called") }
	run := func(args ...string) string {
		var out bytes.Buffer
		require.Equal(t, ExitOK, Run(t.Context(), app, args, Streams{Out: &out, Err: &out}), out.String())
		return out.String()
	}
	require.Contains(t, run("sagas"), "calc     1")
	require.Contains(t, run("sagas", "calc", "--mermaid"), "flowchart")
	require.Contains(t, run("actions"), "double  yes        1")
	one := run("sagas", "calc")
	require.Contains(t, one, "INPUT")
	require.Contains(t, one, "OUTPUT")
	require.Contains(t, run("actions", "double"), "INPUT")
	var sagas []saga.SagaInfo
	require.NoError(t, json.Unmarshal([]byte(run("sagas", "-o", "json")), &sagas))
	require.Len(t, sagas, 2)
	var actions []saga.ActionInfo
	require.NoError(t, json.Unmarshal([]byte(run("actions", "-o", "json")), &actions))
	require.Len(t, actions, 2)
	require.Contains(t, run("completion", "bash"), "__start_prog")
	require.Contains(t, run("version"), "prog ")
	app = App{Name: "bare"}
	require.Contains(t, run("sagas"), "has no sagas of its own")
}

func TestServeGoesOnWithRunsUntilInterrupted(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	_, _, code := prog(t, app, dir, "start", "patient", "-d", `{"n": 1}`, "--key", "a")
	require.Equal(t, ExitOK, code)

	set := make(chan *Setup, 1)
	var prefix string
	closed := false
	app.Flags = func(f *pflag.FlagSet) { f.StringVar(&prefix, "prefix", "", "a flag of its own") }
	app.Setup = func(_ context.Context, s *Setup) error {
		s.OnClose(func() error { closed = true; return nil })
		set <- s
		return nil
	}
	ctx, interrupt := context.WithCancel(t.Context())
	var errs lockedBuffer
	ended := make(chan Exit, 1)
	go func() {
		ended <- Run(ctx, app, []string{"serve", "--data", dir, "--http", "127.0.0.1:0", "--prefix", "x"}, Streams{Out: &errs, Err: &errs})
	}()
	s := <-set
	require.Equal(t, dir, s.Data)
	eventually(t, func() bool { return strings.Contains(errs.String(), "serving") })
	require.Contains(t, errs.String(), "unfinished_runs=1")
	interrupt()
	require.Equal(t, ExitOK, <-ended, errs.String())
	require.True(t, closed)
	require.Equal(t, "x", prefix)
}

func TestFailedSetupIsReportedAndClosed(t *testing.T) {
	t.Parallel()
	app, closed := testApp(), 0
	app.Setup = func(_ context.Context, s *Setup) error {
		s.OnClose(func() error { closed++; return nil })
		return errors.New("no database")
	}
	_, errs, code := prog(t, app, t.TempDir(), "start", "calc", "-d", `{"n": 1}`)
	require.Equal(t, ExitError, code)
	require.Contains(t, errs, "set up prog: no database")
	require.Equal(t, 1, closed)
}

func TestEveryExitCodeIsExplained(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Equal(t, ExitOK, Run(t.Context(), testApp(), []string{"help", "exit-codes"}, Streams{Out: &out, Err: &out}))
	require.Equal(t, len(exitTexts), strings.Count(out.String(), "\n  "))
	for err, want := range map[error]Exit{
		&saga.CompensatedError{}: ExitCompensated, &saga.StuckError{}: ExitStuck, &saga.CancelledError{}: ExitCancelled, &saga.AbandonedError{}: ExitAbandoned,
		act.ErrUnfinished: ExitUnfinished, saga.ErrNotFound: ExitNotFound, saga.ErrPastPivot: ExitRefused, context.Canceled: ExitInterrupted,
		errors.New("x"): ExitError,
	} {
		require.Equal(t, want, exitOf(err), "%T", err)
	}
}

// lockedBuffer is a buffer that may be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestActionsAreHeldFromTheCommandLine: a run of a held action waits, says why, and goes on when
// the action is released.
func TestActionsAreHeldFromTheCommandLine(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	do := doing(t, app, dir)
	do(ExitOK, "start", "patient", "--key", "a", "-d", "-")
	require.Contains(t, do(ExitOK, "holds"), "no action is held")
	require.Contains(t, do(ExitUsage, "hold", "double"), "hold double needs a --reason")
	require.Contains(t, do(ExitNotFound, "hold", "dobule", "-r", "x"), "double")
	require.Contains(t, do(ExitOK, "hold", "double", "-r", "CRM is\tdown", "--undos"), "double: held")
	require.Contains(t, do(ExitRefused, "hold", "double", "-r", "x", "--undos"), "held already")
	listed := do(ExitOK, "holds")
	require.Contains(t, listed, "dos, undos")
	require.Contains(t, listed, "tester")
	require.Contains(t, do(ExitUnfinished, "start", "calc", "-d", `{"n": 21}`, "--key", "h", "--wait", "-q", "--timeout", "20ms"), "not ended")
	require.Regexp(t, `double +dos, undos +tester +\S.* 1 +CRM is`, do(ExitOK, "holds"), "the run that waits is counted")
	require.Contains(t, do(ExitOK, "release", "double", "-r", "CRM is back"), "double: released")
	require.JSONEq(t, `{"n":42}`, do(ExitOK, "start", "calc", "-d", `{"n": 21}`, "--key", "h", "--wait", "-q"))
	require.Contains(t, do(ExitRefused, "release", "double", "-r", "x"), "is not held")
}

// TestEndedRunsAreStartedAgainFromTheCommandLine: each of the two runs shows the other.
func TestEndedRunsAreStartedAgainFromTheCommandLine(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	do := doing(t, app, dir)
	do(ExitOK, "start", "calc", "-d", `{"n": 21}`, "--key", "a", "--wait")
	require.Contains(t, do(ExitOK, "start-again", "calc:a", "--wait", "-q"), `{"n":42}`)
	require.Contains(t, do(ExitOK, "start-again", "calc:a", "--input", `{"n": 3}`, "--key", "b", "--wait", "-q"), `{"n":6}`)
	require.Contains(t, do(ExitRefused, "start-again", "calc:a", "--input", `{"n": 3}`), "use another key")
	require.Equal(t, 2, strings.Count(do(ExitOK, "show", "calc:a"), "started again as"))
	require.Contains(t, do(ExitOK, "show", "calc:b"), "again of")
	do(ExitOK, "start", "patient", "--key", "p", "-d", "-")
	require.Contains(t, do(ExitRefused, "start-again", "patient:p"), "has not ended")
}

// TestAWaitThatIsInterruptedSaysThatTheRunGoesOn: the run's id comes first, and what to do next is
// not the same command again.
func TestAWaitThatIsInterruptedSaysThatTheRunGoesOn(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out bytes.Buffer
	errs := &interrupting{on: "for more", interrupt: interrupt}
	code := Run(ctx, testApp(), []string{"start", "patient", "-d", `{"n":1}`, "--wait", "--data", t.TempDir()}, Streams{In: strings.NewReader(""), Out: &out, Err: errs})
	require.Equal(t, ExitInterrupted, code, errs.String())
	first, rest, _ := strings.Cut(errs.String(), "\n")
	id, ok := strings.CutPrefix(first, "run ")
	require.True(t, ok, first)
	require.Contains(t, rest, "run "+id+" stands still now: it goes on while `prog serve --data ", "no server runs")
	require.Contains(t, rest, "prog show "+id)
	require.NotContains(t, rest, "again")
}

// interrupting interrupts the program when a text is written.
type interrupting struct {
	lockedBuffer
	on        string
	interrupt func()
}

func (i *interrupting) Write(b []byte) (int, error) {
	n, err := i.lockedBuffer.Write(b)
	if strings.Contains(i.String(), i.on) {
		i.interrupt()
	}
	return n, err
}

// TestAWaitForAPausedRunSaysWhyItWaits: a cancel of it does nothing until it is resumed.
func TestAWaitForAPausedRunSaysWhyItWaits(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	_, errs, code := prog(t, app, dir, "start", "patient", "-d", `{"n":1}`, "--key", "p")
	require.Equal(t, ExitOK, code, errs)
	_, errs, code = prog(t, app, dir, "pause", "patient:p", "-r", "lunch")
	require.Equal(t, ExitOK, code, errs)
	_, errs, code = prog(t, app, dir, "signal", "patient:p", "more", "-d", `{"n":1}`, "--wait", "--timeout", "50ms")
	require.Equal(t, ExitUnfinished, code, errs)
	require.Contains(t, errs, "run patient:p waits, paused: lunch; resume it to go on")
}
