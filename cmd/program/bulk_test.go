package program

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/domain"
)

// TestABulkActGoesOnToItsEnd, where the server cuts every request off long before.
func TestABulkActGoesOnToItsEnd(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t, func(c *httpapi.Config) { c.MaxWait = 300 * time.Millisecond })
	at := []string{"--server", url, "--token", testToken(t, tokens, "tester", auth.Admin)}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	for n := range 8 {
		r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", fmt.Sprintf("k-%d", n))
	}
	out, errs, code := r("bulk", "pause", "--saga", "patient", "--rate", "10/s", "-r", "strike", "--yes")
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, errs, "8 runs paused\n")
	require.Equal(t, 9, strings.Count(out, "\n"), out)

	_, errs, code = r("bulk", "resume", "--saga", "patient", "--first", "3", "-r", "over", "--yes")
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, errs, "3 runs resumed; 5 of 8 that match are left\nnext: `prog bulk resume --saga patient")
	_, command, _ := strings.Cut(errs, "--after ")
	_, errs, code = r("bulk", "resume", "--saga", "patient", "-r", "over", "--yes", "--after", command[:36])
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, errs, "5 runs resumed\n", "the command that it names goes on after the three")
}

// TestABulkActTellsWhatBecameOfTheRuns: done, undone or stuck again, and why.
func TestABulkActTellsWhatBecameOfTheRuns(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		for n := range 3 {
			_, errs, code := r("start", "calc", "-d", `{"n": 666}`, "--key", fmt.Sprintf("evil-%d", n), "--wait", "-q")
			require.Equal(t, ExitStuck, code, errs)
		}
		_, errs, code := r("bulk", "retry", "--saga", "calc", "-r", "mended", "--yes")
		require.Equal(t, ExitOK, code, errs)
		require.Contains(t, errs, "3 runs retried: 3 stuck again: it can't be halved\nnext: `prog incidents")

		_, errs, code = r("bulk", "retry", "--saga", "calc", "--stop-after", "1", "-r", "mended", "--yes")
		require.Equal(t, ExitStopped, code, errs)
		require.Contains(t, errs, "1 run retried: 1 stuck again: it can't be halved; stopped after too many failures; 2 of 3 that match are left")
		require.Contains(t, errs, "goes on with the rest; without --after it begins with those that are stuck again")
		require.Contains(t, errs, "prog: stopped after as many failures as --stop-after allows: 1, with 2 runs left\n")

		out, errs, code := r("bulk", "skip", "--saga", "calc", "--first", "1", "-r", "by hand", "--yes", "--json")
		require.Equal(t, ExitOK, code, errs)
		var told struct {
			Became  map[domain.RunState]int
			Results []struct{ Now domain.RunState }
			Steps   []struct{ Command string } `json:"next_steps"`
		}
		require.NoError(t, json.Unmarshal([]byte(out), &told), out)
		require.Equal(t, map[domain.RunState]int{domain.RunIsCompensated: 1}, told.Became)
		require.Equal(t, domain.RunIsCompensated, told.Results[0].Now)
		require.Len(t, told.Steps, 1)
		require.Contains(t, told.Steps[0].Command, "--after ")
		require.NotContains(t, told.Steps[0].Command, "--first")
	})
}

// TestADryRunTellsWhatWouldBeRefused, as the act does, and the plan too.
func TestADryRunTellsWhatWouldBeRefused(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		for n := range 3 {
			r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", fmt.Sprintf("k-%d", n))
		}
		r.ok(t, "pause", "patient:k-1")
		out, errs, code := r("bulk", "pause", "--saga", "patient", "--dry-run")
		require.Equal(t, ExitOK, code, errs)
		require.Contains(t, out, "the run is paused already")
		require.Contains(t, errs, "1 would refuse: the run is paused already\n2 runs would be paused\n")
		_, errs, code = r("bulk", "pause", "--saga", "patient", "-r", "strike")
		require.Equal(t, ExitUnconfirmed, code, errs)
		require.Contains(t, errs, "1 would refuse: the run is paused already\n")
		require.Contains(t, errs, "pause 3 runs, of which 1 would refuse")
		out, errs, code = r("bulk", "retry", "--run", "patient:k-1", "--dry-run", "--json")
		require.Equal(t, ExitOK, code, errs)
		require.Contains(t, out, `"matched": 0`, "what is not stuck is not selected")
		out, errs, code = r("bulk", "resume", "--run", "patient:k-0", "--dry-run", "--json")
		require.Equal(t, ExitOK, code, errs)
		require.Contains(t, out, "the run is not paused")
		require.NotContains(t, out, "--yes", "nobody is told to do what would be refused")
	})
}

// TestWhatBecameOfRunsIsToldByCause: messages that differ in a number are one.
func TestWhatBecameOfRunsIsToldByCause(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		for n := range 3 {
			_, errs, code := r("start", "calc", "-d", fmt.Sprintf(`{"n": %d}`, 700+n), "--key", fmt.Sprintf("d-%d", n), "--wait", "-q")
			require.Equal(t, ExitStuck, code, errs)
		}
		_, errs, code := r("bulk", "retry", "--saga", "calc", "-r", "mended", "--yes")
		require.Equal(t, ExitOK, code, errs)
		require.Contains(t, errs, "3 runs retried: 3 stuck again: number # is gone\n")
	})
}

// TestRunsAreNamedAsTheyWereTyped by every command that starts one, and events by the id that was.
func TestRunsAreNamedAsTheyWereTyped(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		_, errs, code := r("invoke", "check", "-d", `{"n": 500}`, "--key", "k-9", "-q")
		require.Equal(t, ExitCompensated, code, errs)
		require.Contains(t, errs, "check:k-9")
		_, errs, code = r("start", "calc", "-d", `{"n": 60}`, "--key", "sixty", "--wait", "-q")
		require.Equal(t, ExitCompensated, code, errs)
		_, errs, code = r("start-again", "calc:sixty", "--key", "again", "--wait", "-q")
		require.Equal(t, ExitCompensated, code, errs)
		require.Contains(t, errs, "calc:again")
		require.Contains(t, r.ok(t, "emit", "order.placed", "--id", "order-42", "-d", "{}"), "order-42: event 0 of ")
	})
}

// TestPlansSayHowRunsStand in the word that lists have for it.
func TestPlansSayHowRunsStand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "calm")
		r.ok(t, "pause", "patient:calm")
		out, errs, code := r("bulk", "cancel", "--saga", "patient", "--dry-run")
		require.Equal(t, ExitOK, code, errs)
		require.Contains(t, out, "  paused")
		require.NotContains(t, out, "running")
		story := r.ok(t, "audit", "patient:calm")
		require.Regexp(t, `^patient v1  run \S+  paused  times in \S+\n`, story, "as show does")
		require.Contains(t, r.ok(t, "sagas"), "n* secret", "a saga takes fields, not types of Go")
		require.NotContains(t, r.ok(t, "actions"), "program.payload")
		_, errs, code = r("start", "calc", "-d", `{"n": "four"}`)
		require.Equal(t, ExitUsage, code, errs)
		require.Contains(t, errs, "the input of calc: n must be a whole number, not a text")
		require.NotContains(t, errs, "payload")
	})
}
