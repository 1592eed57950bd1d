package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
)

// Plain replaces what a terminal would obey, and what would break a table.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}

// Cut shortens a text to the room there is.
func Cut(s string, room int) string {
	if utf8.RuneCountInString(s) <= room {
		return s
	}
	if room < 1 {
		return ""
	}
	return string([]rune(s)[:room-1]) + "…"
}

// Joined lists texts with commas.
func Joined[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

// Count writes a number; nothing for 0.
func Count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Clock writes a time for people, in their own zone.
func Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

// Stamp writes a time for programs.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Age writes a long duration in its two largest units.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// LookState colours a run's state, or what stands for it.
func LookState(p tty.Palette, s domain.RunState, text string) string {
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
