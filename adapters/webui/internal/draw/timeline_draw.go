package draw

import (
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/machine"
)

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

// Timeline is what the template draws.
type Timeline struct {
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

// Draw lays the run's steps out in the order of the plan. Show selects them: "" all, "open" those
// not yet settled, "failed" those with a failure.
func (h *History) Draw(s *machine.State, show string, linear bool) Timeline {
	sc := h.scale(linear)
	tl := Timeline{Ticks: sc.ticks(), Squeezed: sc.squeezed, From: h.from, To: h.to}
	for _, m := range h.marks {
		tl.Marks = append(tl.Marks, bar{X: Percent(sc.at(m.at)), Class: m.class, Title: m.title})
	}
	if bars := h.bars("", sc); len(bars) > 0 {
		tl.Lanes = append(tl.Lanes, lane{Name: "run", Bars: bars, Phase: machine.Active, Composite: true})
	}
	depth, prefix := map[*machine.Step]int{}, map[*machine.Step]string{}
	s.Steps(func(st *machine.Step) {
		settle(st, depth[st], st.Path, depth, prefix)
		l := lane{Step: st.Path, Name: name(st.Path, prefix[st]), Depth: min(depth[st], maxDepth), Kind: st.Node.Kind, Phase: st.Phase, Attempts: st.Do.N + st.Undo.N,
			Took: h.Took[st.Path], Composite: len(st.Kids()) > 0, About: about(st, prefix[st])}
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

// Hide takes secret values out of the texts beside the bars.
func (tl Timeline) Hide(c *secret.Cloak) Timeline {
	if len(c.Fields()) == 0 {
		return tl
	}
	for i := range tl.Marks {
		tl.Marks[i].Title = c.Text(tl.Marks[i].Title)
	}
	for i := range tl.Lanes {
		l := &tl.Lanes[i]
		l.About, l.Error = c.Text(l.About), c.Text(l.Error)
		for b := range l.Bars {
			l.Bars[b].Title = c.Text(l.Bars[b].Title)
		}
	}
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
		return format.Plural(len(st.Kids()), "item", "items")
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

// thinnest is the least share of the width that a bar takes: one without width is not drawn, not
// even its border.
const thinnest = 0.00001

func (h *History) bars(step string, sc *scale) []bar {
	spans := h.lanes[step]
	out := make([]bar, len(spans))
	for i, s := range spans {
		x := sc.at(s.from)
		out[i] = bar{X: Percent(x), W: Percent(max(sc.at(s.to)-x, thinnest)), Class: s.class, Title: s.title}
	}
	return out
}

// envelope is the bar of a composite: from its first descendant's beginning to the last one's end.
func (h *History) envelope(st *machine.Step, sc *scale) []bar {
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
	return []bar{{X: Percent(x), W: Percent(sc.at(to) - x), Class: "b-group", Title: st.Path + " · " + format.Took(to.Sub(from))}}
}
