package program

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
)

func TestPeopleFindCommands(t *testing.T) {
	t.Parallel()
	app := testApp()
	for question, want := range map[string]string{
		"why is my run stuck":           "prog why",
		"Why does nothing happen?":      "prog why",
		"try again":                     "prog retry",
		"undo a run":                    "prog undo-preview",
		"stop a run and roll it back":   "prog cancel",
		"cancel many runs at once":      "prog bulk cancel",
		"who cancelled this run":        "prog audit",
		"approve an order":              "prog signal",
		"publish an event":              "prog emit",
		"begin a workflow":              "prog start",
		"give somebody a password":      "prog token create",
		"was the log tampered with":     "prog audit verify",
		"how slow is it: latency":       "prog stats",
		"the web page":                  "prog serve",
		"tab completion in my shell":    "prog completion",
		"a list is out of date, stale":  "prog projections",
		"skip the broken step by hand":  "prog resolve",
		"what would a rollback do":      "prog undo-preview",
		"download everything for later": "prog export",
		"logs":                          "prog audit",
		"delete a run":                  "prog abandon",
		"crm is down":                   "prog hold",
	} {
		out, errs, code := prog(t, app, t.TempDir(), append([]string{"search", "--json"}, strings.Fields(question)...)...)
		require.Equal(t, ExitOK, code, errs)
		var got struct {
			Commands []struct{ Command, Does, Example string }
			Next     []console.Step `json:"next_steps"`
		}
		require.NoError(t, json.Unmarshal([]byte(out), &got))
		require.True(t, strings.HasPrefix(got.Commands[0].Command, want), "%s: %v", question, got.Commands)
		require.Contains(t, got.Next[0].Command, "prog ")
	}
	_, errs, code := prog(t, app, t.TempDir(), "search", "xyzzy")
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs, "`prog help` lists all commands")
}

func TestMisspeltNamesAreRecognised(t *testing.T) {
	t.Parallel()
	app := testApp()
	for line, says := range map[string]string{
		"cancle calc:x":            "did you mean cancel?",
		"token creat kim":          "did you mean create?",
		"audit verfy":              "did you mean verify?",
		"projections rebiuld runs": "did you mean rebuild?",
		"runs --sage calc":         "did you mean --saga?",
		"runs --dta x":             "did you mean --data?",
		"bulk zzz":                 "unknown command",
		"help nosuch":              "unknown command",
		"help bulk retrry":         "did you mean retry?",
		"start clac -d {}":         "did you mean calc?",
		"invoke duoble -d {}":      "did you mean double?",
		"sagas clac":               "did you mean calc?",
	} {
		_, errs, code := prog(t, app, t.TempDir(), strings.Fields(line)...)
		require.Contains(t, []Exit{ExitUsage, ExitNotFound}, code, line)
		require.Contains(t, errs, says, line)
		require.Contains(t, errs, "next: `prog ", line)
	}
}

func TestHelpHasGroupsAndTheVersion(t *testing.T) {
	t.Parallel()
	app := testApp()
	app.Version = "1.2.3"
	out, _, _ := prog(t, app, t.TempDir(), "help")
	for _, title := range []string{"Look:\n", "Start and signal:\n", "Steer:\n", "Serve and administer:\n", "Find your way:\n"} {
		require.Contains(t, out, title)
	}
	require.NotContains(t, out, "Additional Commands", "every command has a group")
	out, _, code := prog(t, app, t.TempDir(), "--version")
	require.Equal(t, ExitOK, code)
	require.Equal(t, "prog 1.2.3\n", out)
}

// TestShellsCompleteWhatCommandsTake calls what the scripts of bash, zsh and fish call.
func TestShellsCompleteWhatCommandsTake(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	url, tokens := testServer(t)
	secret := testToken(t, tokens, "tester", auth.Admin)
	for name, at := range map[string][]string{"directory": {"--data", dir, "--actor", "tester"}, "server": {"--server", url, "--token", secret}} {
		r := commandLine(func(args ...string) (string, string, Exit) { return anywhere(t, app, append(args, at...)...) })
		withRuns(t, r)
		r.ok(t, "runs") // which waits for the views; completion takes them as they are
		for _, shell := range []string{"bash", "zsh", "fish"} {
			require.Contains(t, r.ok(t, "completion", shell), "__complete")
		}
		for _, c := range []struct {
			line string
			want []string
		}{
			{"runs --state st", []string{"stuck"}},
			{"runs --saga ", []string{"calc", "patient"}},
			{"runs --action dou", []string{"double"}},
			{"runs --label team=", []string{"team=blue", "team=red"}},
			{"runs sta", []string{"state:"}},
			{"runs state:st", []string{"state:stuck"}},
			{"bulk cancel saga:pa", []string{"saga:patient"}},
			{"incidents state:re", []string{"state:retrying", "state:resolved"}},
			{"runs -o ", []string{"table", "wide", "json", "ndjson", "csv"}},
			{"show calc:g", []string{"calc:good"}},
			{"why patient:", []string{"patient:calm"}},
			{"start pat", []string{"patient"}},
			{"invoke ch", []string{"check"}},
			{"projections rebuild inc", []string{"incidents"}},
			{"retry calc:good ", nil},
			{"signal patient:calm ", []string{"more"}},
			{"release ", nil},
			{"incidents --state ", []string{"open", "retrying", "resolved", "all"}},
		} {
			line := append(append([]string{"__complete"}, at...), strings.Split(c.line, " ")...)
			out, _, code := anywhere(t, app, line...)
			require.Equal(t, ExitOK, code, "%s: %s: %s", name, c.line, out)
			var got []string
			for _, p := range strings.Split(out, "\n") {
				if name, _, _ := strings.Cut(p, "\t"); name != "" && !strings.HasPrefix(name, ":") {
					got = append(got, name)
				}
			}
			require.Subset(t, got, c.want, "%s: %s", c.line, out)
			if c.want == nil {
				require.Empty(t, got, c.line)
			}
		}
	}
	out, _, code := anywhere(t, app, "__complete", "--data", dir+"/none", "runs", "--saga", "")
	require.Equal(t, ExitOK, code)
	require.Equal(t, ":4\n", out, "what goes wrong proposes nothing")
}

// anywhere runs a command line as it is.
func anywhere(t *testing.T, app App, args ...string) (stdout, stderr string, code Exit) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), app, args, Streams{In: strings.NewReader(`{"n": 4}`), Out: &out, Err: &errs})
	return out.String(), errs.String(), code
}

// TestJSONSaysWhatToDoNext: each object for programs has the commands that fit it, and they can be
// given as they are.
func TestJSONSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	steps := func(want Exit, args ...string) (commands []string) {
		t.Helper()
		out, errs, code := prog(t, app, dir, append(args, "-o", "json")...)
		require.Equal(t, want, code, out+errs)
		var answer struct {
			Next []console.Step `json:"next_steps"`
		}
		require.NoError(t, json.Unmarshal([]byte(out), &answer), out)
		for _, s := range answer.Next {
			commands = append(commands, s.Command)
		}
		return commands
	}
	at := " --data " + dir
	require.Equal(t, "prog retry calc:evil"+at, steps(ExitStuck, "start", "calc", "-d", `{"n": 666}`, "--wait", "--key", "evil")[0])
	for _, command := range []string{"show", "why"} {
		require.Equal(t, []string{"prog retry calc:evil" + at, "prog resolve calc:evil double --skip" + at, "prog audit calc:evil" + at}, steps(ExitOK, command, "calc:evil"))
	}
	require.Len(t, steps(ExitOK, "start", "patient", "-d", `{"n": 1}`, "--key", "p"), 1)
	require.Equal(t, []string{"prog signal patient:p more" + at}, steps(ExitOK, "why", "patient:p"))
	require.Empty(t, steps(ExitOK, "bulk", "retry", "--saga", "patient", "--dry-run"))
	next := steps(ExitOK, "bulk", "pause", "--saga", "patient", "--dry-run", "--reason", "x")
	require.Len(t, next, 1)
	require.NotContains(t, next[0], "dry-run")
	require.Contains(t, next[0], "--yes")
	steps(ExitOK, "pause", "patient:p")
	require.Equal(t, []string{"prog resume patient:p" + at}, steps(ExitOK, "show", "patient:p"))
}

// TestFlagsNameRunsAsPeopleDo: by the last digits of an id and by SAGA:KEY, as arguments do.
func TestFlagsNameRunsAsPeopleDo(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	do := doing(t, app, dir)
	do(ExitStuck, "start", "calc", "-d", `{"n": 666}`, "--wait", "-q", "--key", "evil")
	id := domain.RunIDForKey("calc", "evil").String()
	for _, name := range []string{id, id[28:], "calc:evil"} {
		require.Contains(t, do(ExitOK, "incidents", "--run", name), "double")
		require.Contains(t, do(ExitOK, "bulk", "retry", "--run", name, "--dry-run"), "1 run would be retried")
		require.Contains(t, do(ExitOK, "audit", "verify", name), "are as they were written")
		require.Contains(t, do(ExitOK, "runs", "--parent", name), "no such runs")
	}
	require.Contains(t, do(ExitNotFound, "runs", "--parent", "123456"), "no run's id ends with 123456")
	require.Contains(t, do(ExitNotFound, "bulk", "retry", "--run", "123456", "--dry-run"), "no run's id ends with 123456")
	require.Contains(t, do(ExitNotFound, "audit", "verify", "123456"), "no run's id ends with 123456")
	require.Contains(t, do(ExitUsage, "incidents", "--run", "x"), "the last 6 or more digits")
}

// TestShowHasTimes: how long ago, or written out.
func TestShowHasTimes(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	do := doing(t, app, dir)
	do(ExitOK, "start", "calc", "-d", `{"n": 2}`, "--wait", "-q", "--key", "k")
	require.Regexp(t, `started +(now|\d+s ago) by tester, ended (now|\d+s ago) after`, do(ExitOK, "show", "calc:k"))
	out := do(ExitOK, "show", "calc:k", "--utc")
	require.Regexp(t, `started +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC by tester, ended`, out)
	require.Contains(t, out, "TRIED UTC")
}

// TestShellsCompleteRunsOfLongAgo, which are not among the latest.
func TestShellsCompleteRunsOfLongAgo(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t)
	at := []string{"--server", url, "--token", testToken(t, tokens, "tester", auth.Admin)}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "first")
	for n := range 101 {
		r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", fmt.Sprintf("k-%d", n))
	}
	out, _, _ := remotely(t, append(append([]string{"__complete"}, at...), "show", "patient:f")...)
	require.Contains(t, out, "patient:first\t")
}
