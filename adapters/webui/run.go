package webui

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/draw"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// runPage is what the page of a run shows.
type runPage struct {
	saga.RunView
	Why machine.Reason
	// Say is the sentence at the top: what it waits for, or how it ended.
	Say     string
	Stuck   []machine.Wait
	Ended   bool
	Turning bool
	Pivot   bool
	Tab     string
	Show    string
	Linear  bool
	Levers  []lever
	// Off says why some levers can't be pulled, each reason once.
	Off      []string
	Tabs     []tab
	Timeline draw.Timeline
	Graph    *draw.Graph
	Story    *story.Story
	Undo     machine.Preview
	Steps    []stepRow
	Lasted   time.Duration
	// Begun counts the steps that were begun, and tells what became of them.
	Begun string
	// Past is set where the page looks back; At is then what the address says of it.
	Past *past
	At   string
}

type tab struct{ Name, Label string }

var runTabs = []tab{{"", "Timeline"}, {"plan", "Plan"}, {"audit", "Audit"}, {"data", "Payloads"}, {"undo", "Undo"}}

// run shows one run.
func (h *handler) run(w http.ResponseWriter, r *http.Request, who Person) error {
	id, err := runParam(r)
	if err != nil {
		return err
	}
	until, err := momentParam(r)
	if err != nil {
		return err
	}
	fresh := h.freshness(r, id)
	if fresh != "" && fresh == r.Header.Get(freshKey) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	t, err := h.tellUntil(r.Context(), who, id, until)
	if err != nil {
		return err
	}
	w.Header().Set(freshKey, fresh)
	v := h.view(r, who, "runs", t.look.View.Saga+" · "+string(t.look.View.State))
	q := r.URL.Query()
	var around machine.Surroundings = h.cfg.Coordinator
	if until != domain.End {
		v.Now, v.Refresh, around = t.moment(), 0, nil
	}
	d := &runPage{RunView: t.look.View, Why: t.look.Why(v.Now, around), Tab: q.Get("tab"), Show: q.Get("show"), Linear: q.Get("scale") == "linear",
		Ended: t.look.View.State.Ended(), Turning: t.state.Turning, Pivot: t.state.PastPivot, Tabs: runTabs}
	if until != domain.End {
		if d.Past, err = h.lookBack(r, t, until); err != nil {
			return err
		}
		d.At = strconv.FormatUint(until, 10)
	} else {
		d.Levers = leversOf(t, who)
		d.Off = reasons(d.Levers)
	}
	for _, wait := range d.Why.Waits {
		if wait.Phase == machine.Stuck || wait.Phase == machine.UndoStuck {
			d.Stuck = append(d.Stuck, wait)
		}
	}
	end := v.Now
	if d.Ended {
		end = d.RunView.Ended
	}
	d.Lasted = end.Sub(d.Started)
	d.Begun = begun(d.RunView.Steps)
	d.Say = d.Why.Text
	if d.Ended {
		d.Say = t.ending(d.Lasted)
	}
	if err := d.fill(t, v.Now); err != nil {
		return err
	}
	if d.Ended {
		v.Refresh = 0
	}
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "run", v)
	return nil
}

// fill reads what the tab shows.
func (d *runPage) fill(t *told, now time.Time) error {
	switch d.Tab {
	case "":
		d.Timeline = draw.ReadHistory(t.facts, now).Draw(t.state, d.Show, d.Linear).Hide(t.look.Cloak)
	case "plan":
		d.Graph = draw.Plan(t.plan, draw.PhasesOf(t.state))
		d.Graph.Run, d.Graph.At = t.id.String(), d.At
	case "audit":
		d.Story = story.Of(t.id, t.facts, t.plan.Secrets())
	case "undo":
		d.Undo = t.undo(now)
	case "data":
		d.Steps = t.steps(now)
	default:
		return errNoPage
	}
	return nil
}

// Long runs are not folded anew for each reader who asks for news and gets none: for longRun events
// and more, the page is made again only after a new event, or after longFresh for the times in it.
const (
	longRun   = 500
	longFresh = 10 * time.Second
	freshKey  = "X-Fresh-Key"
)

// freshness stands for what the page of a long run shows; it is empty for the other runs.
func (h *handler) freshness(r *http.Request, id domain.RunID) string {
	for e, err := range h.cfg.Log.ReadStreamBackward(r.Context(), domain.RunStream(id), domain.End) {
		if err != nil || e.Revision < longRun {
			break
		}
		return fmt.Sprintf("%d-%d", e.Revision, h.cfg.Now().UnixNano()/int64(longFresh))
	}
	return ""
}
