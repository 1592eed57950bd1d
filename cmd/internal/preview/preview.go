package preview

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/saga/explain"
)

// Print writes a preview: its steps as a table, and how the cancel would end.
func Print(c *console.Console, p *explain.Preview) error {
	if p.Refused != "" {
		_, err := fmt.Fprintf(c.Out, "it can't be cancelled: %s\n", console.Plain(p.Refused))
		return err
	}
	if len(p.Steps) > 0 {
		if err := listing(c).Page(wire.Page[explain.PreviewStep]{Items: p.Steps}); err != nil {
			return err
		}
	}
	for _, l := range ends(p) {
		if _, err := fmt.Fprintln(c.Out, console.Plain(l)); err != nil {
			return err
		}
	}
	return nil
}

func listing(c *console.Console) *console.Listing[explain.PreviewStep] {
	type row = explain.PreviewStep
	return &console.Listing[row]{Console: c, Columns: []console.Column[row]{
		{Name: "WAVE", Text: func(s row) string { return strconv.Itoa(s.Wave) }},
		{Name: "DO", Text: func(s row) string { return string(s.Do) }},
		{Name: "STEP", Text: func(s row) string { return s.Step }},
		{Name: "ACTION", Rank: 1, Text: func(s row) string { return s.Action }},
		{Name: "INPUT", Rank: 3, Long: true, Text: func(s row) string { return tty.Cut(string(s.Input), maxPayload) }},
		{Name: "OUTPUT", Rank: 2, Long: true, Text: func(s row) string { return tty.Cut(string(s.Output), maxPayload) }},
		{Name: "NOTE", Long: true, Text: note},
	}}
}

// maxPayload is how much of a payload is shown, in characters.
const maxPayload = 60

func note(s explain.PreviewStep) string {
	if s.InDoubt {
		return strings.TrimPrefix(s.Note+"; in doubt whether it took effect", "; ")
	}
	return s.Note
}

// ends says how a cancel would end.
func ends(p *explain.Preview) []string {
	var lines []string
	if p.Pending {
		lines = append(lines, "the cancel would wait for the outcome of the irreversible attempt: if it succeeds, the run can't be cancelled")
	}
	if p.Paused {
		lines = append(lines, "the run is paused: its undos start when it is resumed")
	}
	if p.Ends != "" {
		end := "it would end " + string(p.Ends)
		if len(p.Left) > 0 {
			end += ", with these effects left: " + strings.Join(p.Left, ", ")
		}
		lines = append(lines, end)
	}
	return lines
}
