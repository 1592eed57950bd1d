//go:build linux

package program

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/saga"
)

// terminal is a pseudo-terminal: what a person types goes into keyboard, what they see is in seen.
type terminal struct {
	t        *testing.T
	keyboard *os.File
	program  *os.File
	seen     lockedBuffer
	read     sync.WaitGroup
}

func newTerminal(t *testing.T, columns, rows uint16) *terminal {
	t.Helper()
	control := func(f *os.File, request uintptr, arg unsafe.Pointer) {
		t.Helper()
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg))
		require.Zero(t, errno)
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	var unlocked, number int32
	control(master, 0x40045431, unsafe.Pointer(&unlocked)) // TIOCSPTLCK
	control(master, 0x80045430, unsafe.Pointer(&number))   // TIOCGPTN
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	size := [4]uint16{rows, columns}
	control(slave, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	term := &terminal{t: t, keyboard: master, program: slave}
	term.read.Go(func() {
		part := make([]byte, 4096)
		for {
			n, err := master.Read(part)
			_, _ = term.seen.Write(part[:n])
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = slave.Close()
		_ = master.Close()
	})
	return term
}

// run runs a command line at the terminal and returns what was seen meanwhile.
func (m *terminal) run(app App, typed string, args ...string) (seen string, code Exit) {
	m.t.Helper()
	before := len(m.seen.String())
	if typed != "" {
		_, err := m.keyboard.WriteString(typed)
		require.NoError(m.t, err)
	}
	code = Run(m.t.Context(), app, args, Streams{In: m.program, Out: m.program, Err: m.program})
	end := fmt.Sprintf("end of %q", args) // what is written is seen later
	_, err := m.program.WriteString(end)
	require.NoError(m.t, err)
	eventually(m.t, func() bool { return strings.Contains(m.seen.String()[before:], end) })
	seen, _, _ = strings.Cut(m.seen.String()[before:], end)
	return strings.ReplaceAll(seen, "\r\n", "\n"), code
}

// plain drops colours.
func plain(s string) string {
	for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[36m"} {
		s = strings.ReplaceAll(s, code, "")
	}
	return s
}

// TestATerminalIsFilledAskedAndPaged is not parallel: it sets the pager in the environment.
func TestATerminalIsFilledAskedAndPaged(t *testing.T) {
	t.Setenv("ATONE_PAGER", "sed s/^/paged:/")
	app, dir := testApp(), t.TempDir()
	withRuns(t, func(args ...string) (string, string, Exit) { return prog(t, app, dir, args...) })
	m := newTerminal(t, 80, 24)
	at := []string{"--data", dir}

	seen, code := m.run(app, "", append(at, "runs")...)
	require.Equal(t, ExitOK, code)
	for line := range strings.Lines(plain(seen)) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 80, line)
	}
	head, _, _ := strings.Cut(plain(seen), "\n")
	for _, column := range []string{"RUN", "STATE", "KEY", "WHY"} {
		require.Contains(t, head, column)
	}
	require.Regexp(t, `\n[1-9] columns? hidden \(.*TOOK.*\): -o wide\n`, plain(seen))
	require.Contains(t, plain(seen), "evil  stuck: undo of double")
	seen, _ = m.run(app, "", append(at, "runs", "-o", "wide")...)
	require.Contains(t, plain(seen), "LABELS")
	require.NotContains(t, seen, "hidden")

	seen, code = m.run(app, "no\n", append(at, "cancel", "patient:calm")...)
	require.Equal(t, ExitUnconfirmed, code, seen)
	require.Contains(t, seen, "cancel run patient:calm? [y/N]")
	require.Contains(t, seen, "it would end cancelled")
	_, errs, code := prog(t, app, dir, "cancel", "patient:calm", "--json")
	require.Equal(t, ExitUnconfirmed, code)
	require.Contains(t, errs, `"exit_code":14`)
	seen, code = m.run(app, "y\n", append(at, "cancel", "patient:calm", "-r", "because")...)
	require.Equal(t, ExitOK, code, seen)
	require.Contains(t, seen, "patient:calm: cancelled")

	low := newTerminal(t, 200, 3)
	seen, code = low.run(app, "", append(at, "runs")...)
	require.Equal(t, ExitOK, code)
	require.Contains(t, plain(seen), "paged:RUN")
	require.Equal(t, 1+fourRuns, strings.Count(seen, "paged:"))
	seen, _ = low.run(app, "", append(at, "runs", "--json")...)
	require.NotContains(t, seen, "paged:", "programs get no pager")
}

func TestATerminalShowsAListAsItChanges(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t)
	at := []string{"--server", url, "--token", testToken(t, tokens, "tester", auth.Admin)}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "old")
	m := newTerminal(t, 100, 10)
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan Exit, 1)
	go func() {
		ended <- Run(ctx, App{Name: "prog"}, append([]string{"runs", "--watch"}, at...), Streams{In: m.program, Out: m.program, Err: m.program})
	}()
	seen := func(part string) {
		t.Helper()
		eventually(t, func() bool { return strings.Contains(plain(m.seen.String()), part) }, part)
	}
	seen("1 runs, ctrl-C ends")
	for n := range 12 {
		r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", fmt.Sprintf("new-%d", n))
	}
	seen("13 runs, ctrl-C ends")
	seen("new-11")
	interrupt()
	require.Equal(t, ExitOK, <-ended)
	screens := strings.Split(plain(m.seen.String()), "\x1b[H\x1b[J")
	require.LessOrEqual(t, strings.Count(screens[len(screens)-1], "\n"), 10, "it fits the terminal")
}

// TestAnInterruptEndsAQuestion at once, whatever it asks, and nothing is done.
func TestAnInterruptEndsAQuestion(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t)
	at := []string{"--server", url, "--token", testToken(t, tokens, "tester", auth.Admin)}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	withRuns(t, r)
	for question, line := range map[string]string{
		"cancel run patient:calm? [y/N]": "cancel patient:calm",
		"pause 1 run? [y/N]":             "bulk pause --saga patient -r x",
		"why bulk pause?":                "bulk pause --saga patient --yes",
		"skip 1 stuck step":              "resolve calc:evil --skip",
		"why hold double?":               "hold double",
	} {
		m := newTerminal(t, 100, 30)
		ctx, interrupt := context.WithCancel(t.Context())
		ended := make(chan Exit, 1)
		go func() {
			ended <- Run(ctx, App{Name: "prog"}, append(strings.Fields(line), at...), Streams{In: m.program, Out: m.program, Err: m.program})
		}()
		seen := func(part string) {
			t.Helper()
			eventually(t, func() bool { return strings.Contains(plain(m.seen.String()), part) }, part)
		}
		seen(question)
		interrupt()
		require.Equal(t, ExitInterrupted, <-ended, line)
		seen("nothing was done")
		_, err := m.keyboard.WriteString("\n") // what reads the terminal would end with a process
		require.NoError(t, err)
	}
	require.Contains(t, r.ok(t, "show", "patient:calm"), "waiting")
	_, errs, _ := r("holds")
	require.Contains(t, errs, "no action is held")
}

// TestStatisticsFitATerminal: names are cut, and counts stay; what is hidden is told.
func TestStatisticsFitATerminal(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	long := &saga.Action[payload, payload]{Name: "an-action-whose-name-is-far-too-long-for-any-terminal", Effect: saga.NoEffect,
		Do: func(_ context.Context, p payload) (payload, error) { return p, nil }}
	app.Sagas = append(app.Sagas, saga.Define("a-saga-whose-name-is-far-too-long-for-any-terminal", 1, func(f *saga.Flow, in saga.Ref[payload]) saga.Ref[payload] {
		return saga.Do(f, long, in.In)
	}))
	r := commandLine(func(args ...string) (string, string, Exit) { return prog(t, app, dir, args...) })
	r.ok(t, "start", "a-saga-whose-name-is-far-too-long-for-any-terminal", "-d", `{"n": 1}`, "--wait", "-q")
	_, errs, code := r("start", "calc", "-d", `{"n": 666}`, "--key", "evil", "--wait", "-q")
	require.Equal(t, ExitStuck, code, errs)
	m := newTerminal(t, 80, 60)
	seen, code := m.run(app, "", "stats", "--data", dir)
	require.Equal(t, ExitOK, code, seen)
	table := plain(seen)
	for line := range strings.Lines(table) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 80, line)
	}
	head, _, _ := strings.Cut(table, "\n")
	require.Equal(t, []string{"SAGA", "ACTION", "DIRECTION", "STARTED", "DONE", "FAILED", "STUCK", "FAILURES"}, strings.Fields(head)[:8])
	require.Contains(t, table, "a-saga-")
	require.Regexp(t, `\ncalc +1 +0 +1 +1 +100\.0%`, table, "a run that is stuck has failed, and is counted so")
	require.Regexp(t, `columns hidden \(.*P99.*\): -o wide\n`, table, "numbers are not lost in silence")
}
