package console

import (
	"encoding/csv"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/tty"
)

// Column shows one property of a T.
type Column[T any] struct {
	Name string
	// Text is what people see; Look, if set, colours it.
	Text func(T) string
	Look func(tty.Palette, T, string) string
	// Time is set instead of Text for a column of instants. It is shown as an age or a date.
	Time func(T) time.Time
	// Short is the text for narrow terminals; nil means Text.
	Short func(T) string
	// Long means that the text may be cut to fit.
	Long bool
	// Rank says which columns a narrow terminal hides first: the highest. Those of rank 0, the
	// default, are always shown.
	Rank int
	// Value is what programs get in CSV; nil means Text, or the time in RFC 3339.
	Value func(T) string
	// Wide shows the column in wide tables only, CSVOnly in none. Both are in CSV.
	Wide, CSVOnly bool
}

// text is what people see.
func (col *Column[T]) text(c *Console, item T) string {
	if col.Time != nil {
		return c.When(col.Time(item))
	}
	return col.Text(item)
}

// value is what programs get in CSV.
func (col *Column[T]) value(item T) string {
	switch {
	case col.Value != nil:
		return col.Value(item)
	case col.Time != nil:
		return Stamp(col.Time(item))
	}
	return col.Text(item)
}

// Listing writes lists of one kind.
type Listing[T any] struct {
	Console *Console
	Columns []Column[T]
	// None is printed if there is nothing to list.
	None string
	// Next lists what to do next about the items.
	Next []Step

	csv *csv.Writer
}

// Page writes a page in the format that was asked for. CSV and NDJSON pages may follow each other.
func (l *Listing[T]) Page(p wire.Page[T]) error {
	if p.Old {
		if _, err := fmt.Fprintln(l.Console.Err, "these rows are out of date: they were made from another log, or from events that the log has lost. They are being rebuilt: give the command again"); err != nil {
			return err
		}
	}
	switch l.Console.Output {
	case FormatJSON:
		if p.Items == nil {
			p.Items = []T{}
		}
		return l.Console.PrintJSON(p, l.next(p.Next)...)
	case FormatNDJSON:
		return PrintLines(l.Console, p.Items)
	case FormatCSV:
		return l.writeCSV(p.Items)
	}
	if err := l.table(p.Items); err != nil {
		return err
	}
	return l.Console.Hint(l.next(p.Next)...)
}

// next returns the steps after a page: the listing's own, and how to see the next page.
func (l *Listing[T]) next(cursor string) []Step {
	if cursor == "" {
		return l.Next
	}
	return append(l.Next[:len(l.Next):len(l.Next)], Step{l.Console.Without("cursor", "--cursor", cursor), "shows more, --all everything"})
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
			cells[i] = csvCell(c.value(it))
		}
		if err := l.csv.Write(cells); err != nil {
			return err
		}
	}
	l.csv.Flush()
	return l.csv.Error()
}

// csvCell prevents a spreadsheet from reading a text as a formula.
func csvCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// table writes the items in columns, at most as wide as the terminal, and says what it hides.
func (l *Listing[T]) table(items []T) error {
	c := l.Console
	if len(items) == 0 {
		_, err := fmt.Fprintln(c.Err, l.None)
		return err
	}
	wide := c.Output == FormatWide
	var columns []Column[T]
	for _, col := range l.Columns {
		if !col.CSVOnly && (wide || !col.Wide) {
			columns = append(columns, col)
		}
	}
	heads := make([]string, len(columns))
	cells := make([][2][]string, len(columns)) // the full texts and the short ones
	spans := make([]span, len(columns))
	for i := range columns {
		col := &columns[i]
		heads[i] = col.Name
		if zone := c.zone(); col.Time != nil && zone != "" {
			heads[i] += " " + zone
		}
		s := &spans[i]
		s.rank, s.full = col.Rank, tty.Width(heads[i])
		s.short = s.full
		for _, it := range items {
			text := Plain(col.text(c, it))
			short := text
			if col.Short != nil {
				short = Plain(col.Short(it))
			}
			cells[i][0], cells[i][1] = append(cells[i][0], text), append(cells[i][1], short)
			s.full, s.short = max(s.full, tty.Width(text)), max(s.short, tty.Width(short))
		}
		if s.least = s.full; col.Long {
			s.least = min(s.full, max(minLong, tty.Width(heads[i])))
		}
	}
	room, _, terminal := tty.Size(c.Out)
	if !terminal || wide {
		room = math.MaxInt
	}
	widths := fit(room, spans)
	if err := c.Page(draw(c.Colours(), columns, heads, items, cells, spans, widths)); err != nil {
		return err
	}
	return l.tellHidden(heads, widths)
}

// minLong is the least width of a text that is cut, where there is that much room.
const minLong = 24

// draw writes a table. Padding is written before the next text, so that no line ends with blanks.
func draw[T any](p tty.Palette, columns []Column[T], heads []string, items []T, cells [][2][]string, spans []span, widths []int) string {
	var out strings.Builder
	pad := 0
	put := func(i int, text string, look func(string) string) {
		text = tty.Cut(text, widths[i])
		if text != "" {
			out.WriteString(strings.Repeat(" ", pad) + look(text))
			pad = 0
		}
		pad += widths[i] - tty.Width(text) + gap
	}
	end := func() { out.WriteByte('\n'); pad = 0 }
	for i, head := range heads {
		if widths[i] > 0 {
			put(i, head, p.Bold)
		}
	}
	end()
	for k, it := range items {
		for i := range columns {
			if widths[i] == 0 {
				continue
			}
			text := cells[i][0][k]
			if widths[i] < spans[i].full && columns[i].Short != nil {
				text = cells[i][1][k]
			}
			put(i, text, func(s string) string {
				if columns[i].Look == nil {
					return s
				}
				return columns[i].Look(p, it, s)
			})
		}
		end()
	}
	return out.String()
}

// tellHidden says which columns a narrow terminal has hidden.
func (l *Listing[T]) tellHidden(heads []string, widths []int) error {
	var hidden []string
	for i, w := range widths {
		if w == 0 {
			hidden = append(hidden, heads[i])
		}
	}
	if len(hidden) == 0 {
		return nil
	}
	noun := "columns"
	if len(hidden) == 1 {
		noun = "column"
	}
	_, err := fmt.Fprintf(l.Console.Err, "%d %s hidden (%s): -o wide\n", len(hidden), noun, strings.Join(hidden, ", "))
	return err
}
