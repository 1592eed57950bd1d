package console

import (
	"encoding/csv"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/tty"
)

// Column is how one property of a T is shown.
type Column[T any] struct {
	Name string
	// Text is what people see; Look, if set, colours it.
	Text func(T) string
	Look func(tty.Palette, T, string) string
	// Value is what programs get in CSV; nil means Text.
	Value func(T) string
	// CSVOnly leaves the column out of tables.
	CSVOnly bool
}

// Listing writes lists of one kind.
type Listing[T any] struct {
	Console *Console
	Columns []Column[T]
	// None is said where there is nothing to list.
	None string

	csv *csv.Writer
}

// Page writes a page in the format that was asked for. CSV and NDJSON pages may follow each other.
func (l *Listing[T]) Page(p wire.Page[T]) error {
	if p.Old {
		if _, err := fmt.Fprintln(l.Console.Err, "these rows are old: they were made from another log, or from events that the log has lost. They are being rebuilt: ask again"); err != nil {
			return err
		}
	}
	switch l.Console.Output {
	case FormatJSON:
		if p.Items == nil {
			p.Items = []T{}
		}
		return l.Console.PrintJSON(p)
	case FormatNDJSON:
		return PrintLines(l.Console, p.Items)
	case FormatCSV:
		return l.writeCSV(p.Items)
	}
	if err := l.table(p.Items); err != nil || p.Next == "" {
		return err
	}
	_, err := fmt.Fprintf(l.Console.Err, "there are more: add --cursor %s, or --all\n", p.Next)
	return err
}

func (l *Listing[T]) writeCSV(items []T) error {
	if l.csv == nil {
		l.csv = csv.NewWriter(l.Console.Out)
		head := make([]string, len(l.Columns))
		for i, c := range l.Columns {
			head[i] = strings.ReplaceAll(strings.ToLower(c.Name), " ", "_")
		}
		if err := l.csv.Write(head); err != nil {
			return err
		}
	}
	for _, it := range items {
		cells := make([]string, len(l.Columns))
		for i, c := range l.Columns {
			value := c.Value
			if value == nil {
				value = c.Text
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
func (l *Listing[T]) table(items []T) error {
	if len(items) == 0 {
		_, err := fmt.Fprintln(l.Console.Err, l.None)
		return err
	}
	var columns []Column[T]
	for _, c := range l.Columns {
		if !c.CSVOnly {
			columns = append(columns, c)
		}
	}
	width := make([]int, len(columns))
	cells := make([][]string, len(items))
	for i, c := range columns {
		width[i] = len(c.Name)
	}
	for k, it := range items {
		cells[k] = make([]string, len(columns))
		for i, c := range columns {
			cells[k][i] = Plain(c.Text(it))
			width[i] = max(width[i], utf8.RuneCountInString(cells[k][i]))
		}
	}
	room, _, terminal := tty.Size(l.Console.Out)
	p := l.Console.Colours()
	var out strings.Builder
	line := func(cell func(i int) (string, func(string) string)) {
		left, pad := room, 0
		for i := range columns {
			text, look := cell(i)
			if terminal {
				text = Cut(text, left)
			}
			// Padding is written before the next text, so that no line ends with blanks.
			if text != "" {
				out.WriteString(strings.Repeat(" ", pad) + look(text))
				pad = 0
			}
			pad += width[i] - utf8.RuneCountInString(text) + 2
			left -= width[i] + 2
		}
		out.WriteByte('\n')
	}
	line(func(i int) (string, func(string) string) { return columns[i].Name, p.Bold })
	for k, it := range items {
		line(func(i int) (string, func(string) string) {
			return cells[k][i], func(s string) string {
				if columns[i].Look == nil {
					return s
				}
				return columns[i].Look(p, it, s)
			}
		})
	}
	_, err := fmt.Fprint(l.Console.Out, out.String())
	return err
}
