package webui

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// functions are what templates may call.
var functions = template.FuncMap{
	"took":   took,
	"clock":  clock,
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
	"short":  func(id domain.RunID) string { return id.String()[len("00000000-0000-0000-0000-"):] },
	"json":   pretty,
	"brief":  brief,
	"size":   size,
	"tone":   tone,
	"tint":   tint,
	"isZero": func(t time.Time) bool { return t.IsZero() },
	"dur":    func(d domain.Duration) string { return label(time.Duration(d)) },
	"lat":    latency,
	"ends":   strings.HasSuffix,
	"policy": policyText,
	"plural": plural,
	"pct":    func(f float64) string { return strconv.FormatFloat(f*100, 'f', 1, 64) + "%" },
	"whole":  grouped,
	"join":   strings.Join,
	"has":    slices.Contains[[]string],
	"add":    func(a, b int) int { return a + b },
	"list":   func(v ...string) []string { return v },
	"cond":   condition,
}

// took writes a duration in at most two units.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + "µs"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + "s"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Hour:
		return two(int64(d/time.Minute), "m", int64(d%time.Minute/time.Second), "s")
	case d < 48*time.Hour:
		return two(int64(d/time.Hour), "h", int64(d%time.Hour/time.Minute), "m")
	}
	return two(int64(d/(24*time.Hour)), "d", int64(d%(24*time.Hour)/time.Hour), "h")
}

func two(a int64, unit string, b int64, small string) string {
	if b == 0 {
		return strconv.FormatInt(a, 10) + unit
	}
	return fmt.Sprintf("%d%s%02d%s", a, unit, b, small)
}

// latency writes a duration of which 0 means that there is none.
func latency(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return took(d)
}

// clock writes a time for readers without scripts; scripts turn it into local time.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// size writes a number of bytes.
func size(b []byte) string {
	switch n := len(b); {
	case n < 1<<10:
		return strconv.Itoa(n) + " B"
	case n < 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<10), 'f', 1, 64) + " KiB"
	default:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
	}
}

// grouped writes a number with thin spaces between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u2009" + s[i:]
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(int64(n)) + " " + many
}

// tone is the colour of a run's state.
func tone(s domain.RunState) string {
	switch s {
	case domain.RunRunning, domain.RunCompensating, domain.RunIsStuck, domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled, domain.RunIsAbandoned:
		return "t-" + string(s)
	}
	return "t-none"
}

// tint is the colour of a step's phase.
func tint(p machine.Phase) string {
	switch p {
	case machine.Ready, machine.Running, machine.ProbeDue, machine.Probing, machine.Active:
		return "p-active"
	case machine.Backoff, machine.ProbeBackoff:
		return "p-retry"
	case machine.Waiting:
		return "p-wait"
	case machine.Done:
		return "p-done"
	case machine.Failed, machine.Ignored:
		return "p-failed"
	case machine.Stuck, machine.UndoStuck, machine.UndoFailed:
		return "p-stuck"
	case machine.UndoDue, machine.Undoing, machine.UndoBackoff:
		return "p-undoing"
	case machine.Undone:
		return "p-undone"
	case machine.Untouched, machine.Skipped:
		return "p-skipped"
	case machine.Left:
		return "p-left"
	}
	return "p-idle"
}

func policyText(p domain.RetryPolicy) string {
	if p.MaxAttempts == 1 {
		return "one attempt"
	}
	text := fmt.Sprintf("%d attempts", p.MaxAttempts)
	if p.MaxAttempts == domain.Unlimited {
		text = "no limit"
	}
	text += ", " + label(time.Duration(p.Initial))
	if p.Max > p.Initial {
		text += " to " + label(time.Duration(p.Max))
	}
	if p.MaxElapsed > 0 {
		text += ", within " + label(time.Duration(p.MaxElapsed))
	}
	return text
}
