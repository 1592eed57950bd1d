package console

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/atonehq/atone/cmd/internal/tty"
)

// Console is where a command reads and writes. Several goroutines may write to Err at once.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	// Output is the format of --output; empty means the command's own default.
	Output string
	// Verbose logs everything to Err.
	Verbose bool
}

// JSON reports whether output is for programs.
func (c *Console) JSON() bool { return c.Output == FormatJSON }

// Logger returns what a command logs to: what has the level, or everything with --verbose.
func (c *Console) Logger(level slog.Level) *slog.Logger {
	if c.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(c.Err, &slog.HandlerOptions{Level: level}))
}

// Quiet returns the logger for what runs beside a command: its errors are returned as well.
func (c *Console) Quiet() *slog.Logger {
	if c.Verbose {
		return c.Logger(slog.LevelDebug)
	}
	return slog.New(slog.DiscardHandler)
}

// Colours returns the colours of Out: none where it is not a terminal.
func (c *Console) Colours() tty.Palette { return tty.PaletteFor(c.Out) }

// PrintJSON writes a value for programs.
func (c *Console) PrintJSON(v any) error {
	enc := json.NewEncoder(c.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// PrintLines writes each value as a line of JSON.
func PrintLines[T any](c *Console, list []T) error {
	enc := json.NewEncoder(c.Out)
	enc.SetEscapeHTML(false)
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// Table writes rows in columns; the first row is the header.
func (c *Console) Table(rows [][]string) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = Plain(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	head, body, _ := strings.Cut(text.String(), "\n")
	_, err := fmt.Fprintf(c.Out, "%s\n%s", c.Colours().Bold(head), body)
	return err
}
