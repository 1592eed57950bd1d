package look

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/outlook"
)

// OutlookCommand returns the part of the command explore that is about a run.
func OutlookCommand(env *access.Env) *cobra.Command {
	return ofRun(env, cobra.Command{
		Short: "what can still become of a run: which acts lead to which ends",
		Long: `With RUN: for each thing that you can do now, the ends that it can lead to, each with the fewest answers of the world
that lead there. Nothing is done: no handler is called and nothing is written. Code of the saga is called on recorded
values only. Where it needs a value that is not recorded yet, every branch is followed, and the end says what it depends
on. A large run is explored in part; the command then says so.`,
		Example: fmt.Sprintf("  %[1]s explore order:4711\n  %[1]s explore order:4711 -o json", env.Program.Name),
	}, (*client.Client).Outlook, func(o outlook.Outlook) error { return printOutlook(env, &o) },
		func(o outlook.Outlook) []console.Step { return afterOutlook(env, &o) })
}

// printOutlook prints what can become of a run as a tree.
func printOutlook(env *access.Env, o *outlook.Outlook) error {
	if len(o.Acts) == 0 {
		_, err := fmt.Fprintf(env.Out, "the run is %s: nothing can become of it any more\n", o.State)
		return err
	}
	t := tree{p: env.Colours()}
	t.line("", "", fmt.Sprintf("the run is %s, at revision %d; you can:", o.State, o.Revision))
	for i := range o.Acts {
		t.act(&o.Acts[i])
	}
	if o.Cut != "" {
		t.line("", "", "not all: "+o.Cut)
	}
	_, err := fmt.Fprint(env.Out, t.b.String())
	return err
}

// tree is a tree in text that fits a terminal of 80 columns.
type tree struct {
	b strings.Builder
	p tty.Palette
}

func (t *tree) act(a *outlook.Act) {
	t.line("", "", "\n"+t.p.Bold(console.Plain(a.Text)))
	var rest []string
	if a.More > 0 {
		rest = append(rest, fmt.Sprintf("… and %d further ends", a.More))
	}
	if a.Cut {
		rest = append(rest, "… not everything that may follow was looked at")
	}
	for i := range a.Ends {
		first, further := "├─ ", "│    "
		if i == len(a.Ends)-1 && len(rest) == 0 {
			first, further = "└─ ", "     "
		}
		t.end(&a.Ends[i], first, further)
	}
	for i, text := range rest {
		first := "├─ "
		if i == len(rest)-1 {
			first = "└─ "
		}
		t.line(first, "     ", text)
	}
}

func (t *tree) end(e *outlook.End, first, further string) {
	text := "→ " + console.Plain(e.Text)
	if e.If != "" {
		text = console.Plain(e.If) + " " + text
	}
	if len(e.Depends) > 0 {
		text += " (depends on " + console.Plain(strings.Join(e.Depends, ", ")) + ")"
	}
	t.line(first, further, text)
}

// columns is the width of the tree.
const columns = 80

// line writes a text after first; what does not fit goes on in the next lines after further.
func (t *tree) line(first, further, text string) {
	line := first
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
		case tty.Width(line)+1+tty.Width(word) > columns:
			t.b.WriteString(line + "\n")
			line = further
		default:
			line += " "
		}
		for tty.Width(line)+tty.Width(word) > columns && !strings.HasPrefix(word, "\n") {
			part := tty.Head(word, columns-tty.Width(line))
			t.b.WriteString(line + part + "\n")
			line, word = further, word[len(part):]
		}
		line += word
	}
	t.b.WriteString(line + "\n")
}

// afterOutlook lists the acts that can end well, each with the end that it leads to at best.
func afterOutlook(env *access.Env, o *outlook.Outlook) (steps []console.Step) {
	run := env.Typed(o.Run)
	for i := range o.Acts {
		a := &o.Acts[i]
		if len(a.Ends) == 0 || !a.Ends[0].State.Ended() {
			continue
		}
		words := []string{string(a.Act), run}
		switch a.Act {
		case outlook.ActWait, explain.ActAbandon:
			continue
		case explain.ActSkip, explain.ActSubstitute:
			words[0] = "resolve"
		}
		if a.Step != "" {
			words = append(words, a.Step)
		}
		switch a.Act {
		case explain.ActSkip:
			words = append(words, "--skip")
		case explain.ActSubstitute:
			words = append(words, "--substitute", "OUTPUT")
		}
		steps = append(steps, console.Step{Command: env.CommandLine(words...), Why: "can lead to: " + a.Ends[0].Text})
	}
	return steps
}
