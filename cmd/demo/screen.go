package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
)

// display shows the board while it changes.
type display interface {
	// note tells of one run's event; text may be empty.
	note(b *board, r *row, text string)
	// say tells of something outside the runs, for good.
	say(b *board, text string)
	// tick redraws what moves.
	tick(b *board)
}

// displayFor chooses what w can show.
func displayFor(w io.Writer, rows int) display {
	width, height, ok := tty.Size(w)
	p := tty.PaletteFor(w)
	if columns := max(1, width/cellWidth); ok && (rows+columns-1)/columns+4 < height {
		return &screen{w: w, palette: p, columns: columns}
	}
	return &lines{w: w, palette: p}
}

// lines tells of each event in a line.
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
	drawn   int // lines on the terminal that the next drawing replaces
}

// cellWidth is the width of one run on the screen, in characters.
const cellWidth = 40

func (s *screen) note(*board, *row, string) {}

func (s *screen) say(b *board, text string) {
	s.erase()
	fmt.Fprintf(s.w, "%8s  %s\n", clock(b), s.palette.Bold(text))
	s.tick(b)
}

// erase takes back the last drawing.
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
				out.WriteString(s.row(b.rows[i]))
			}
		}
		out.WriteByte('\n')
	}
	s.erase()
	_, _ = io.WriteString(s.w, out.String()) // a terminal that is gone shows nothing
	s.drawn = height + 2
}

func (s *screen) summary(b *board) string {
	p := s.palette
	return fmt.Sprintf("%8s  %s of %d ended   %s   %s   %d under way, %d attempts in flight, %d retries", clock(b),
		p.Bold(fmt.Sprint(b.ended)), len(b.rows), p.Good(fmt.Sprintf("✔ %d completed", b.completed)),
		p.Undo(fmt.Sprintf("↶ %d compensated", b.ended-b.completed)), b.unfinished(), b.inFlight(), b.retries)
}

// row draws a run in cellWidth characters.
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
	return fmt.Sprintf("  %s %s  %s   ", end, name, strings.Join(marks, " "))
}
