package story

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/visible"
	told "github.com/atonehq/atone/projections/story"
)

// Print writes one row of a story: how long after the run's start, what happened, how long it took,
// and the payloads, shortened. Control characters are replaced, so that a payload can't control the
// terminal.
func Print(w io.Writer, p tty.Palette, r *told.Line) error {
	look, known := looks[r.What]
	if !known {
		look = style{"·", tty.Palette.Dim, r.What}
	}
	if r.Direction == domain.Undo && r.What == "attempt.started" {
		look.mark, look.colour = "↶", tty.Palette.Undo
	}
	what := look.text
	if r.Step != "" {
		what = stepText(r)
		if look.text != "" {
			what += ": " + look.text
		}
	}
	if r.Took > 0 && r.What != "run.stuck" {
		what += " in " + Short(r.Took)
	}
	var about []string
	for _, s := range [...]string{r.Error, r.Note} {
		if s != "" {
			about = append(about, s)
		}
	}
	if len(about) > 0 {
		what += ": " + strings.Join(about, "; ")
	}
	what = visible.Line(what)
	rest := cut(w, what, visible.Line(payloads(r)))
	if strings.HasPrefix(r.What, "run.") {
		what = look.colour(p, what)
	}
	_, err := fmt.Fprintf(w, "  %9s  %s  %s%s\n", fmt.Sprintf("+%.3fs", r.Offset.Seconds()), look.colour(p, look.mark), what, p.Dim(rest))
	return err
}

// beforeText is the number of columns before a line's text.
const beforeText = 16

// cut shortens a line to the width of the terminal w, if it is one.
func cut(w io.Writer, what, rest string) string {
	width, _, ok := tty.Size(w)
	room := width - beforeText - tty.Width(what)
	switch {
	case !ok || tty.Width(rest) <= room:
		return rest
	case room < 8:
		return ""
	}
	return tty.Cut(rest, room)
}

// style is how one kind of event is shown.
type style struct {
	mark   string
	colour func(tty.Palette, string) string
	text   string
}

// looks has the style of each event, by its name in stories.
var looks = map[string]style{
	"run.started":          {"●", tty.Palette.Bold, "started"},
	"run.completed":        {"■", tty.Palette.Good, "completed"},
	"run.turned_back":      {"⟲", tty.Palette.Undo, "turns back"},
	"run.cancel_requested": {"⟲", tty.Palette.Undo, "cancel requested"},
	"run.compensated":      {"■", tty.Palette.Undo, "compensated: what was done is undone"},
	"run.cancelled":        {"■", tty.Palette.Undo, "cancelled: what was done is undone"},
	"run.abandoned":        {"■", tty.Palette.Bad, "abandoned"},
	"run.stuck":            {"!", tty.Palette.Bad, "stuck"},
	"run.paused":           {"‖", tty.Palette.Warn, "paused"},
	"run.resumed":          {"▸", tty.Palette.Info, "resumed"},
	"run.blocked":          {"‖", tty.Palette.Warn, "blocked"},
	"attempt.started":      {"▸", tty.Palette.Info, ""},
	"attempt.succeeded":    {"✔", tty.Palette.Good, "done"},
	"attempt.failed":       {"✘", tty.Palette.Bad, "failed"},
	"attempt.late":         {"◔", tty.Palette.Warn, "reported after it was given up"},
	"attempt.heartbeat":    {"·", tty.Palette.Dim, "is alive"},
	"step.probed":          {"?", tty.Palette.Info, "probed"},
	"step.failed":          {"✘", tty.Palette.Bad, "failed"},
	"step.retried":         {"▸", tty.Palette.Info, "gets new attempts"},
	"step.resolved":        {"✔", tty.Palette.Good, "resolved"},
	"timer.set":            {"◷", tty.Palette.Info, "sleeps"},
	"timer.fired":          {"✔", tty.Palette.Good, "slept"},
	"await.opened":         {"◷", tty.Palette.Info, "waits"},
	"await.met":            {"✔", tty.Palette.Good, "goes on"},
	"signal.received":      {"⚑", tty.Palette.Info, "signal"},
	"child.started":        {"▸", tty.Palette.Info, "child run started"},
	"child.ended":          {"■", tty.Palette.Info, "child run ended"},
}

func stepText(r *told.Line) string {
	step := r.Step
	switch r.Direction {
	case domain.Undo:
		step = "undo of " + step
	case domain.Probe:
		step = "probe of " + step
	case domain.Handler:
		step = "failure handler " + step
	}
	if r.Attempt > 1 {
		step += fmt.Sprintf(", attempt %d", r.Attempt)
	}
	return step
}

func payloads(r *told.Line) string {
	var out string
	if strings.HasPrefix(r.What, "run.") && r.Actor != "" && r.What != "run.completed" && r.What != "run.compensated" {
		out += "  by " + r.Actor
	}
	if s := brief(r.Input); s != "" && r.Attempt <= 1 && r.Direction != domain.Undo {
		out += "  ← " + s
	}
	if s := brief(r.Output); s != "" {
		out += "  → " + s
	}
	return out
}

// maxBrief is how much of a payload is shown, in characters.
const maxBrief = 90

// brief writes a JSON value shortened and without quotes, or nothing if it is empty.
func brief(raw json.RawMessage) string {
	s := strings.NewReplacer(`"`, "", ",", ", ", ":", ": ").Replace(visible.AsWritten(raw))
	if s == "{}" || s == "null" {
		return ""
	}
	if r := []rune(s); len(r) > maxBrief {
		s = string(r[:maxBrief-1]) + "…"
	}
	return s
}

// Short writes a duration in three digits or so.
func Short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
