package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/visible"
	"github.com/atonehq/atone/projections/runs"
)

// Plain replaces characters that could control the terminal, break a table or reverse text by
// visible escapes.
func Plain(s string) string { return visible.Line(s) }

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

// When writes an instant for people: how long ago it was, or how soon it will be. With --utc or
// --local it writes the date and time; the head of the table names the zone.
func (c *Console) When(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case c.UTC, c.Local:
		return t.In(c.Location()).Format(time.DateTime)
	}
	d := time.Since(t)
	switch {
	case d >= time.Second:
		return rough(d) + " ago"
	case d <= -time.Second:
		return "in " + rough(-d)
	}
	return "now"
}

// Moment is When in a sentence, where no head names the zone.
func (c *Console) Moment(t time.Time) string {
	if c.UTC || c.Local {
		return c.Instant(t)
	}
	return c.When(t)
}

// Instant writes an instant for people with its date, time and zone.
func (c *Console) Instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(c.Location()).Format("2006-01-02 15:04:05 MST")
}

// Location is the zone of printed dates.
func (c *Console) Location() *time.Location {
	if c.UTC {
		return time.UTC
	}
	return time.Local
}

// zone names the zone of a table's times; empty if they say how long ago they were.
func (c *Console) zone() string {
	switch {
	case c.UTC:
		return "UTC"
	case c.Local:
		return time.Now().Format("MST")
	}
	return ""
}

// rough writes a duration in its largest unit.
func rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Hours())/24) + "d"
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

// LookState colours a run's state.
func LookState(p tty.Palette, s domain.RunState, text string) string {
	switch s {
	case domain.RunIsCompleted:
		return p.Good(text)
	case domain.RunIsStuck, domain.RunIsAbandoned, runs.StateStuckBelow, runs.StateBlocked:
		return p.Bad(text)
	case domain.RunCompensating, domain.RunIsCompensated, domain.RunIsCancelled, runs.StatePaused, runs.StateRetrying:
		return p.Undo(text)
	}
	return p.Info(text)
}
