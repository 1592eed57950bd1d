package explore

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/work"
)

// story is what happened in a scene, line by line, and what each attempt was answered.
type story struct {
	b        strings.Builder
	attempts Schedule
}

func (x *scene) line(text string) {
	fmt.Fprintf(&x.story.b, "%9s  %s\n", since(x.now.Sub(dawn)), text)
}

func since(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.3fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%.1fm", d.Minutes())
	}
	return fmt.Sprintf("%.1fh", d.Hours())
}

// say adds a line, where the story is told.
func (x *scene) say(text string) {
	if x.story != nil {
		x.line(text)
	}
}

// tell adds an event of a run.
func (x *scene) tell(r *run, e domain.Event) {
	if x.story == nil {
		return
	}
	text := strings.TrimSuffix(e.WireName(), ".v1")
	if x.cfg.Describe != nil {
		text = x.cfg.Describe(r.facts[len(r.facts)-1])
	}
	if text != "" {
		x.line(r.label + text)
	}
}

func (x *scene) sayCalled(fl *flight, r *work.Report) {
	if x.story == nil {
		return
	}
	text := "  the handler of " + fl.kind + " returns"
	if r.Failure != nil {
		text += ": " + r.Failure.Message
	}
	x.line(text)
}
