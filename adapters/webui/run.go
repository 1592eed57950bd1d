package webui

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// told is a run read from its stream: one consistent moment for everything that a page shows of it.
type told struct {
	id    domain.RunID
	plan  *domain.Plan
	facts []domain.Fact
	state *machine.State
	// view is as it may be shown, and cloak hides the same elsewhere.
	view  saga.RunView
	cloak *secret.Cloak
}

// tell reads a run. A run of a saga that the person may not see is not found.
func (h *handler) tell(ctx context.Context, who Person, id domain.RunID) (*told, error) {
	return h.tellUntil(ctx, who, id, domain.End)
}

// tellUntil reads a run as it was after an event.
func (h *handler) tellUntil(ctx context.Context, who Person, id domain.RunID, until uint64) (*told, error) {
	t := &told{id: id}
	for r, err := range h.cfg.Log.ReadStream(ctx, domain.RunStream(id), 0) {
		if err != nil {
			return nil, fmt.Errorf("read run %s: %w", id, err)
		}
		if r.Revision > until {
			break
		}
		f, err := domain.DecodeFact(&r)
		if err != nil {
			return nil, err
		}
		if len(t.facts) == 0 {
			started, ok := f.Event.(*domain.RunStarted)
			if !ok || !who.sees(started.Saga) {
				break
			}
			if t.plan, err = h.cfg.Coordinator.Plan(ctx, started.Plan); err != nil {
				return nil, err
			}
		}
		t.facts = append(t.facts, f)
	}
	if len(t.facts) == 0 {
		return nil, fmt.Errorf("run %s: %w", id, saga.ErrNotFound)
	}
	t.state = t.fold()
	t.view = saga.ViewOf(t.state)
	t.cloak = t.view.Cloak(t.plan.Secrets())
	t.view = t.view.Hide(t.cloak)
	return t, nil
}

// fold returns a state of the caller's own.
func (t *told) fold() *machine.State {
	s := machine.New(t.plan, t.id)
	for i := range t.facts {
		s = machine.Evolve(s, t.facts[i])
	}
	return s
}

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
	Timeline timeline
	Graph    *graph
	Story    *projections.Story
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
	v := h.view(r, who, "runs", t.view.Saga+" · "+string(t.view.State))
	q := r.URL.Query()
	var around machine.Surroundings = h.cfg.Coordinator
	if until != domain.End {
		v.Now, v.Refresh, around = t.moment(), 0, nil
	}
	d := &runPage{RunView: t.view, Why: machine.WhyWith(t.state, v.Now, around), Tab: q.Get("tab"), Show: q.Get("show"), Linear: q.Get("scale") == "linear",
		Ended: t.view.State.Ended(), Turning: t.state.Turning, Pivot: t.state.PastPivot, Tabs: runTabs}
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
	h.render(w, r, http.StatusOK, "run", v)
	return nil
}

// fill reads what the tab shows.
func (d *runPage) fill(t *told, now time.Time) error {
	switch d.Tab {
	case "":
		d.Timeline = readHistory(t.facts, now).draw(t.state, d.Show, d.Linear).hide(t.cloak)
	case "plan":
		d.Graph = drawPlan(t.plan, phasesOf(t.state))
		d.Graph.Run, d.Graph.At = t.id.String(), d.At
	case "audit":
		d.Story = projections.StoryOf(t.id, t.facts, t.plan.Secrets())
	case "undo":
		d.Undo = machine.PreviewCancel(t.fold(), now).Hide(t.cloak)
	case "data":
		d.Steps = t.steps(now)
	default:
		return errNoPage
	}
	return nil
}

// Long runs are not folded anew for each reader who asks for news and gets none: for longRun events and more, the page is made
// again only after a new event, or after longFresh for the times in it.
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

// ending says how the run ended.
func (t *told) ending(lasted time.Duration) string {
	text := string(t.view.State) + " after " + took(lasted)
	for i := range t.facts {
		if a, ok := t.facts[i].Event.(*domain.RunAbandoned); ok {
			text += " by " + t.facts[i].Meta.Actor + ": " + a.Reason
		}
	}
	if t.view.Cause != nil {
		text += ", because " + t.view.Cause.Error()
	}
	if len(t.view.Left) > 0 {
		text += "; effects left at " + strings.Join(t.view.Left, ", ")
	}
	return text
}
