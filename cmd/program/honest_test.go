package program

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
)

// TestAnActThatChangesNothingSaysSo instead of "paused" or "resumed".
func TestAnActThatChangesNothingSaysSo(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		require.Equal(t, "patient:calm: nothing was done: the run is not paused\n", r.ok(t, "resume", "patient:calm", "-r", "why"))
		require.Equal(t, "patient:calm: paused\n", r.ok(t, "pause", "patient:calm", "-r", "lunch"))
		require.Equal(t, "patient:calm: nothing was done: the run is paused already\n", r.ok(t, "pause", "patient:calm", "-r", "tea"))
		require.Equal(t, "patient:calm: resumed\n", r.ok(t, "resume", "patient:calm"))
	})
}

// TestARunThatIsHeldSaysSoInLists with the reason, by whom and since when.
func TestARunThatIsHeldSaysSoInLists(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t)
	at := []string{"--server", url, "--token", testToken(t, tokens, "tester", auth.Admin)}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	r.ok(t, "hold", "double", "-r", "CRM is down")
	r.ok(t, "start", "calc", "-d", `{"n": 21}`, "--key", "held")
	require.Regexp(t, `held: CRM is down, by tester since [^\n]* \(action double\)`, r.ok(t, "runs"))
}

// TestWhatIsNextFitsTheError and can be given as it is.
func TestWhatIsNextFitsTheError(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t)
	at := []string{"--server", url, "--token", testToken(t, tokens, "tester", auth.Admin)}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	withRuns(t, r)
	m := newTerminal(t, 100, 30)
	app := App{Name: "prog"}
	seen, code := m.run(app, "n\n", append([]string{"bulk", "retry", "--all"}, at...)...)
	require.Equal(t, ExitUnconfirmed, code, seen)
	require.Contains(t, seen, "--reason WHY --yes` does it")
	seen, code = m.run(app, "y\nthe warehouse burnt down\n", append([]string{"abandon", "patient:calm"}, at...)...)
	require.Equal(t, ExitOK, code, seen)
	require.Contains(t, seen, "why abandon? (for the audit trail)")
	require.Contains(t, seen, "patient:calm: abandoned")
	_, errs, code := r("signal", "calc:evil", "mroe") //nolint:misspell // the typing mistake is what is tested
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs, "--keep` sends it all the same")
	_, errs, code = r("start", "calc", "-d", `{"n": "x"}`)
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs, "sagas calc --server "+url+"` tells what its input is")
	_, errs, code = r("incidents", "snooze", "calc:evil", "--until", "2020-01-01")
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs, "is over: a snooze ends later than now")
}
