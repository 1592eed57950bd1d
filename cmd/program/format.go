package program

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
)

// The formats that commands may have besides table and json.
const (
	formatTable  = "table"
	formatJSON   = "json"
	formatNDJSON = "ndjson" // one JSON value a line
	formatCSV    = "csv"    // RFC 4180, with a header
	formatText   = "text"
)

// formats gives a command an --output of its own; the first format is the default.
func (env *environment) formats(cmd *cobra.Command, list ...string) {
	cmd.Flags().VarP(&formatFlag{value: &env.output, list: list}, "output", "o", "how to print: "+strings.Join(list, ", "))
}

// formatFlag is a format out of a list.
type formatFlag struct {
	value *string
	list  []string
}

func (f *formatFlag) String() string {
	if f.value == nil || *f.value == "" {
		if len(f.list) == 0 {
			return ""
		}
		return f.list[0]
	}
	return *f.value
}

func (f *formatFlag) Set(s string) error {
	if !slices.Contains(f.list, s) {
		return fmt.Errorf("%q: use %s", s, strings.Join(f.list, ", "))
	}
	*f.value = s
	return nil
}

func (*formatFlag) Type() string { return "format" }

// column is how one property of a T is shown.
type column[T any] struct {
	name string
	// text is what people see; look, if set, colours it.
	text func(T) string
	look func(tty.Palette, T, string) string
	// value is what programs get in CSV; nil means text.
	value func(T) string
	// csvOnly leaves the column out of tables.
	csvOnly bool
}

// listing writes lists of one kind.
type listing[T any] struct {
	env     *environment
	columns []column[T]
	// none is said where there is nothing to list.
	none string

	csv *csv.Writer
}

// page writes a page in the format that was asked for. CSV and NDJSON pages may follow each other.
func (l *listing[T]) page(p wire.Page[T]) error {
	if p.Old {
		if _, err := fmt.Fprintln(l.env.Err, "these rows are old: they were made from another log, or from events that the log has lost. They are being rebuilt: ask again"); err != nil {
			return err
		}
	}
	switch l.env.output {
	case formatJSON:
		if p.Items == nil {
			p.Items = []T{}
		}
		return l.env.printJSON(p)
	case formatNDJSON:
		return printLines(l.env, p.Items)
	case formatCSV:
		return l.writeCSV(p.Items)
	}
	if err := l.table(p.Items); err != nil || p.Next == "" {
		return err
	}
	_, err := fmt.Fprintf(l.env.Err, "there are more: add --cursor %s, or --all\n", p.Next)
	return err
}

// printLines writes each value as a line of JSON.
func printLines[T any](env *environment, list []T) error {
	enc := json.NewEncoder(env.Out)
	enc.SetEscapeHTML(false)
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing[T]) writeCSV(items []T) error {
	if l.csv == nil {
		l.csv = csv.NewWriter(l.env.Out)
		head := make([]string, len(l.columns))
		for i, c := range l.columns {
			head[i] = strings.ReplaceAll(strings.ToLower(c.name), " ", "_")
		}
		if err := l.csv.Write(head); err != nil {
			return err
		}
	}
	for _, it := range items {
		cells := make([]string, len(l.columns))
		for i, c := range l.columns {
			value := c.value
			if value == nil {
				value = c.text
			}
			cells[i] = csvCell(value(it))
		}
		if err := l.csv.Write(cells); err != nil {
			return err
		}
	}
	l.csv.Flush()
	return l.csv.Error()
}

// csvCell keeps a spreadsheet from taking a text for a formula.
func csvCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// table writes the items in columns, not wider than the terminal.
func (l *listing[T]) table(items []T) error {
	if len(items) == 0 {
		_, err := fmt.Fprintln(l.env.Err, l.none)
		return err
	}
	var columns []column[T]
	for _, c := range l.columns {
		if !c.csvOnly {
			columns = append(columns, c)
		}
	}
	width := make([]int, len(columns))
	cells := make([][]string, len(items))
	for i, c := range columns {
		width[i] = len(c.name)
	}
	for k, it := range items {
		cells[k] = make([]string, len(columns))
		for i, c := range columns {
			cells[k][i] = plain(c.text(it))
			width[i] = max(width[i], utf8.RuneCountInString(cells[k][i]))
		}
	}
	room, _, terminal := tty.Size(l.env.Out)
	p := l.env.colours()
	var out strings.Builder
	line := func(cell func(i int) (string, func(string) string)) {
		left, pad := room, 0
		for i := range columns {
			text, look := cell(i)
			if terminal {
				text = cut(text, left)
			}
			if text != "" { // padding is written before the next text, so that no line ends with blanks
				out.WriteString(strings.Repeat(" ", pad) + look(text))
				pad = 0
			}
			pad += width[i] - utf8.RuneCountInString(text) + 2
			left -= width[i] + 2
		}
		out.WriteByte('\n')
	}
	line(func(i int) (string, func(string) string) { return columns[i].name, p.Bold })
	for k, it := range items {
		line(func(i int) (string, func(string) string) {
			return cells[k][i], func(s string) string {
				if columns[i].look == nil {
					return s
				}
				return columns[i].look(p, it, s)
			}
		})
	}
	_, err := fmt.Fprint(l.env.Out, out.String())
	return err
}

// cut shortens a text to the room there is.
func cut(s string, room int) string {
	if utf8.RuneCountInString(s) <= room {
		return s
	}
	if room < 1 {
		return ""
	}
	return string([]rune(s)[:room-1]) + "…"
}

// lookState colours a run's state, or what stands for it.
func lookState(p tty.Palette, s domain.RunState, text string) string {
	switch s {
	case domain.RunIsCompleted:
		return p.Good(text)
	case domain.RunIsStuck, domain.RunIsAbandoned:
		return p.Bad(text)
	case domain.RunCompensating, domain.RunIsCompensated, domain.RunIsCancelled:
		return p.Undo(text)
	}
	return p.Info(text)
}

// clock writes a time for people, in their own zone.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

// stamp writes a time for programs.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
