package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
)

// tellStory writes a run's whole audit trail as a timeline: what happened, when after the start, how
// long it took.
func tellStory(ctx context.Context, w io.Writer, log *pebblelog.Log, run domain.RunID) error {
	t := teller{w: w, palette: tty.PaletteFor(w), begun: make(map[string]time.Time)}
	for r, err := range log.ReadStream(ctx, domain.RunStream(run), 0) {
		if err != nil {
			return err
		}
		f, err := domain.DecodeFact(&r)
		if err != nil {
			return err
		}
		t.tell(f)
	}
	return t.err
}

type teller struct {
	w       io.Writer
	palette tty.Palette
	start   time.Time
	begun   map[string]time.Time // attempts, by step and direction
	err     error
}

// line writes one line of the timeline.
func (t *teller) line(f domain.Fact, mark, what, detail string) {
	_, err := fmt.Fprintf(t.w, "  %9s  %s  %s%s\n", fmt.Sprintf("+%.3fs", f.Meta.At.Sub(t.start).Seconds()), mark, what, t.palette.Dim(detail))
	if err != nil && t.err == nil {
		t.err = err
	}
}

func (t *teller) tell(f domain.Fact) {
	p := t.palette
	switch e := f.Event.(type) {
	case *domain.RunStarted:
		t.start = f.Meta.At
		t.line(f, p.Bold("●"), fmt.Sprintf("%s v%d started by %s", e.Saga, e.Version, f.Meta.Actor), "  key "+e.Key+"  "+brief(e.Input))
	case *domain.AttemptStarted:
		t.begun[e.Step+string(e.Direction)] = f.Meta.At
		detail := ""
		if e.Attempt == 1 && e.Direction == domain.Do {
			detail = "  ← " + brief(e.Input)
		}
		t.line(f, pick(e.Direction == domain.Undo, p.Undo("↶"), p.Info("▸")), t.attempt(e.Step, e.Direction, e.Attempt), detail)
	case *domain.AttemptSucceeded:
		detail := ""
		if s := brief(e.Output); e.Direction == domain.Do && s != "" && s != "{}" {
			detail = "  → " + s
		}
		t.line(f, p.Good("✔"), fmt.Sprintf("%s %s in %s", t.attempt(e.Step, e.Direction, e.Attempt), pick(e.Direction == domain.Undo, "undone", "done"), t.took(f, e.Step, e.Direction)), detail)
	case *domain.AttemptFailed:
		next := "; no more attempts"
		if !e.RetryAt.IsZero() {
			next = "; next attempt in " + short(e.RetryAt.Sub(f.Meta.At))
		}
		t.line(f, p.Bad("✘"), fmt.Sprintf("%s %s after %s", t.attempt(e.Step, e.Direction, e.Attempt), failureWord(e.Cause), t.took(f, e.Step, e.Direction)), next)
	case *domain.OutcomeLate:
		t.line(f, p.Warn("◔"), t.attempt(e.Step, e.Direction, e.Attempt)+" reported after it was given up", "")
	case *domain.RunTurnedBack:
		t.line(f, p.Undo("⟲"), "turns back: "+e.Cause.Error(), "")
	case *domain.RunCompleted:
		t.line(f, p.Good("■"), p.Good("completed"), "  → "+brief(e.Output))
	case *domain.RunCompensated:
		t.line(f, p.Undo("■"), p.Undo("compensated: all that was done is undone"), "")
	default:
		t.line(f, p.Dim("·"), f.Event.WireName(), "")
	}
}

func (t *teller) attempt(step string, dir domain.Direction, n int) string {
	name := step
	if dir == domain.Undo {
		name = "undo " + step
	}
	if n > 1 {
		name += fmt.Sprintf(" (attempt %d)", n)
	}
	return name
}

func (t *teller) took(f domain.Fact, step string, dir domain.Direction) string {
	return short(f.Meta.At.Sub(t.begun[step+string(dir)]))
}

// brief writes a small JSON object on one line, without its quotes and not too long.
func brief(raw json.RawMessage) string {
	s := strings.NewReplacer(`"`, "", ",", ", ", ":", ": ").Replace(string(raw))
	if r := []rune(s); len(r) > 90 {
		s = string(r[:89]) + "…"
	}
	return s
}
