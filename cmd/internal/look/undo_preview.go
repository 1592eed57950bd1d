package look

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/saga/machine"
)

func newUndoPreviewCommand(env *access.Env) *cobra.Command {
	return ofRun(env, cobra.Command{
		Use:   "undo-preview RUN",
		Short: "Show what cancelling a run would do now, step by step",
		Long: `Show what cancelling a run would do now, step by step, and do none of it. Steps of one wave are undone at the same
time; the next wave begins when they are through. For a run that is turning back already: what is left to undo.`,
		Example: fmt.Sprintf("  %s undo-preview order:4711", env.Program.Name),
	}, (*client.Client).PreviewCancel, func(p machine.Preview) error {
		if p.Refused != "" {
			_, err := fmt.Fprintf(env.Out, "it can't be cancelled: %s\n", console.Plain(p.Refused))
			return err
		}
		rows := [][]string{{"WAVE", "DO", "STEP", "ACTION", "INPUT", "OUTPUT", "NOTE"}}
		for _, s := range p.Steps {
			note := s.Note
			if s.InDoubt {
				note = strings.TrimPrefix(note+"; in doubt whether it took effect", "; ")
			}
			rows = append(rows, []string{strconv.Itoa(s.Wave), string(s.Do), s.Step, s.Action, console.Cut(string(s.Input), 60), console.Cut(string(s.Output), 60), note})
		}
		if len(p.Steps) > 0 {
			if err := env.Table(rows); err != nil {
				return err
			}
		}
		return printEnds(env, &p)
	})
}

// printEnds says what a cancel would lead to.
func printEnds(env *access.Env, p *machine.Preview) error {
	var lines []string
	if p.Pending {
		lines = append(lines, "the cancel would wait for the outcome of the irreversible attempt: its success makes the cancel moot")
	}
	if p.Paused {
		lines = append(lines, "the run is paused: it is undone only once it is resumed")
	}
	if p.Ends != "" {
		end := "it would end " + string(p.Ends)
		if len(p.Left) > 0 {
			end += ", with these effects left: " + strings.Join(p.Left, ", ")
		}
		lines = append(lines, end)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(env.Out, console.Plain(l)); err != nil {
			return err
		}
	}
	return nil
}
