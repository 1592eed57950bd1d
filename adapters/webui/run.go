package webui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/draw"
	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/look"
	"github.com/atonehq/atone/saga/outlook"
)

// runPage is what the page of a run shows.
type runPage struct {
	explain.Run
	Why explain.Reason
	// Say is the sentence at the top: what it waits for, or how it ended.
	Say     string
	Waits   []wait
	Stuck   []wait
	Chain   []link
	Ended   bool
	Turning bool
	Pivot   bool
	Tab     string
	Show    string
	// Rows says which rows of the timeline are shown.
	Rows   draw.Rows
	Linear bool
	Levers []lever
	// Held is the hold that the run waits for; nil for none.
	Held *explain.Hold
	// Actions are those of its steps that can be held.
	Actions []string
	// Again are the runs that were started from this one.
	Again []domain.RunID
	// Denied says why the person may pull none of the levers of stuck steps.
	Denied string
	// Off says why some levers can't be pulled, each reason once.
	Off      []string
	Tabs     []tab
	Timeline draw.Timeline
	Graph    *draw.Graph
	Story    *story.Story
	Undo     explain.Preview
	Outlook  outlook.Outlook
	Steps    []stepRow
	// Part says which rows of the tab are shown, where they are many; Starts starts such a run.
	Part   *show.Part
	Starts format.Command
	// Empty stands in the place of steps or payloads where there are none.
	Empty  *empty.Page
	Lasted time.Duration
	// Begun counts the steps that were begun, and tells what became of them.
	Begun string
	// Past is set where the page looks back; At is then what the address says of it.
	Past *past
	At   string
}

type tab struct{ Name, Label string }

var runTabs = []tab{{"", "Timeline"}, {"plan", "Plan"}, {"audit", "Audit"}, {"data", "Payloads"}, {"undo", "Undo"}, {"outlook", "Outlook"}}

// run shows one run.
func (h *handler) run(w http.ResponseWriter, r *http.Request, who Person) error {
	id, until, err := h.runAt(r, who)
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
	v := h.view(r, who, "runs", t.look.Run.Saga+" · "+string(t.look.Run.State))
	q := r.URL.Query()
	if until != domain.End {
		v.Now, v.Refresh = t.moment(), 0
	}
	d := &runPage{Run: t.look.Run, Why: t.look.Why(r.Context(), v.Now), Tab: q.Get("tab"), Show: q.Get("show"), Linear: q.Get("scale") == "linear",
		Ended: t.look.Run.State.Ended(), Turning: t.state.Turning, Pivot: t.state.PastPivot, Tabs: runTabs}
	if until != domain.End {
		if d.Past, err = h.lookBack(r, t, until); err != nil {
			return err
		}
		d.At = strconv.FormatUint(until, 10)
	} else {
		d.Held = look.HoldIn(&d.Why)
		if d.Ended {
			if d.Again, err = h.cfg.Coordinator.StartedFrom(r.Context(), id); err != nil {
				return err
			}
		}
		d.Actions = d.openActions()
		d.Levers = leversOf(&d.Why, who)
		d.Off = reasons(d.Levers)
		if !who.Operate {
			d.Denied = noOperate
		}
	}
	d.Waits = waitsOf(&d.Why, v.Now)
	for _, w := range d.Waits {
		if w.WaitsFor == explain.ForPerson {
			d.Stuck = append(d.Stuck, w)
		}
	}
	d.Chain = chainOf(&d.Why, v.Now)
	end := v.Now
	if d.Ended {
		end = d.Run.Ended
	}
	d.Lasted = end.Sub(d.Started)
	from, _ := strconv.Atoi(q.Get("row")) // 0, the first, for anything else
	d.Rows = draw.Rows{Show: d.Show, Find: q.Get("find"), Open: q.Get("open"), From: max(from, 0)}
	d.Begun = begun(d.Run.Steps)
	d.Say = d.Why.Tell(v.Now, format.Mark)
	if d.Ended {
		d.Say = t.ending(d.Lasted)
	}
	v.Title = d.Saga + " · " + format.State(format.Shown(&d.Why))
	if err := d.fill(r, t, h.cfg.Program, v.Now); err != nil {
		return err
	}
	if d.Ended || d.Outlook.Cut != "" { // what takes long is looked at when somebody asks
		v.Refresh = 0
	}
	d.Empty = d.nothing(h.program(r, who))
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "run", v)
	return nil
}

// nothing says why the tab is empty; nil where it is not.
func (d *runPage) nothing(program *empty.Program) *empty.Page {
	null := func(payload json.RawMessage) bool { return len(payload) == 0 || string(payload) == "null" }
	none := null(d.Run.Input) && null(d.Run.Output) && !slices.ContainsFunc(d.Steps, func(s stepRow) bool { return !null(s.Input) || !null(s.Output) })
	switch {
	case d.Tab == "" && len(d.Timeline.Lanes) == 0:
		return program.Steps(d.Run.ID.String(), d.At, d.Show+d.Rows.Find+d.Rows.Open)
	case d.Tab == "data" && d.Part == nil && none:
		return program.Payloads(d.Run.ID.String())
	}
	return nil
}

// IsAgain reports whether the run was started from an ended one.
func (d *runPage) IsAgain() bool { return d.AgainOf != domain.RunID{} }

// openActions lists the actions of what the run waits for, and of its steps that are not settled.
func (d *runPage) openActions() (names []string) {
	for i := range d.Why.Waits {
		if a := d.Why.Waits[i].Action; a != "" && !slices.Contains(names, a) {
			names = append(names, a)
		}
	}
	return names
}

// fill reads what the tab shows. program is how commands to copy call the program.
func (d *runPage) fill(r *http.Request, t *told, program string, now time.Time) error {
	switch d.Tab {
	case "":
		d.Timeline = draw.ReadHistory(t.facts, now).Draw(t.state, d.Rows, d.Linear).Hide(t.look.Cloak)
	case "plan":
		d.Graph = draw.Plan(t.plan, draw.PhasesOf(t.state))
		d.Graph.Run, d.Graph.At = t.id.String(), d.At
		d.Graph.Lead(t.children())
	case "audit":
		d.Story = story.Of(t.id, t.facts, t.plan.Secrets())
		from := d.Rows.From
		if rev, err := strconv.ParseUint(r.URL.Query().Get("event"), 10, 64); err == nil {
			from = slices.IndexFunc(d.Story.Lines, func(l story.Line) bool { return l.Revision >= rev })
			from = max(0, from-from%show.PartSize)
		}
		d.Story.Lines, d.Part = show.PartOf(d.Story.Lines, from)
	case "undo":
		d.Undo = t.undo(now)
		d.Undo.Steps, d.Part = show.PartOf(d.Undo.Steps, d.Rows.From)
	case "outlook":
		if d.Past == nil {
			d.Outlook = t.outlook(r.Context(), now)
		}
	case "data":
		d.Steps, d.Part = show.PartOf(t.steps(now), d.Rows.From)
		d.Starts = format.StartCommand(program, d.Run.Saga, d.Run.Version, d.Run.Key, d.Run.Input)
	default:
		return errNoPage
	}
	return nil
}

// lanesPage is what draws a timeline. Inside another run's it has no ids, of which a page has each
// once.
type lanesPage struct {
	Run      domain.RunID
	At       string
	Inside   bool
	Timeline draw.Timeline
}

// Lanes is the run's timeline.
func (d *runPage) Lanes() lanesPage {
	return lanesPage{Run: d.Run.ID, At: d.At, Timeline: d.Timeline}
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
