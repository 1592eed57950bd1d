package tty

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// cells counts characters as terminals show them. It does not depend on the locale, so that a table
// looks the same everywhere.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// Width is how many columns of a terminal the text takes: a wide character takes two, a combining
// one none.
func Width(s string) int { return cells.StringWidth(s) }

// Cut shortens a text to the columns that there are.
func Cut(s string, room int) string {
	switch {
	case Width(s) <= room:
		return s
	case room < 1:
		return ""
	}
	return cells.Truncate(s, room, "…")
}

// Align writes rows whose cells are aligned, each row after an indent. No line ends with blanks.
func Align(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell))
		}
	}
	for _, row := range rows {
		line, pad := "", 2
		for i, cell := range row {
			if cell != "" {
				line, pad = line+strings.Repeat(" ", pad)+cell, 0
			}
			pad += widths[i] - Width(cell) + 2
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// Head returns the beginning of a text that takes at most that many columns, at least a character.
func Head(s string, room int) string {
	used := 0
	for i, r := range s {
		if used += cells.RuneWidth(r); i > 0 && used > room {
			return s[:i]
		}
	}
	return s
}
