package webui

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// span is something that lasted: an attempt, a wait, the time of being stuck.
type span struct {
	from, to time.Time
	class    string
	title    string
	// work means that a handler was at work; the rest is waiting, which a long timeline squeezes.
	work bool
}

// mark is something that happened at an instant and concerns the whole run.
type mark struct {
	at           time.Time
	class, title string
}

// laneKey tells the open spans of a step apart.
type laneKey struct{ step, what string }

// history is what happened to each step of a run, for the timeline.
type history struct {
	from, to time.Time
	lanes    map[string][]span // by step; "" is the run as a whole
	marks    []mark
	took     map[string]time.Duration // time that handlers were at work, by step
	open     map[laneKey]span
}

// readHistory puts a run's events onto the timeline. What has not ended lasts until now.
func readHistory(facts []domain.Fact, now time.Time) *history {
	h := &history{lanes: map[string][]span{}, took: map[string]time.Duration{}, open: map[laneKey]span{}}
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
		if f.Meta.Wake.State.Ended() {
			now = at
		}
	}
	if now.Before(h.to) {
		now = h.to // clocks of several machines need not agree
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

func (h *history) begin(step, what string, at time.Time, class, title string, work bool) {
	h.open[laneKey{step, what}] = span{from: at, class: class, title: title, work: work}
}

// end closes a span. A class or title that is given replaces the one it began with.
func (h *history) end(k laneKey, at time.Time, class, more string) {
	s, ok := h.open[k]
	if !ok {
		return
	}
	delete(h.open, k)
	s.to = at
	if class != "" {
		s.class = class
	}
	s.title += " · " + took(at.Sub(s.from))
	if more != "" {
		s.title += " · " + more
	}
	if s.work {
		h.took[k.step] += at.Sub(s.from)
	}
	h.lanes[k.step] = append(h.lanes[k.step], s)
}

// instant draws something that took no time.
func (h *history) instant(step string, at time.Time, title string) {
	h.lanes[step] = append(h.lanes[step], span{from: at, to: at, class: "b-tick", title: title})
}

// classes of attempts that are under way, or succeeded, by direction.
var (
	goingClass = map[domain.Direction]string{domain.Do: "b-go", domain.Undo: "b-undo-go", domain.Probe: "b-probe", domain.Handler: "b-go"}
	doneClass  = map[domain.Direction]string{domain.Do: "b-ok", domain.Undo: "b-undo", domain.Probe: "b-probe", domain.Handler: "b-handler"}
)

func failClass(d domain.Direction, c domain.Failure) string {
	class := "b-fail"
	if c.Kind == domain.FailureTimedOut || c.Kind == domain.FailureLost {
		class = "b-doubt"
	}
	if d == domain.Undo {
		class += " b-undoing"
	}
	return class
}

// attempts follows what handlers did.
func (h *history) attempts(e domain.Event, at time.Time) {
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

// waits follows what steps waited for.
func (h *history) waits(e domain.Event, at time.Time) {
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

// run follows the run as a whole.
func (h *history) run(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case *domain.RunPaused:
		h.begin("", "pause", at, "b-wait", "paused: "+e.Reason, false)
	case *domain.RunResumed:
		h.end(laneKey{"", "pause"}, at, "", "")
	case *domain.RunTurnedBack:
		h.marks = append(h.marks, mark{at, "m-turn", "turned back: " + e.Cause.Error()})
		for k := range h.open {
			if k.what == "wait" || k.what == "retry" || k.what == "stuck" {
				h.end(k, at, "", "the run turned back")
			}
		}
	case *domain.PivotPassed:
		h.marks = append(h.marks, mark{at, "m-pivot", "pivot passed: from here only forward"})
	case *domain.CancelRequested:
		h.marks = append(h.marks, mark{at, "m-turn", "cancel requested: " + e.Cause.Message})
	}
}

// bar is a span as it is drawn.
type bar struct{ X, W, Class, Title string }

// lane is a row of the timeline.
type lane struct {
	Step, Name string
	Depth      int
	Kind       domain.Kind
	Action     string
	Phase      machine.Phase
	Attempts   int
	Took       time.Duration
	Error      string
	Composite  bool
	// About tells what the row is of: an item, the number of items, a handler.
	About string
	Bars  []bar
}

// timeline is what the template draws.
type timeline struct {
	Lanes []lane
	Ticks []tick
	Marks []bar
	// Total counts all rows, of which at most maxLanes are drawn.
	Total    int
	Squeezed bool
	From, To time.Time
}

// maxLanes bounds the rows of one page.
const maxLanes = 2_000

// maxDepth bounds the indentation of nested steps.
const maxDepth = 5

// draw lays the run's steps out in the order of the plan. Show selects them: "" all, "open" those
// not yet settled, "failed" those with a failure.
func (h *history) draw(s *machine.State, show string, linear bool) timeline {
	sc := h.scale(linear)
	tl := timeline{Ticks: sc.ticks(), Squeezed: sc.squeezed, From: h.from, To: h.to}
	for _, m := range h.marks {
		tl.Marks = append(tl.Marks, bar{X: percent(sc.at(m.at)), Class: m.class, Title: m.title})
	}
	if bars := h.bars("", sc); len(bars) > 0 {
		tl.Lanes = append(tl.Lanes, lane{Name: "run", Bars: bars, Phase: machine.Active, Composite: true})
	}
	depth, prefix := map[*machine.Step]int{}, map[*machine.Step]string{}
	s.Steps(func(st *machine.Step) {
		settle(st, depth[st], st.Path, depth, prefix)
		l := lane{Step: st.Path, Name: name(st.Path, prefix[st]), Depth: min(depth[st], maxDepth), Kind: st.Node.Kind, Phase: st.Phase, Attempts: st.Do.N + st.Undo.N,
			Took: h.took[st.Path], Composite: len(st.Kids()) > 0, About: about(st, prefix[st])}
		if st.Node.Action != nil {
			l.Action = st.Node.Action.Name
		}
		for _, c := range [...]*domain.Failure{st.Undo.Cause, st.Do.Cause, st.Cause} {
			if c != nil {
				l.Error = c.Message
			}
		}
		if !shown(show, st, l.Error) {
			return
		}
		if tl.Total++; tl.Total > maxLanes {
			return
		}
		if l.Composite {
			l.Bars = h.envelope(st, sc)
		}
		l.Bars = append(l.Bars, h.bars(st.Path, sc)...)
		tl.Lanes = append(tl.Lanes, l)
	})
	return tl
}

func shown(show string, st *machine.Step, failure string) bool {
	switch show {
	case "open":
		return st.Phase != machine.Done && st.Phase != machine.Undone && st.Phase != machine.Untouched && st.Phase != machine.Skipped
	case "failed":
		return failure != "" || st.Phase == machine.Stuck || st.Phase == machine.UndoStuck
	}
	return true
}

// settle notes the depth of a step's children, passing over sequences, which have no name.
func settle(st *machine.Step, at int, path string, depth map[*machine.Step]int, prefix map[*machine.Step]string) {
	for _, k := range st.Kids() {
		if k == nil {
			continue
		}
		if k.Path == "" {
			settle(k, at, path, depth, prefix)
			continue
		}
		depth[k], prefix[k] = at+1, path+"/"
	}
}

// about names the item that a step works on, where that is short enough.
func about(st *machine.Step, prefix string) string {
	if st.Handler {
		return "handler"
	}
	if st.Node.Kind == domain.KindEach {
		return plural(len(st.Kids()), "item", "items")
	}
	item, _ := st.Item()
	if item == nil || !strings.HasSuffix(prefix, "/") || len(item) > 24 || strings.ContainsAny(string(item), "{[\\") {
		return ""
	}
	text := strings.Trim(string(item), `"`)
	if strings.HasPrefix(st.Path, prefix+text+"/") {
		return "" // the item is its own number
	}
	return text
}

// name leaves out of a path what the row above says.
func name(path, prefix string) string {
	if short := strings.TrimPrefix(path, prefix); short != "" {
		return short
	}
	return path
}

func (h *history) bars(step string, sc *scale) []bar {
	spans := h.lanes[step]
	out := make([]bar, len(spans))
	for i, s := range spans {
		x := sc.at(s.from)
		out[i] = bar{X: percent(x), W: percent(sc.at(s.to) - x), Class: s.class, Title: s.title}
	}
	return out
}

// envelope is the bar of a composite: from its first descendant's beginning to the last one's end.
func (h *history) envelope(st *machine.Step, sc *scale) []bar {
	var from, to time.Time
	var visit func(*machine.Step)
	visit = func(st *machine.Step) {
		for _, k := range st.Kids() {
			if k == nil {
				continue
			}
			if spans := h.lanes[k.Path]; k.Path != "" && len(spans) > 0 {
				if from.IsZero() || spans[0].from.Before(from) {
					from = spans[0].from
				}
				if last := spans[len(spans)-1].to; last.After(to) {
					to = last
				}
			}
			visit(k)
		}
	}
	visit(st)
	if from.IsZero() {
		return nil
	}
	x := sc.at(from)
	return []bar{{X: percent(x), W: percent(sc.at(to) - x), Class: "b-group", Title: st.Path + " · " + took(to.Sub(from))}}
}

// percent writes a share as SVG takes it.
func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 3, 64) + "%" }
