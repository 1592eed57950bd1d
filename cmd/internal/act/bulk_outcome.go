package act

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// watchFor is how long a bulk act is followed by default.
const watchFor = 10 * time.Second

// became is how a run stands some time after the act.
type became struct {
	State domain.RunState
	Cause string // of a stuck run
	over  bool   // it does not go on by itself
}

// bulkRow is what happened to one run, and what became of it.
type bulkRow struct {
	saga.BulkResult
	// Now is the run's state some time after the act; empty where nobody looked.
	Now domain.RunState `json:"now,omitempty"`
	// Cause is why the run is stuck then.
	Cause string `json:"cause,omitempty"`
}

// shown is how the run stands, in the word that lists have for it.
func (r *bulkRow) shown() domain.RunState { return explain.Standing(r.Standing).Shown(r.State) }

// bulkOutcome is the report of a bulk act with what became of the runs.
type bulkOutcome struct {
	saga.BulkReport
	// Became counts the runs by their state some time after the act.
	Became  map[domain.RunState]int `json:"became,omitempty"`
	Results []bulkRow               `json:"results"`
}

// settle watches the runs of a bulk act, if it lets runs go on, until they have ended or wait for a
// person, the time is over, or ctx ends.
func settle(ctx context.Context, env *access.Env, c *client.Client, report *saga.BulkReport, act saga.BulkAct, within time.Duration) map[domain.RunID]became {
	if !act.StuckOnly() && act != saga.BulkCancel {
		return nil
	}
	var open []domain.RunID
	for _, r := range report.Results {
		if r.Done {
			open = append(open, r.Run)
		}
	}
	within = min(within, time.Hour)
	until := time.Now().Add(within)
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	now := make(map[domain.RunID]became, len(open))
	show := newProgress(env)
	defer show("")
	for pace := 50 * time.Millisecond; len(open) > 0 && ctx.Err() == nil; pace = min(2*pace, time.Second) {
		show(fmt.Sprintf("%s to go, ctrl-C ends", counted(len(open))))
		lookAt(ctx, c, open, now)
		open = slices.DeleteFunc(open, func(id domain.RunID) bool { return now[id].over })
		select {
		case <-time.After(min(pace, time.Until(until))):
		case <-ctx.Done():
		}
	}
	return now
}

// lookAt notes how runs stand. A run that can't be read is left as it was.
func lookAt(ctx context.Context, c *client.Client, runs []domain.RunID, now map[domain.RunID]became) {
	var all errgroup.Group
	all.SetLimit(8)
	var mu sync.Mutex
	for _, id := range runs {
		all.Go(func() error {
			run, err := c.Run(ctx, id)
			if err != nil {
				return nil //nolint:nilerr // it is only not watched
			}
			b := became{State: run.State, over: run.State.Ended() || run.State == domain.RunIsStuck}
			if run.Why != nil {
				b.over = b.over || slices.Contains([]explain.Standing{explain.Paused, explain.Held, explain.Blocked, explain.StuckBelow}, run.Why.Standing)
			}
			for i := range run.Steps {
				if s := &run.Steps[i]; s.Incident != "" && s.Cause != nil {
					b.Cause = s.Cause.Message
				}
			}
			mu.Lock()
			defer mu.Unlock()
			now[id] = b
			return nil
		})
	}
	_ = all.Wait() // no function returns an error
}

// outcomeOf adds what became of the runs to a report.
func outcomeOf(report *saga.BulkReport, now map[domain.RunID]became) *bulkOutcome {
	out := &bulkOutcome{BulkReport: *report, Results: make([]bulkRow, len(report.Results))}
	if len(now) > 0 {
		out.Became, out.StuckAgain = make(map[domain.RunState]int), 0
	}
	for i, r := range report.Results {
		b, seen := now[r.Run]
		out.Results[i] = bulkRow{r, b.State, b.Cause}
		if seen {
			out.Became[b.State]++
		}
		if len(now) > 0 && (b.State == domain.RunIsStuck || !seen && r.Done && r.Error != "") {
			out.StuckAgain++
		}
	}
	return out
}

// text says what became of the runs, such as "3 done, 5 stuck again: card_gone".
func (o *bulkOutcome) text(act saga.BulkAct) string {
	stuck := "stuck again"
	if act == saga.BulkCancel {
		stuck = "stuck"
	}
	goesOn, seen := 0, 0
	for state, n := range o.Became {
		seen += n
		if !state.Ended() && state != domain.RunIsStuck {
			goesOn += n
		}
	}
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{
		{o.Became[domain.RunIsCompleted], "done"}, {o.Became[domain.RunIsCompensated] + o.Became[domain.RunIsCancelled], "undone"},
		{o.Became[domain.RunIsAbandoned], "abandoned"}, {goesOn, "going on"}, {o.Done - seen, "not looked at"}, {o.StuckAgain, stuck},
	} {
		if p.n > 0 && len(o.Became) > 0 || p.n > 0 && p.word == stuck {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	text := strings.Join(parts, ", ")
	if causes := o.causes(); causes != "" {
		text += ": " + causes
	}
	return text
}

// causes lists why runs are stuck, the most frequent causes first.
func (o *bulkOutcome) causes() string {
	var causes cause.Tally
	for i := range o.Results {
		if r := &o.Results[i]; r.Now == domain.RunIsStuck {
			causes.Add(r.Cause)
		}
	}
	return causes.String()
}

// refusals says how many runs of a dry run would refuse, and why; empty if none would.
func refusals(dry *saga.BulkReport) string {
	if dry.Failed == 0 {
		return ""
	}
	var reasons cause.Tally
	for i := range dry.Results {
		reasons.Add(dry.Results[i].Error)
	}
	return fmt.Sprintf("%d would refuse: %s", dry.Failed, reasons.String())
}

func bulkListing(env *access.Env) *console.Listing[bulkRow] {
	type row = bulkRow
	return &console.Listing[row]{Console: env.Console, None: "no such runs", Columns: []console.Column[row]{
		{Name: "RUN", Text: func(r row) string { return r.Run.String() }, Short: func(r row) string { return console.ShortID(r.Run) }},
		{Name: "SAGA", Rank: 1, Text: func(r row) string { return fmt.Sprintf("%s v%d", r.Saga, r.Version) }},
		{Name: "STATE", Text: func(r row) string { return string(r.shown()) }, Look: func(p tty.Palette, r row, s string) string { return console.LookState(p, r.shown(), s) }},
		{Name: "NOW", Text: func(r row) string { return string(r.Now) }, Look: func(p tty.Palette, r row, s string) string { return console.LookState(p, r.Now, s) }},
		{Name: "ERROR", Long: true, Text: func(r row) string {
			if r.Error == "" {
				return r.Cause
			}
			return r.Error
		}, Look: func(p tty.Palette, _ row, s string) string { return p.Bad(s) }},
	}}
}

// afterBulk are the steps after a bulk act, or after its dry run.
func afterBulk(env *access.Env, o *bulkOutcome) (steps []console.Step) {
	again := *env.Console
	drop := func(flags ...string) {
		for _, f := range flags {
			again.Line = console.WithoutFlag(again.Line, f)
		}
	}
	if o.DryRun {
		if len(o.Results) == 0 {
			return nil
		}
		if o.Failed == len(o.Results) {
			return []console.Step{{Command: env.CommandLine("why", o.Results[0].Run.String()), Why: "tells what a run that would refuse waits for"}}
		}
		again.Line = slices.DeleteFunc(slices.Clone(env.Line), func(w string) bool { return strings.HasPrefix(w, "--dry-run") })
		return []console.Step{again.AgainStep("does it", "--yes")}
	}
	if i := slices.IndexFunc(o.Results, func(r bulkRow) bool { return r.Error != "" && !r.Done }); i >= 0 {
		steps = append(steps, console.Step{Command: env.CommandLine("why", o.Results[i].Run.String()), Why: "tells what a run that refused waits for"})
	}
	if o.StuckAgain > 0 {
		steps = append(steps, console.Step{Command: env.CommandLine("incidents"), Why: "tells why runs are stuck again"})
	}
	if o.More && len(o.Results) > 0 {
		drop("first", "after")
		why := "goes on with the rest"
		if o.Failed > 0 {
			why += "; without --after it begins with those that refused"
		} else if o.Stopped {
			why += "; without --after it begins with those that are stuck again"
		}
		steps = append(steps, again.AgainStep(why, "--after", o.Results[len(o.Results)-1].Run.String()))
	}
	return steps
}

// printForeseen says what a bulk act would undo, or leave, and how many runs would refuse it.
func printForeseen(w io.Writer, dry *saga.BulkReport, what saga.BulkAct) error {
	var lines []string
	if dry.Undo != nil {
		text := "would undo: "
		if what == saga.BulkAbandon {
			text = "would leave without its undo: "
		}
		lines = append(lines, text+dry.Foreseen())
	}
	if text := refusals(dry); text != "" {
		lines = append(lines, text)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(w, console.Plain(l)); err != nil {
			return err
		}
	}
	return nil
}

func printBulk(env *access.Env, o *bulkOutcome, r *saga.BulkRequest, done string) error {
	steps := afterBulk(env, o)
	if env.JSON() {
		return env.PrintJSON(o, steps...)
	}
	if err := bulkListing(env).Page(wire.Page[bulkRow]{Items: o.Results}); err != nil || o.Matched == 0 {
		return err
	}
	n := o.Done
	if o.DryRun {
		n = len(o.Results) - o.Failed
		if err := printForeseen(env.Err, &o.BulkReport, r.Act); err != nil {
			return err
		}
	}
	text := counted(n) + " " + done
	if became := o.text(r.Act); became != "" {
		text += ": " + became
	}
	if o.Failed > 0 && !o.DryRun {
		text += fmt.Sprintf("; %d refused", o.Failed)
	}
	if o.Stopped {
		text += "; stopped after too many failures"
	}
	if left := o.Matched - len(o.Results); left > 0 {
		text += fmt.Sprintf("; %d of %d that match are left", left, o.Matched)
	}
	if _, err := fmt.Fprintln(env.Err, console.Plain(text)); err != nil {
		return err
	}
	if o.DryRun {
		return nil
	}
	return env.Hint(steps...)
}

// counted writes a number of runs.
func counted(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}

// newProgress returns a function that shows a line in the place of the last one, at a terminal;
// an empty one ends it.
func newProgress(env *access.Env) func(line string) {
	if env.JSON() || !tty.Is(env.Err) {
		return func(string) {}
	}
	shown := false
	return func(line string) {
		if shown || line != "" {
			_, _ = fmt.Fprint(env.Err, "\r\x1b[K", line) // the act itself matters more
			shown = line != ""
		}
	}
}
