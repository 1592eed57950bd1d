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
	// About says what the row stands for: an item, a number of items, a handler.
	About string
	Bars  []bar
	// Fold is set on a row that stands for parts of a step that are not shown.
	Fold *fold
}

// Timeline is what the template draws.
type Timeline struct {
	Lanes []lane
	Ticks []tick
	Marks []bar
	// Total counts all selected rows. The rows from First up to Next are drawn; Next is 0 on the
	// last page.
	Total, First, Next int
	Squeezed           bool
	From, To           time.Time
}

// maxDepth bounds the indentation of nested steps.
const maxDepth = 5

// Draw lays the selected rows of the run out in the order of the plan.
func (h *History) Draw(s *machine.State, rows Rows, linear bool) Timeline {
	sc := h.scale(linear)
	tl := Timeline{Ticks: sc.ticks(), Squeezed: sc.squeezed, From: h.from, To: h.to, First: rows.From}
	folds := rows.Show == "" && rows.Find == "" // a search shows every match
	find, hidden := strings.ToLower(rows.Find), map[*machine.Step]bool{}
	// put counts a row, and reports whether it is on this page.
	put := func() bool {
		tl.Total++
		if tl.Total > rows.From+MaxRows {
			tl.Next = rows.From + MaxRows
			return false
		}
		return tl.Total > rows.From
	}
	for _, m := range h.marks {
		tl.Marks = append(tl.Marks, bar{X: Percent(sc.at(m.at)), Class: m.class, Title: m.title})
	}
	if bars := h.bars("", sc); len(bars) > 0 {
		tl.Lanes = append(tl.Lanes, lane{Name: "run", Bars: bars, Phase: machine.Active, Composite: true})
	}
	depth, prefix := map[*machine.Step]int{}, map[*machine.Step]string{}
	s.Steps(func(st *machine.Step) {
		settle(st, depth[st], st.Path, depth, prefix)
		if hidden[st] {
			for _, k := range named(st) {
				hidden[k] = true
			}
			return
		}
		var away *fold
		if kids := named(st); folds && st.Path != rows.Open {
			away = folded(st, kids, hidden)
		}
		if rows.Open != "" && st.Path != rows.Open && !strings.HasPrefix(st.Path, rows.Open+"/") {
			return
		}
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
		if !shown(rows.Show, st, l.Error) || !strings.Contains(strings.ToLower(st.Path), find) {
			return
		}
		if put() {
			if l.Composite {
				l.Bars = h.envelope(st, sc)
			}
			l.Bars = append(l.Bars, h.bars(st.Path, sc)...)
			tl.Lanes = append(tl.Lanes, l)
		}
		if away != nil && put() {
			tl.Lanes = append(tl.Lanes, lane{Fold: away, Depth: min(depth[st]+1, maxDepth)})
		}
	})
	return tl
}

// Hide removes secret values from the texts beside the bars.
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

// settle sets the depth and the prefix of a step's parts.
func settle(st *machine.Step, at int, path string, depth map[*machine.Step]int, prefix map[*machine.Step]string) {
	for _, k := range named(st) {
		depth[k], prefix[k] = at+1, path+"/"
	}
}

// about names the item that a step works on, if its name is short enough.
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

// name returns a path without the prefix that the row above shows.
func name(path, prefix string) string {
	if short := strings.TrimPrefix(path, prefix); short != "" {
		return short
	}
	return path
}

// thinnest is the least share of the width that a bar takes. A bar without width would not be
// drawn, not even its border.
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

// envelope returns the bar of a composite step: from the beginning of its first descendant to the
// end of its last.
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
