package look

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/next"
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/visible"
	"github.com/atonehq/atone/saga/explain"
)

func newShowCommand(env *access.Env) *cobra.Command {
	return ofRun(env, cobra.Command{
		Use:     "show RUN",
		Short:   "Show a run: its state, its steps, and what it waits for",
		Example: fmt.Sprintf("  %[1]s show order:4711\n  %[1]s show 0198c0de-0000-7000-8000-000000000001 -o json", env.Program.Name),
	}, (*client.Client).Run, func(run wire.Run) error { return printRun(env, &run) },
		func(run wire.Run) []console.Step { return next.For(env, run.Why) })
}

// printRun shows a run to people.
func printRun(env *access.Env, r *wire.Run) error {
	p := env.Colours()
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(env.Out, "%-9s %s\n", name, console.Plain(value))
		}
	}
	state := console.LookState(p, stands(r), string(stands(r)))
	fmt.Fprintf(env.Out, "%s  %s\n", p.Bold(fmt.Sprintf("run %s  %s v%d", r.ID, console.Plain(r.Saga), r.Version)), state)
	if r.Why != nil && !r.State.Ended() {
		now := time.Now()
		line("waiting", r.Why.Tell(now, explain.ClockIn(now, env.Location())))
	}
	if r.Cause != nil {
		line("cause", r.Cause.String())
	}
	line("left", strings.Join(r.Left, ", "))
	when := env.Moment(r.Started)
	if r.Actor != "" {
		when += " by " + r.Actor
	}
	if !r.Ended.IsZero() {
		when += ", ended " + env.Moment(r.Ended) + " after " + story.Short(r.Ended.Sub(r.Started))
	}
	line("started", when)
	line("deadline", env.Moment(r.Deadline))
	line("key", r.Key)
	line("labels", labelText(r.Labels))
	if r.Parent != nil {
		line("parent", r.Parent.Run.String()+" at "+r.Parent.Step)
	}
	if r.AgainOf != (domain.RunID{}) {
		line("again of", r.AgainOf.String())
	}
	for _, id := range r.Again {
		line("started again as", id.String())
	}
	line("input", visible.AsWritten(r.Input))
	line("output", visible.AsWritten(r.Output))
	if len(r.Steps) == 0 {
		return nil
	}
	fmt.Fprintln(env.Out)
	table := &console.Listing[explain.Step]{Console: env.Console, Columns: []console.Column[explain.Step]{
		{Name: "STEP", Text: func(s explain.Step) string { return s.Path }},
		{Name: "ACTION", Rank: 1, Text: func(s explain.Step) string { return s.Action }},
		{Name: "STATE", Text: func(s explain.Step) string { return s.Phase.String() }},
		{Name: "ATTEMPTS", Text: func(s explain.Step) string { return console.Count(s.Attempts) }},
		{Name: "UNDOS", Rank: 3, Text: func(s explain.Step) string { return console.Count(s.Undos) }},
		{Name: "TRIED", Rank: 2, Time: func(s explain.Step) time.Time { return s.Tried }},
		{Name: "DETAIL", Long: true, Text: func(s explain.Step) string { return stepDetail(env.Console, &s) }},
	}}
	return table.Page(wire.Page[explain.Step]{Items: r.Steps})
}

// stands is how the run stands, in the word that lists of runs and the page have for it.
func stands(r *wire.Run) domain.RunState {
	if r.Why == nil {
		return r.State
	}
	return r.Why.Standing.Shown(r.State)
}

func stepDetail(c *console.Console, st *explain.Step) string {
	switch {
	case st.Incident != "" && st.Cause != nil:
		return "incident " + st.Incident + ": " + st.Cause.Message
	case !st.RetryAt.IsZero() && st.Cause != nil:
		return "again " + c.Moment(st.RetryAt) + " after: " + st.Cause.Message
	case len(st.Details) > 0:
		return "last heartbeat: " + string(st.Details)
	case st.Child != nil:
		return "run " + st.Child.String()
	case st.Cause != nil:
		return st.Cause.Message
	}
	return ""
}

func labelText(labels map[string]string) string {
	list := make([]string, 0, len(labels))
	for k, v := range labels {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
