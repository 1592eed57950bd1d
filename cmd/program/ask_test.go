package program

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

func TestRunsAreListed(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		for _, c := range []struct {
			args []string
			want string // the keys, newest first
		}{
			{nil, "calm evil dear good"},
			{[]string{"--state", "stuck"}, "evil"},
			{[]string{"--state", "stuck,running"}, "calm evil"},
			{[]string{"--saga", "patient"}, "calm"},
			{[]string{"--saga", "calc", "--version", "1", "--oldest-first"}, "good dear evil"},
			{[]string{"--label", "team=red"}, "good"},
			{[]string{"--key", "dear"}, "dear"},
			{[]string{"--error", "too much", "--state", "compensated"}, "dear"},
			{[]string{"--action", "check", "--state", "completed"}, "good"},
			{[]string{"--since", "1h", "--saga", "patient"}, "calm"},
			{[]string{"--until", "1h"}, ""},
			{[]string{"--parent", "calc:good"}, ""},
			{[]string{"state:stuck saga:calc"}, "evil"},
			{[]string{"state:unfinished", "saga:pat*"}, "calm"},
			{[]string{"key:e*"}, "evil"},
			{[]string{"state:waiting"}, "calm"},
			{[]string{"label:team=*", "action:check"}, "good"},
			{[]string{`text:"too much"`, "--state", "compensated"}, "dear"},
			{[]string{"attempts:>0 since:2020-01-01", "--limit", "1"}, "evil"},
		} {
			var keys []string
			for _, run := range items[wire.RunItem](t, r.ok(t, append([]string{"runs", "-o", "json"}, c.args...)...)).Items {
				keys = append(keys, run.Key)
			}
			require.Equal(t, c.want, strings.Join(keys, " "), "%v", c.args)
		}
		table := r.ok(t, "runs", "--key", "evil")
		require.Regexp(t, `^RUN +SAGA +STATE +STARTED +TOOK +KEY +WHY\n[-0-9a-f]{36}  calc v1  stuck  +(now|\d+s ago) +\S+ +evil  stuck: undo of double failed`, table)
		rows, err := csv.NewReader(strings.NewReader(r.ok(t, "runs", "--all", "-o", "csv"))).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 1+fourRuns)
		require.Equal(t, []string{"run", "saga", "version", "state", "states", "started", "ended", "took", "key", "labels", "actor", "attempts", "error", "why"}, rows[0])
		require.Equal(t, fourRuns, strings.Count(r.ok(t, "runs", "--all", "-o", "ndjson"), "\n"))

		first := items[wire.RunItem](t, r.ok(t, "runs", "-o", "json", "--limit", "3"))
		require.Len(t, first.Items, 3)
		rest := items[wire.RunItem](t, r.ok(t, "runs", "-o", "json", "--limit", "3", "--cursor", first.Next))
		require.Len(t, rest.Items, 1)
		require.Equal(t, "good", rest.Items[0].Key)
		_, errs, _ := r("runs", "--limit", "1")
		require.Contains(t, errs, "--cursor ")
	})
}

func TestRunsTellTheirStory(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		text := r.ok(t, "audit", "calc:evil")
		require.Regexp(t, `^calc v1  run \S+  stuck  times in \S+\n`, text)
		require.Contains(t, text, "error: it can't be halved")
		require.Contains(t, text, "by tester")
		require.NotContains(t, r.ok(t, "audit", "calc:good"), "hush")
		var s story.Story
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, "audit", "calc:good", "-o", "json")), &s))
		require.Equal(t, domain.RunIsCompleted, s.State)
		require.Equal(t, len(s.Lines), strings.Count(r.ok(t, "audit", "calc:good", "-o", "ndjson"), "\n"))
		require.Equal(t, 1+len(s.Lines), strings.Count(r.ok(t, "audit", "calc:good", "-o", "csv"), "\n"))
		require.Equal(t, len(s.Lines), strings.Count(r.ok(t, "audit", "calc:good", "--follow"), "\n"), "the story of a run that has ended ends")
		live := r.ok(t, "audit", "calc:good", "--follow", "-o", "ndjson")
		require.Equal(t, len(s.Lines), strings.Count(live, "\n"))
		require.NotContains(t, live, "hush")

		across := items[wire.AuditRow](t, r.ok(t, "audit", "--failed", "--action", "check", "-o", "json"))
		require.Len(t, across.Items, 2)
		require.Equal(t, "too much", across.Items[0].Error)
		require.Len(t, items[wire.AuditRow](t, r.ok(t, "audit", "--by", "tester", "--what", "run.started", "-o", "json")).Items, fourRuns)
		require.Regexp(t, `AT +RUN +SAGA +WHAT`, r.ok(t, "audit"))

		require.Contains(t, r.ok(t, "why", "calc:evil"), "it can't be halved")
		var why explain.Reason
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, "why", "patient:calm", "-o", "json")), &why))
		require.Contains(t, why.Text, "more")
		end := why.Run.String()[28:]
		require.Contains(t, r.ok(t, "show", end), why.Run.String(), "a run is named by the end of its id, too")
		require.Equal(t, r.ok(t, "audit", "patient:calm", "-o", "csv"), r.ok(t, "audit", end, "-o", "csv"))
		require.Contains(t, r.ok(t, "undo-preview", "calc:good"), "it can't be cancelled")
		require.Contains(t, r.ok(t, "undo-preview", "patient:calm"), "it would end cancelled")
		stuck := r.ok(t, "undo-preview", "calc:evil", "-o", "json")
		for _, part := range []string{`"do": "stuck"`, "until somebody retries or skips it", `"do": "undo"`, `"ends": "compensated"`} {
			require.Contains(t, stuck, part, "what follows once somebody has settled it")
		}
		require.Contains(t, r.ok(t, "explore", "calc:good"), "the run is completed: nothing can become of it any more")
		tree := r.ok(t, "explore", "calc:evil")
		require.Contains(t, tree, "the run is stuck, at revision")
		require.Regexp(t, `(?m)^retry the undo of \S+\n├─ all goes well → compensated, nothing left\n`, tree)
		for line := range strings.Lines(tree) {
			require.LessOrEqual(t, tty.Width(strings.TrimSuffix(line, "\n")), 80, line)
		}
		require.Contains(t, r.ok(t, "explore", "calc:evil", "-o", "json"), `"why": "can lead to: compensated, nothing left"`)
		for _, command := range []string{"audit", "why", "undo-preview", "explore", "show"} {
			_, errs, code := r(command, "calc:none")
			require.Equal(t, ExitNotFound, code, "%s: %s", command, errs)
			require.Contains(t, errs, "check the run's id")
			require.Regexp(t, `^prog: (run )?calc:none: (no such run|not found)\n`, errs, "what was typed, not the request")
		}

		var stats wire.Stats
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, "stats", "--saga", "calc", "-o", "json")), &stats))
		of := make(map[string]wire.Counts)
		for _, st := range stats.Stats {
			of[strings.TrimSpace(string(st.Direction)+" "+st.Action)] = st.Counts
		}
		require.Equal(t, wire.Counts{Started: 3, Succeeded: 1, Failed: 1, StuckMore: 1}, of[""])
		require.Equal(t, wire.Counts{Started: 3, Succeeded: 3}, of["do double"])
		require.EqualValues(t, 1, of["undo double"].Stuck)
		require.Contains(t, r.ok(t, "stats", "--last", "1h"), "FAILURES")
	})
}

func TestExportHasRunsWithTheirEvents(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		text := r.ok(t, "export")
		require.NotContains(t, text, "hush")
		lines := strings.Split(strings.TrimSpace(text), "\n")
		require.Len(t, lines, fourRuns)
		var first struct {
			wire.RunItem
			Events []wire.Event `json:"events"`
		}
		require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
		require.Equal(t, "good", first.Key)
		require.Equal(t, first.Revision, first.Events[len(first.Events)-1].Revision)
		require.Equal(t, "run.started.v1", first.Events[0].Type)
		require.Contains(t, string(first.Events[0].Data), secret.Redacted)
		require.Equal(t, 1, strings.Count(r.ok(t, "export", "--saga", "patient"), "\n"))
	})
}

func TestIncidentsAreADesk(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		groups := func(flags ...string) []wire.IncidentGroup {
			return items[wire.IncidentGroup](t, r.ok(t, append([]string{"incidents", "-o", "json"}, flags...)...)).Items
		}
		require.Len(t, groups(), 1)
		id := groups()[0].ID
		require.Contains(t, r.ok(t, "incidents"), "undo of double")
		require.Equal(t, "noted: 1 run\n", r.ok(t, "incidents", "note", id, "asked the bank"))
		require.Equal(t, "taken: 1 run\n", r.ok(t, "incidents", "take", "calc:evil"))
		require.Equal(t, map[string]int{"tester": 1}, groups()[0].Assignees)
		r.ok(t, "incidents", "assign", id, "bob", "--reason", "he knows them")
		g := groups()[0]
		require.Equal(t, map[string]int{"bob": 1}, g.Assignees)
		require.Equal(t, "asked the bank", g.Note.Text)
		for query, n := range map[string]int{"assignee:bob": 1, "assignee:ada": 0, "group:" + id + " state:open": 1, "state:resolved": 0, "halved saga:calc": 1, "age:>2h": 0} {
			require.Len(t, items[wire.Incident](t, r.ok(t, "incidents", query, "-o", "json")).Items, n, query)
		}
		require.Len(t, items[wire.Incident](t, r.ok(t, "incidents", "assignee:bob", "halved", "-o", "json")).Items, 1)
		acts := items[wire.AuditRow](t, r.ok(t, "audit", "actor:tester what:run.noted", "-o", "json")).Items
		require.Len(t, acts, 1)
		require.Equal(t, "asked the bank", acts[0].Note)
		require.NotEmpty(t, items[wire.AuditRow](t, r.ok(t, "audit", "halved", "-o", "json")).Items)
		require.Len(t, items[wire.AuditRow](t, r.ok(t, "audit", "what:run.noted", "run:calc:evil", "-o", "json")).Items, 1)
		require.Equal(t, "snoozed: 1 group\n", r.ok(t, "incidents", "snooze", id, "--for", "2h", "--reason", "opens at nine"))
		require.Empty(t, groups())
		require.Equal(t, "opens at nine", groups("--snoozed")[0].Snooze.Reason)
		require.Len(t, items[wire.Incident](t, r.ok(t, "incidents", "--each", "--snoozed", "-o", "json")).Items, 1)
		require.Empty(t, items[wire.Incident](t, r.ok(t, "incidents", "--each", "-o", "json")).Items)
		r.ok(t, "incidents", "snooze", id, "--end")
		require.Len(t, groups(), 1)
		for line, want := range map[string]string{
			"incidents snooze " + id:                  "say when the snooze ends",
			"incidents snooze " + id + " --for 9999d": "366 days",
			"incidents note 0123456789abcdef x":       "no open incident",
			"incidents note " + id:                    "",
			"incidents asignee:bob":                   "did you mean assignee?",
			"incidents state:shut":                    "no state is called shut",
			"incidents state:open --state open":       "state is given twice",
			"incidents tak " + id:                     "did you mean take?",
			"runs --state runing":                     "--state: no state is called runing: did you mean running?", //nolint:misspell // the typing mistake is what is tested
			"runs --state held":                       "--state: what is held is not recorded in the runs",
			"bulk pause --state stuk --reason x":      "--state: no state is called stuk: did you mean stuck?",
			"bulk pause --state completed --reason x": "completed is not among the states to choose from",
			"audit acter:tester":                      "did you mean actor:tester?",
			"audit actor:tester acton:double":         "did you mean action?",
			"audit what:run.notd":                     "did you mean run.noted?",
		} {
			_, errs, code := r(strings.Split(line, " ")...)
			require.NotEqual(t, ExitOK, code, line)
			require.Contains(t, errs, want, line)
		}
	})
}

func TestManyRunsAreSteeredAtOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		open := items[wire.Incident](t, r.ok(t, "incidents", "--each", "-o", "json"))
		require.Len(t, open.Items, 1)
		require.Equal(t, "double", open.Items[0].Step)
		require.Regexp(t, `undo of double +open +it can't be halved`, r.ok(t, "incidents", "--saga", "calc", "--action", "double"))

		out, errs, code := r("bulk", "cancel", "--label", "team=blue", "--dry-run")
		require.Equal(t, ExitOK, code, errs)
		require.Contains(t, out, "patient v1")
		require.Contains(t, errs, "would undo: ")
		require.NotContains(t, errs, `\n`)
		require.Contains(t, errs, "1 run would be cancelled")
		_, errs, code = r("bulk", "cancel", "--label", "team=blue", "-y")
		require.Equal(t, ExitUsage, code, "there is no terminal to ask at")
		require.Contains(t, errs, "bulk cancel needs a --reason")
		_, errs, code = r("bulk", "cancel", "--label", "team=blue", "-r", "over")
		require.Equal(t, ExitUnconfirmed, code)
		require.Contains(t, errs, "this is the plan to cancel 1 run")
		require.Contains(t, errs, "next: `prog bulk cancel --label team=blue")
		require.Contains(t, errs, "nothing was done")
		require.Regexp(t, `^run \S+  patient v1  waiting\n`, r.ok(t, "show", "patient:calm"), "as lists say it")
		_, errs, code = r("signal", "patient:calm", "mor", "-d", `{"n": 1}`)
		require.NotEqual(t, ExitOK, code)
		require.Contains(t, errs, `no step of patient awaits the signal "mor": it awaits more`)
		r.ok(t, "signal", "patient:calm", "mor", "-d", `{"n": 1}`, "--keep")

		out, errs, code = r("start", "calc", "-d", `{"n": 666}`, "--key", "more evil", "--wait", "-q")
		require.Equal(t, ExitStuck, code, out+errs)
		var report saga.BulkReport
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, "bulk", "retry", "--saga", "calc", "--key-prefix", "more", "-r", "try again", "-y", "-o", "json")), &report))
		require.Equal(t, 1, report.Done)
		require.True(t, report.Results[0].Done)
		r.ok(t, "bulk", "pause", "--key-prefix", "ca", "-r", "wait", "-y")
		r.ok(t, "bulk", "resume", "--run", "patient:calm", "-r", "go on", "-y")
		r.ok(t, "bulk", "cancel", "--saga", "patient", "--state", "running", "-r", "over", "-y")
		require.Contains(t, r.ok(t, "show", "patient:calm"), "cancelled")
		r.ok(t, "bulk", "skip", "--action", "double", "--key-prefix", "evil", "-r", "halved by hand", "-y")
		require.Contains(t, r.ok(t, "show", "calc:evil"), "compensated")
		resolved := items[wire.Incident](t, r.ok(t, "incidents", "--state", "resolved", "-o", "json"))
		require.NotEmpty(t, resolved.Items)
		require.Equal(t, "tester", resolved.Items[0].By)

		require.Contains(t, r.ok(t, "bulk", "abandon", "--all", "-r", "the end", "-y", "-o", "json"), `"matched"`)
	})
}

func TestEventsAreEmittedOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		var first, again saga.Emitted
		emit := []string{"emit", "order-placed", "-d", `{"order": 42}`, "--stream", "orders", "--id", "42", "--correlation", "c", "-o", "json"}
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, emit...)), &first))
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, emit...)), &again))
		require.Equal(t, first, again)
		require.Equal(t, "orders", first.Stream)
		require.Regexp(t, `^[-0-9a-f]{36}: event 0 of events, at position \d+\n$`, r.ok(t, "emit", "noted"))
		emit[3] = `{"order": 43}`
		_, errs, code := r(emit...)
		require.Equal(t, ExitRefused, code)
		require.Contains(t, errs, "use another id")
		require.NotEmpty(t, r.ok(t, "emit", "order-paid", "-d", `{"n": 1}`, "--stream", "order-2"))
		events := func(args ...string) (types []string) {
			var page wire.Page[wire.Event]
			require.NoError(t, json.Unmarshal([]byte(r.ok(t, append([]string{"events", "-o", "json"}, args...)...)), &page))
			for _, e := range page.Items {
				types = append(types, e.Type)
			}
			return types
		}
		require.Equal(t, []string{"order-paid", "noted", "order-placed"}, events())
		require.Equal(t, []string{"order-placed", "order-paid"}, events("--type", "order-*", "--oldest-first"))
		require.Equal(t, []string{"noted"}, events("--stream", "events", "--since", "1h"))
		require.Equal(t, []string{"order-paid", "order-placed"}, events("--stream", "order*"))
		require.Equal(t, []string{"order-placed"}, events("--correlation", "c", "--type", "order-placed", "--type", "noted"))
		require.Empty(t, events("--stream", "order"))
		var page wire.Page[wire.Event]
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, "events", "--limit", "2", "-o", "json")), &page))
		require.Equal(t, []string{"order-placed"}, events("--cursor", page.Next))
		require.Equal(t, []string{"order-paid"}, events("--cursor", page.Next, "--oldest-first"))
		require.Equal(t, 3, strings.Count(r.ok(t, "events", "--all", "-o", "ndjson"), "\n"))
		require.Regexp(t, `(?s)AT .* TYPE .*order-placed +orders .*\{"order": ?42\}`, r.ok(t, "events"))
		for _, args := range [][]string{{"--type", "a*", "--type", "b"}, {"--cursor", "x"}, {"order-placed"}} {
			_, errs, code = r(append([]string{"events"}, args...)...)
			require.Equal(t, ExitUsage, code, errs)
		}
		_, errs, code = r("emit", "run.started.v1")
		require.Equal(t, ExitUsage, code)
		require.Contains(t, errs, "reserved")
	})
}

func TestTokensAreShownOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		secret := strings.TrimSpace(r.ok(t, "token", "create", "kim", "--scope", "read,operate", "--saga", "calc", "--expires-in", "90d"))
		require.True(t, strings.HasPrefix(secret, "atone_"), secret)
		_, errs, code := r("token", "create", "kim", "--scope", "read")
		require.Equal(t, ExitRefused, code)
		require.Contains(t, errs, "revoke")
		list := r.ok(t, "token", "list")
		require.Regexp(t, `kim +read operate +calc +good +(now|\d+s ago) +tester +in \d+d`, list)
		require.NotContains(t, list+r.ok(t, "token", "list", "-o", "json"), secret)
		require.Equal(t, "kim: revoked\n", r.ok(t, "token", "revoke", "kim", "--yes"))
		require.Regexp(t, `kim .* revoked`, r.ok(t, "token", "list"))
		_, _, code = r("token", "revoke", "kim")
		require.Equal(t, ExitNotFound, code)
		for _, args := range [][]string{{"kim"}, {"kim", "--scope", "all"}, {"k im", "--scope", "read"}, {"kim", "--scope", "read", "--expires-in", "soon"}} {
			_, errs, code := r(append([]string{"token", "create"}, args...)...)
			require.Equal(t, ExitUsage, code, "%v: %s", args, errs)
		}
	})
}

func TestViewsAreRebuilt(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		before := r.ok(t, "runs", "-o", "ndjson", "--state", "completed,compensated")
		r.ok(t, "projections", "rebuild", "--all")
		require.Equal(t, before, r.ok(t, "runs", "-o", "ndjson", "--state", "completed,compensated"))
		var list []wire.View
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, "projections", "status", "-o", "json")), &list))
		require.Len(t, list, len(views.All()))
		for _, v := range list {
			require.True(t, v.Built, v.View)
		}
		require.Regexp(t, `VIEW +VERSION +STATE +EVENTS +POSITION +BEHIND +AGE +ERROR\nruns +\d+ +good`, r.ok(t, "projections", "status"))
		_, errs, code := r("projections", "rebuild", "nonesuch")
		require.Contains(t, []Exit{ExitUsage, ExitNotFound}, code, errs)
	})
}

func TestBadQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		r.ok(t, "start", "calc", "-d", `{"n": 1}`, "--wait", "-q")
		for _, c := range []struct{ line, says string }{
			{"runs --state asleep", "there are running"},
			{"runs --limit 0", "1 to 1000"},
			{"runs --label green", "NAME=VALUE"},
			{"runs --since yesterday", "how long ago"},
			{"runs --parent 7", "is not a run"},
			{"runs --sort size", "use started"},
			{"runs -o yaml", "use table, wide, json, ndjson, csv"},
			{"runs --cursor x", "cursor"},
			{"runs --version 0", "versions begin with 1"},
			{"runs saga:clac", "did you mean calc?"},
			{"runs sate:stuck", "did you mean state?"},
			{"bulk cancel saga:clac --yes -r x", "did you mean calc?"},
			{"bulk cancel --state paused", "there are running, compensating, stuck"},
			{"runs extra:word", "there is no condition extra"},
			{"audit --follow -o csv", "text or ndjson"},
			{"runs --watch", "give -o ndjson"},
			{"audit calc:good --saga calc", "leave out the run"},
			{"audit calc:good calc:bad", "there is no condition calc"},
			{"why", "usage: prog why RUN"},
			{"incidents --state shut", "use open"},
			{"bulk retry", "give a condition that selects runs"},
			{"bulk cancel --all --saga calc", "not both"},
			{"bulk abandon --saga calc", "--reason"},
			{"bulk retry --saga calc --yes", "--reason"},
			{"resolve calc:evil --skip --yes", "--reason"},
			{"bulk substitute --saga calc", "--output-json"},
			{"bulk retry --saga calc --limit 0", "--limit is 1"},
			{"bulk retry --saga calc --first 0 -r x --yes", "1 or more"},
			{"bulk retry --saga calc --stop-after 0 -r x --yes", "1 or more"},
			{"bulk retry --state asleep", "there are running"},
			{"emit x -d {", "not valid JSON"},
			{"emit x --stream atone-1", "a name that atone reserves"},
			{"stats --last soon", "is not a duration"},
			{"projections rebuild", "name a view"},
			{"export -o csv", "use ndjson"},
			{"audit verify", "give a run, or --all"},
			{"audit anchor", "audit keygen"},
			{"audit verify --all --anchor x", "needs --key"},
			{"audit verify --all --anchor x --key y", "neither a file nor a key"},
		} {
			out, errs, code := r(strings.Fields(c.line)...)
			require.Equal(t, ExitUsage, code, "%s: %s%s", c.line, out, errs)
			require.Contains(t, errs, c.says, c.line)
			require.Contains(t, errs, "next: ", c.line)
		}
	})
}

func TestServerErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t)
	reader := testToken(t, tokens, "reader", auth.Read)
	for _, c := range []struct {
		args []string
		want Exit
		says string
	}{
		{[]string{"runs", "--server", url, "--token", "atone_000000000000_x"}, ExitDenied, "ATONE_TOKEN"},
		{[]string{"cancel", "calc:x", "--server", url, "--token", reader}, ExitDenied, "use a token that allows it"},
		{[]string{"runs", "--server", "ftp://x"}, ExitUsage, "is not a URL"},
		{[]string{"runs", "--server", url, "--data", "x"}, ExitUsage, "give --server or --data, not both"},
		{[]string{"runs", "--server", url, "--token", "@" + t.TempDir() + "/none"}, ExitUsage, "read the token"},
		{[]string{"audit", "verify", "--all", "--server", url}, ExitUsage, "reads the log itself"},
	} {
		out, errs, code := remotely(t, c.args...)
		require.Equal(t, c.want, code, "%v: %s%s", c.args, out, errs)
		require.Contains(t, errs, c.says)
	}
	require.Equal(t, ExitUnreachable, exitOf(fmt.Errorf("x: %w", noServer(t))))
	require.Contains(t, console.Text(advice(&access.Env{Program: &host.Program{}, Console: &console.Console{}}, noServer(t))), "check --server")
}
