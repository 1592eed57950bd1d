package tty

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Size returns the width and height of the terminal that w is, and whether it is one.
func Size(w io.Writer) (width, height int, ok bool) {
	f, isFile := w.(interface{ Fd() uintptr }) // an *os.File, or what wraps one
	if !isFile || !Is(w) {
		return 0, 0, false
	}
	width, height, err := term.GetSize(int(f.Fd()))
	return width, height, err == nil && width > 0 && height > 0
}

// Is reports whether a reader or writer is a terminal.
func Is(v any) bool {
	f, isFile := v.(interface{ Fd() uintptr })
	return isFile && term.IsTerminal(int(f.Fd()))
}

// Palette colours text. The zero value leaves it plain.
type Palette struct{ on bool }

// PaletteFor returns the colours for w: none unless w is a terminal, and NO_COLOR is unset
// (https://no-color.org).
func PaletteFor(w io.Writer) Palette {
	_, _, ok := Size(w)
	return Palette{on: ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// On reports whether the palette colours.
func (p Palette) On() bool { return p.on }

func (p Palette) wrap(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Bold returns s in bold.
func (p Palette) Bold(s string) string { return p.wrap("1", s) }

// Dim returns s in a faint colour.
func (p Palette) Dim(s string) string { return p.wrap("2", s) }

// Good returns s in the colour of success.
func (p Palette) Good(s string) string { return p.wrap("32", s) }

// Bad returns s in the colour of failure.
func (p Palette) Bad(s string) string { return p.wrap("31", s) }

// Warn returns s in the colour of warnings.
func (p Palette) Warn(s string) string { return p.wrap("33", s) }

// Undo returns s in the colour of undoing.
func (p Palette) Undo(s string) string { return p.wrap("35", s) }

// Info returns s in the colour of work under way.
func (p Palette) Info(s string) string { return p.wrap("36", s) }
