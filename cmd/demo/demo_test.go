package demo

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/signup/signup"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// TestMain lets this binary play the coordinating process, as the real program does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == WorkerCommand {
		if err := runWorker(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m,
		// The client's idle connections.
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

func TestEverySignUpEndsTrulyDespiteAKill(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	report, err := Run(t.Context(), Options{Runs: 10, Seed: 7, Data: dir, Out: &out})
	require.NoError(t, err, out.String())
	require.Empty(t, report.Violations, out.String())
	require.NoError(t, report.Err())
	require.NotNil(t, report.Kill)
	require.Positive(t, report.Kill.InFlight, "the process was killed with attempts in flight")
	require.Positive(t, report.Lost, "and these attempts are recorded as lost")
	require.Equal(t, 10, report.Completed+report.Compensated)
	require.Equal(t, report.Completed, report.Systems.Users)
	require.Equal(t, report.Completed, report.Systems.Contacts)
	require.Equal(t, report.Compensated, report.Systems.Ignores)
	require.Positive(t, report.Compensated)
	require.Positive(t, report.Retries)
	for _, want := range []string{"kill -9", "(completed)", "(compensated)", "undo of create-user", "all invariants hold", "--seed 7", "atone runs --data " + dir} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "\x1b", "no colours where there is no terminal")
	require.FileExists(t, usersFile(dir), "a directory that was given is kept")
	judged(t, dir)
}

// judged has a second opinion on every run that the demo left in its directory.
func judged(t *testing.T, dir string) {
	t.Helper()
	log, err := pebblelog.Open(logDir(dir), pebblelog.Config{Logger: quiet})
	require.NoError(t, err)
	require.NotEmpty(t, killtest.Judge(t, log).States)
	require.NoError(t, log.Close())
}

// TestTheDemoLeavesRunsToSteer: four runs stand as the last lines say, and go on when the commands
// there are given.
func TestTheDemoLeavesRunsToSteer(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	_, err := Run(t.Context(), Options{Runs: 4, Seed: 11, Data: dir, Out: &out})
	require.NoError(t, err, out.String())
	for i := range left {
		require.Contains(t, out.String(), "atone "+left[i].lever+" --data "+dir)
	}
	require.Contains(t, out.String(), "atone serve --data "+dir)
	judged(t, dir)

	log, err := pebblelog.Open(logDir(dir), pebblelog.Config{Logger: quiet})
	require.NoError(t, err)
	c, err := saga.New(saga.Config{Log: log, Logger: quiet})
	require.NoError(t, err)
	require.NoError(t, c.Register(Refund))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(t, <-ended)
		require.NoError(t, log.Close())
	}()
	<-c.Ready()
	run := func(key string) domain.RunID { return domain.RunIDForKey("refund", key) }
	for i := range left {
		why, err := c.Why(ctx, run(left[i].key))
		require.NoError(t, err)
		require.Equal(t, left[i].standing, why.Standing, left[i].key)
	}
	require.NoError(t, c.Retry(ctx, run("declined"), "", "the card is open again"))
	require.NoError(t, c.Resume(ctx, run("stopped"), "asked"))
	for _, key := range []string{"unapproved", "stopped"} {
		require.NoError(t, c.Signal(ctx, run(key), "approved", true))
	}
	for _, key := range []string{"declined", "unapproved", "stopped"} {
		output, err := c.Wait(ctx, run(key))
		require.NoError(t, err, key)
		require.Contains(t, string(output), "euros paid back")
	}
}

func TestRowRemovedBehindItsBackIsFound(t *testing.T) {
	t.Parallel()
	report, err := Run(t.Context(), Options{Runs: 4, Seed: 11, beforeCheck: func(s systems) {
		db, err := sql.Open("sqlite", s.users)
		require.NoError(t, err)
		defer db.Close()
		_, err = db.Exec(`DELETE FROM users WHERE id = (SELECT min(id) FROM users)`)
		require.NoError(t, err)
	}})
	require.NoError(t, err)
	require.False(t, report.OK)
	require.Len(t, report.Violations, 1)
	require.Contains(t, report.Violations[0], "completed, but with 0 rows in the users table")
	require.ErrorIs(t, report.Err(), ErrViolated, "which makes the program exit with 1")
}

func TestDirectoryInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	_, err := Run(t.Context(), Options{Data: dir})
	require.ErrorContains(t, err, "is not empty")
	_, err = Run(t.Context(), Options{Runs: 1000})
	require.ErrorContains(t, err, "choose 1 to 500")
}

func TestWorkerThatFailsIsReported(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Options{Runs: 2, Worker: []string{"sh", "-c", "read orders; echo no luck >&2; exit 3"}})
	require.ErrorContains(t, err, "no luck")
	_, err = Run(t.Context(), Options{Runs: 2, Worker: []string{filepath.Join(t.TempDir(), "nothing")}})
	require.ErrorContains(t, err, "start the coordinating process")
}

// TestInterruptedShowLeavesNothingRunning relies on goleak, in TestMain, for its goroutines.
func TestInterruptedShowLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	dir := t.TempDir()
	_, err := Run(ctx, Options{Runs: 5, Seed: 1, Data: dir, Out: writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("completed")) {
			interrupt()
		}
		return len(b), nil
	})})
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "interrupted; what was done so far is kept in "+dir)
	log, err := pebblelog.Open(logDir(dir), pebblelog.Config{Logger: quiet})
	require.NoError(t, err, "the process that had the log open is gone")
	require.NoError(t, log.Close())
}

// TestNobodyReadsTheOutput is atone demo | head.
func TestNobodyReadsTheOutput(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	_, err := Run(ctx, Options{Runs: 5, Seed: 1, Out: &watched{cancel: cancel, Writer: writerFunc(func([]byte) (int, error) { return 0, syscall.EPIPE })}})
	require.ErrorIs(t, err, syscall.EPIPE)
	require.ErrorContains(t, err, "nothing is left behind")
}

func TestWorkerOfADemoThatWasKilledTidiesUp(t *testing.T) {
	t.Parallel()
	for _, temporary := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.Mkdir(dir, 0o700))
		orders, err := json.Marshal(workerConfig{Data: dir, Temporary: temporary, SMTP: "127.0.0.1:1", CRM: "http://127.0.0.1:1", People: people(3, 1)})
		require.NoError(t, err)
		// It was stopped in the middle.
		_ = runWorker(t.Context(), bytes.NewReader(append(orders, '\n')), io.Discard)
		if temporary {
			require.NoDirExists(t, dir)
		} else {
			require.DirExists(t, logDir(dir), "what somebody asked for is kept")
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestSameSeedSameShow(t *testing.T) {
	t.Parallel()
	one, other := people(30, 5), people(30, 5)
	require.Equal(t, one, other)
	require.NotEqual(t, people(30, 5), people(30, 6))
	for n := 4; n < 12; n++ {
		moods := map[mood]int{}
		for _, p := range people(n, uint64(n)) {
			moods[p.Mood]++
		}
		require.Positive(t, moods[moodFlaky])
		require.Positive(t, moods[moodRejected])
		require.Positive(t, moods[moodStalled])
	}
}

// TestEveryLieIsFound holds what systems could hold against what runs say.
func TestEveryLieIsFound(t *testing.T) {
	t.Parallel()
	const email = "ada@example.org"
	user, contact := signup.User{Email: email}, signup.Contact{Email: email}
	welcome, ignore := letter{ID: "<1>", To: email}, letter{ID: "<2>", InReplyTo: "<1>", To: email}
	all := world{users: []signup.User{user}, letters: []letter{welcome}, contacts: []signup.Contact{contact}}
	undone := world{letters: []letter{welcome, ignore}}
	for name, c := range map[string]struct {
		state    domain.RunState
		w        world
		runs     int
		tampered error
		want     string // empty where all is true
	}{
		"completed":             {state: domain.RunIsCompleted, w: all},
		"compensated":           {state: domain.RunIsCompensated, w: undone},
		"compensated at once":   {state: domain.RunIsCompensated},
		"row missing":           {state: domain.RunIsCompleted, w: world{letters: all.letters, contacts: all.contacts}, want: "0 rows"},
		"row twice":             {state: domain.RunIsCompleted, w: world{users: []signup.User{user, user}, letters: all.letters, contacts: all.contacts}, want: "2 rows"},
		"welcome missing":       {state: domain.RunIsCompleted, w: world{users: all.users, contacts: all.contacts}, want: "0 welcome mails"},
		"welcome twice":         {state: domain.RunIsCompleted, w: world{users: all.users, letters: []letter{welcome, welcome}, contacts: all.contacts}, want: "2 welcome mails"},
		"ignored for nothing":   {state: domain.RunIsCompleted, w: world{users: all.users, letters: undone.letters, contacts: all.contacts}, want: "to ignore the welcome"},
		"contact missing":       {state: domain.RunIsCompleted, w: world{users: all.users, letters: all.letters}, want: "0 contacts"},
		"row left":              {state: domain.RunIsCompensated, w: world{users: all.users, letters: undone.letters}, want: "1 rows"},
		"contact left":          {state: domain.RunIsCompensated, w: world{letters: undone.letters, contacts: all.contacts}, want: "1 contacts"},
		"welcome stands":        {state: domain.RunIsCompensated, w: world{letters: all.letters}, want: "1 welcome mails and 0 to ignore"},
		"answer to nothing":     {state: domain.RunIsCompensated, w: world{letters: []letter{ignore}}, want: "never sent"},
		"stranger":              {state: domain.RunIsCompensated, w: world{users: []signup.User{{Email: "eve@example.org"}}}, want: "never signed up"},
		"not at its end":        {state: domain.RunCompensating, want: "has not ended"},
		"run too many":          {state: domain.RunIsCompensated, runs: 2, want: "2 runs for 1 sign-ups"},
		"history tampered with": {state: domain.RunIsCompensated, tampered: errors.New("link 3"), want: "hash chain is broken: link 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := outcome{person: person{Key: "signup-001", Form: signup.Form{Email: email}}, run: uuid.New(), found: true,
				view: explain.Run{State: c.state}, tampered: c.tampered}
			found := violations([]outcome{o}, max(1, c.runs), c.w)
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Contains(t, fmt.Sprint(found), c.want)
		})
	}
}

func TestRunThatIsMissingIsFound(t *testing.T) {
	t.Parallel()
	found := violations([]outcome{{person: person{Key: "signup-001"}}}, 1, world{})
	require.Len(t, found, 1)
	require.Contains(t, found[0], "the log has no run for it")
}
