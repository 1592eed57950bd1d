package draw

import (
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
)

// span is something that takes time: an attempt, a wait, being stuck.
type span struct {
	from, to time.Time
	class    string
	title    string
	// work means that a handler was at work. Other spans are waits, which a long timeline squeezes.
	work bool
}

// mark is something that happened at an instant and concerns the whole run.
type mark struct {
	at           time.Time
	class, title string
}

// laneKey tells the open spans of a step apart.
type laneKey struct{ step, what string }

// History is what happened to each step of a run, for the timeline.
type History struct {
	from, to time.Time
	lanes    map[string][]span // by step; "" is the run as a whole
	marks    []mark
	Took     map[string]time.Duration // time that handlers were at work, by step
	open     map[laneKey]span
}

// ReadHistory puts a run's events onto the timeline. Spans that have not ended last until now.
func ReadHistory(facts []domain.Fact, now time.Time) *History {
	until := now
	h := &History{lanes: map[string][]span{}, Took: map[string]time.Duration{}, open: map[laneKey]span{}}
	for i := range facts {
		f := &facts[i]
		at := f.Meta.At
		if i == 0 {
			h.from, h.to = at, at
		}
		if at.After(h.to) {
			h.to = at
		}
		h.attempts(f.Event, at)
		h.waits(f.Event, at)
		h.run(f.Event, at)
		switch w := f.Meta.Wake.State; {
		case w.Ended():
			until = at
		case w != "":
			until = now // the run has not ended, or goes on after an end
		}
	}
	now = until
	if now.Before(h.to) {
		now = h.to // another machine's clock was ahead of ours
	}
	h.to = now
	for k := range h.open {
		h.end(k, now, "", "")
	}
	for _, lane := range h.lanes {
		sort.SliceStable(lane, func(i, j int) bool { return lane[i].from.Before(lane[j].from) })
	}
	return h
}

func (h *History) begin(step, what string, at time.Time, class, title string, work bool) {
	h.open[laneKey{step, what}] = span{from: at, class: class, title: title, work: work}
}

// end closes a span. A non-empty class replaces the class that the span began with; more is added
// to its title.
func (h *History) end(k laneKey, at time.Time, class, more string) {
	s, ok := h.open[k]
	if !ok {
		return
	}
	delete(h.open, k)
	s.to = at
	if class != "" {
		s.class = class
	}
	s.title += " · " + format.Took(at.Sub(s.from))
	if more != "" {
		s.title += " · " + more
	}
	if s.work {
		h.Took[k.step] += at.Sub(s.from)
	}
	h.lanes[k.step] = append(h.lanes[k.step], s)
}

// instant adds something that took no time.
func (h *History) instant(step string, at time.Time, title string) {
	h.lanes[step] = append(h.lanes[step], span{from: at, to: at, class: "b-tick", title: title})
}

// classes of attempts that are under way, or succeeded, by direction.
var (
	goingClass = map[domain.Direction]string{domain.Do: "b-go", domain.Undo: "b-undo-go", domain.Probe: "b-probe", domain.Handler: "b-go"}
	doneClass  = map[domain.Direction]string{domain.Do: "b-ok", domain.Undo: "b-undo", domain.Probe: "b-probe", domain.Handler: "b-handler"}
)

func failClass(d domain.Direction, c domain.Failure) string {
	class := "b-fail"
	if c.InDoubt && d == domain.Do {
		class = "b-doubt"
	}
	if d == domain.Undo {
		class += " b-undoing"
	}
	return class
}

// attempts turns the events of attempts into spans.
func (h *History) attempts(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case *domain.AttemptStarted:
		h.end(laneKey{e.Step, "retry"}, at, "", "")
		title := fmt.Sprintf("attempt %d", e.Attempt)
		if e.Direction != domain.Do {
			title = string(e.Direction) + ", " + title
		}
		h.begin(e.Step, string(e.Direction), at, goingClass[e.Direction], title, true)
	case *domain.AttemptSucceeded:
		h.end(laneKey{e.Step, string(e.Direction)}, at, doneClass[e.Direction], "succeeded")
	case *domain.StepProbed:
		h.end(laneKey{e.Step, string(domain.Probe)}, at, "", string(e.Verdict))
		if !e.RetryAt.IsZero() {
			h.begin(e.Step, "retry", at, "b-retry", "waits for the next attempt", false)
		}
	case *domain.AttemptFailed:
		h.end(laneKey{e.Step, string(e.Direction)}, at, failClass(e.Direction, e.Cause), kindText(e.Cause.Kind)+": "+e.Cause.Message)
		if !e.RetryAt.IsZero() {
			h.begin(e.Step, "retry", at, "b-retry", "waits for the next attempt", false)
		}
	case *domain.OutcomeLate:
		h.lanes[e.Step] = append(h.lanes[e.Step], span{from: at, to: at, class: "b-late", title: "late outcome of attempt " + strconv.Itoa(e.Attempt)})
	}
}

func kindText(k domain.FailureKind) string {
	switch k {
	case domain.FailureTimedOut:
		return "timed out"
	case domain.FailureLost:
		return "lost with its worker"
	case domain.FailurePermanent:
		return "failed for good"
	}
	return "failed"
}

// waits turns the waits of steps into spans.
func (h *History) waits(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case *domain.TimerSet:
		h.begin(e.Step, "wait", at, "b-wait", "sleeps", false)
	case *domain.TimerFired:
		h.end(laneKey{e.Step, "wait"}, at, "", "")
	case *domain.AwaitOpened:
		what := "waits for signal " + e.Signal
		if e.Signal == "" {
			what = "waits for event " + e.Event
		}
		h.begin(e.Step, "wait", at, "b-wait", what, false)
	case *domain.AwaitMet:
		h.end(laneKey{e.Step, "wait"}, at, "b-waited", "met by "+e.By)
	case *domain.ChildStarted:
		h.begin(e.Step, "wait", at, "b-child", "child run of "+e.Saga, false)
	case *domain.ChildTurnedBack:
		h.end(laneKey{e.Step, "wait"}, at, "", "")
		h.begin(e.Step, "wait", at, "b-undo-go", "child run undoes itself", false)
	case *domain.ChildEnded:
		class := "b-ok"
		if e.State != domain.RunIsCompleted {
			class = "b-undo"
		}
		h.end(laneKey{e.Step, "wait"}, at, class, string(e.State))
	case *domain.ValueComputed:
		h.instant(e.Step, at, "computed")
	case *domain.PivotPassed:
		h.instant(e.Step, at, "passed")
	case *domain.StepFailed:
		h.end(laneKey{e.Step, "wait"}, at, "b-fail", e.Cause.Message)
		h.end(laneKey{e.Step, "retry"}, at, "", "")
	case *domain.RunStuck:
		h.begin(e.Step, "stuck", at, "b-stuck", "stuck, incident "+e.Incident, false)
	case *domain.StepRetried:
		h.end(laneKey{e.Step, "stuck"}, at, "", "retried: "+e.Reason)
	case *domain.StepResolved:
		h.end(laneKey{e.Step, "stuck"}, at, "", string(e.How)+": "+e.Reason)
	}
}

// run turns events of the run as a whole into marks and spans.
func (h *History) run(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case *domain.RunPaused:
		h.begin("", "pause", at, "b-wait", "paused: "+e.Reason, false)
	case *domain.RunResumed:
		h.end(laneKey{"", "pause"}, at, "", "")
	case *domain.RunTurnedBack:
		h.marks = append(h.marks, mark{at, "m-turn", "turned back: " + e.Cause.String()})
		for k := range h.open {
			if k.what == "wait" || k.what == "retry" || k.what == "stuck" {
				h.end(k, at, "", "the run turned back")
			}
		}
	case *domain.PivotPassed:
		h.marks = append(h.marks, mark{at, "m-pivot", "pivot passed: from here on the run only goes forward"})
	case *domain.CancelRequested:
		h.marks = append(h.marks, mark{at, "m-turn", "cancel requested: " + e.Cause.Message})
	}
}
