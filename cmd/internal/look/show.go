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
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

func newShowCommand(env *access.Env) *cobra.Command {
	return ofRun(env, cobra.Command{
		Use:     "show RUN",
		Short:   "Show a run: its state, its steps, and what it waits for",
		Example: fmt.Sprintf("  %[1]s show order:4711\n  %[1]s show 0198c0de-0000-7000-8000-000000000001 -o json", env.Program.Name),
	}, (*client.Client).Run, func(run wire.Run) error { return printRun(env, &run) })
}

// printRun shows a run to people.
func printRun(env *access.Env, r *wire.Run) error {
	p := env.Colours()
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(env.Out, "%-9s %s\n", name, console.Plain(value))
		}
	}
	state := string(r.State)
	switch r.State {
	case domain.RunIsCompleted:
		state = p.Good(state)
	case domain.RunIsStuck, domain.RunIsAbandoned:
		state = p.Bad(state)
	case domain.RunCompensating, domain.RunIsCompensated, domain.RunIsCancelled:
		state = p.Undo(state)
	}
	fmt.Fprintf(env.Out, "%s  %s\n", p.Bold(fmt.Sprintf("run %s  %s v%d", r.ID, console.Plain(r.Saga), r.Version)), state)
	line("waiting", r.Waiting)
	if r.Cause != nil {
		line("cause", r.Cause.String())
	}
	line("left", strings.Join(r.Left, ", "))
	when := r.Started.Local().Format(time.DateTime)
	if r.Actor != "" {
		when += " by " + r.Actor
	}
	if !r.Ended.IsZero() {
		when += ", ended after " + story.Short(r.Ended.Sub(r.Started))
	}
	line("started", when)
	line("key", r.Key)
	line("labels", labelText(r.Labels))
	if r.Parent != nil {
		line("parent", r.Parent.Run.String()+" at "+r.Parent.Step)
	}
	line("input", string(r.Input))
	line("output", string(r.Output))
	if len(r.Steps) == 0 {
		return nil
	}
	fmt.Fprintln(env.Out)
	rows := [][]string{{"STEP", "ACTION", "STATE", "ATTEMPTS", "UNDOS", "DETAIL"}}
	for _, st := range r.Steps {
		rows = append(rows, []string{st.Path, st.Action, st.Phase.String(), console.Count(st.Attempts), console.Count(st.Undos), stepDetail(&st)})
	}
	return env.Table(rows)
}

func stepDetail(st *saga.StepView) string {
	switch {
	case st.Incident != "" && st.Cause != nil:
		return "incident " + st.Incident + ": " + st.Cause.Message
	case !st.RetryAt.IsZero() && st.Cause != nil:
		return "again at " + st.RetryAt.Local().Format(time.TimeOnly) + " after: " + st.Cause.Message
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
