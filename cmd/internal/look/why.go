package look

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/next"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/saga/explain"
)

func newWhyCommand(env *access.Env) *cobra.Command {
	return ofRun(env, cobra.Command{
		Use:   "why RUN",
		Short: "Say why a run is waiting, and for what",
		Long: `Say in a sentence what an unfinished run waits for. Then list each wait, the chain of child runs down to the one that
blocks it, the signals that arrived early, and what you can do now. Times are in your zone.`,
		Example: fmt.Sprintf("  %[1]s why order:4711\n  %[1]s why order:4711 -o json", env.Program.Name),
	}, (*client.Client).Why, func(why explain.Reason) error { return printWhy(env, &why) },
		func(why explain.Reason) []console.Step { return next.For(env, &why) })
}

// printWhy prints what a run waits for.
func printWhy(env *access.Env, why *explain.Reason) error {
	now := time.Now()
	clock := explain.ClockIn(now, env.Location())
	fmt.Fprintln(env.Out, console.Plain(why.Tell(now, clock)))
	var rows [][]string
	if len(why.Waits) > 1 {
		for i := range why.Waits {
			wait := &why.Waits[i]
			rows = append(rows, []string{console.Plain(wait.Tell(now, clock)), since(wait.Since, clock)})
		}
	}
	parts := []part{{rows: rows}, {head: "heartbeats:", rows: heartbeats(why)}, {head: "below it:"}, {head: "signals that nothing has awaited:"}, {}}
	for i := range why.Chain {
		l := &why.Chain[i]
		parts[2].rows = append(parts[2].rows, []string{l.Run.String(), console.Plain(linkName(l)), console.Plain(l.Tell(now, clock))})
	}
	for i := range why.Signals {
		s := &why.Signals[i]
		parts[3].rows = append(parts[3].rows, []string{console.Plain(s.Name), console.Plain(tty.Cut(string(s.Payload), 60)), since(s.At, clock)})
	}
	parts[4] = levers(why)
	for _, p := range parts {
		if len(p.rows) > 0 && p.head != "" || p.alone {
			fmt.Fprintln(env.Out, p.head)
		}
		if err := tty.Align(env.Out, p.rows); err != nil {
			return err
		}
	}
	return nil
}

// part is a part of the answer: rows below a head, which is left out where there are none, unless
// it says something alone.
type part struct {
	head  string
	alone bool
	rows  [][]string
}

func since(t time.Time, clock explain.Clock) string {
	if t.IsZero() {
		return ""
	}
	return "since " + clock(t)
}

// heartbeats lists what attempts in flight last said of their progress.
func heartbeats(why *explain.Reason) (rows [][]string) {
	for i := range why.Waits {
		if w := &why.Waits[i]; len(w.Details) > 0 {
			rows = append(rows, []string{console.Plain(w.Step), console.Plain(tty.Cut(string(w.Details), 200))})
		}
	}
	return rows
}

// linkName names a run of the chain by its step and saga.
func linkName(l *explain.Link) string {
	if l.Saga == "" {
		return l.At
	}
	return fmt.Sprintf("%s: %s v%d", l.At, l.Saga, l.Version)
}

// levers tells what can be done to an unfinished run, and why the rest can't.
func levers(why *explain.Reason) (p part) {
	if why.State.Ended() {
		return p
	}
	var can []string
	for _, l := range why.Levers {
		if l.Off == "" {
			can = append(can, string(l.Act))
		} else {
			p.rows = append(p.rows, []string{"not " + string(l.Act) + ":", console.Plain(l.Off)})
		}
	}
	if len(can) > 0 {
		p.head, p.alone = "you can: "+strings.Join(can, ", "), true
	}
	return p
}
