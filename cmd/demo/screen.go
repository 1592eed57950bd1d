package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
)

// display shows the board while it changes.
type display interface {
	// note shows an event of one run; text may be empty.
	note(b *board, r *row, text string)
	// say prints a line about the show itself, which stays on the screen.
	say(b *board, text string)
	// tick redraws what moves.
	tick(b *board)
}

// displayFor chooses the display for w.
func displayFor(w io.Writer, rows int) display {
	width, height, ok := tty.Size(w)
	p := tty.PaletteFor(w)
	if columns := columnsIn(width); ok && columns > 0 && (rows+columns-1)/columns+4 < height {
		return &screen{w: w, palette: p, columns: columns, width: width}
	}
	return &lines{w: w, palette: p}
}

// columnsIn returns how many runs fit beside each other. It leaves a terminal's last column free,
// because a line that fills it may wrap into two lines, which erase would miscount.
func columnsIn(width int) int { return (width - 1 + len(cellGap)) / (cellWidth + len(cellGap)) }

// lines prints each event as a line.
type lines struct {
	w       io.Writer
	palette tty.Palette
}

func (l *lines) note(b *board, r *row, text string) {
	if text != "" {
		fmt.Fprintf(l.w, "%8s  %s  %-9s %s\n", clock(b), r.key, r.name, text)
	}
}

func (l *lines) say(b *board, text string) {
	fmt.Fprintf(l.w, "%8s  %s\n", clock(b), l.palette.Bold(text))
}

func (l *lines) tick(*board) {}

func clock(b *board) string { return fmt.Sprintf("%.2fs", time.Since(b.began).Seconds()) }

// screen shows all runs at once and redraws them in place.
type screen struct {
	w       io.Writer
	palette tty.Palette
	columns int
	width   int // of the terminal, in characters
	drawn   int // lines on the terminal that the next drawing replaces
}

// cellWidth is the width of one run on the screen, in characters. cellGap separates two runs.
const (
	cellWidth = 38
	cellGap   = "   "
)

func (s *screen) note(*board, *row, string) {}

func (s *screen) say(b *board, text string) {
	s.erase()
	fmt.Fprintf(s.w, "%8s  %s\n", clock(b), s.palette.Bold(text))
	s.tick(b)
}

// erase removes the last drawing.
func (s *screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA\x1b[J", s.drawn)
		s.drawn = 0
	}
}

func (s *screen) tick(b *board) {
	var out strings.Builder
	height := (len(b.rows) + s.columns - 1) / s.columns
	fmt.Fprintf(&out, "\n%s\n", s.summary(b))
	for y := range height {
		for x := range s.columns {
			if i := x*height + y; i < len(b.rows) {
				if x > 0 {
					out.WriteString(cellGap)
				}
				out.WriteString(s.row(b.rows[i]))
			}
		}
		out.WriteByte('\n')
	}
	s.erase()
	_, _ = io.WriteString(s.w, out.String()) // the terminal may be gone
	s.drawn = height + 2
}

// summary summarises all runs, cut to the terminal's width.
func (s *screen) summary(b *board) string {
	plain := func(text string) string { return text }
	parts := []struct {
		text   string
		colour func(string) string
	}{
		{fmt.Sprintf("%8s  %d of %d ended", clock(b), b.ended, len(b.rows)), s.palette.Bold},
		{fmt.Sprintf("✔ %d completed", b.completed), s.palette.Good},
		{fmt.Sprintf("↶ %d compensated", b.ended-b.completed), s.palette.Undo},
		{fmt.Sprintf("%d under way", b.unfinished()), plain},
		{fmt.Sprintf("%d attempts in flight", b.inFlight()), plain},
		{fmt.Sprintf("%d retries", b.retries), plain},
	}
	var line strings.Builder
	used := 0
	for _, part := range parts {
		width := utf8.RuneCountInString(part.text)
		if used > 0 {
			width += len(cellGap)
		}
		if used+width >= s.width {
			break
		}
		if used > 0 {
			line.WriteString(cellGap)
		}
		line.WriteString(part.colour(part.text))
		used += width
	}
	return line.String()
}

// row draws a run in cellWidth characters. Its name may have at most 9.
func (s *screen) row(r *row) string {
	p := s.palette
	labels := [...]string{"user", "mail", "crm"}
	var marks []string
	for i, c := range r.cells {
		text := labels[i]
		switch c {
		case cellIdle:
			text = p.Dim("· " + text)
		case cellRunning:
			text = p.Info("▸ " + text)
		case cellDone:
			text = p.Good("✔ " + text)
		case cellWaiting:
			text = p.Warn("↻ " + text)
		case cellFailed:
			text = p.Bad("✘ " + text)
		case cellUndoing:
			text = p.Undo("↶ " + text)
		case cellUndone:
			text = p.Dim("⌫ " + text)
		}
		marks = append(marks, text)
	}
	end := " "
	switch r.state {
	case domain.RunIsCompleted:
		end = p.Good("✔")
	case domain.RunIsCompensated:
		end = p.Undo("↶")
	case domain.RunIsStuck:
		end = p.Bad("!")
	}
	name := fmt.Sprintf("%-9s %s", r.name, strings.TrimPrefix(r.key, "signup-"))
	if !r.known {
		name = p.Dim(name)
	}
	return fmt.Sprintf("  %s %s  %s", end, name, strings.Join(marks, " "))
}
