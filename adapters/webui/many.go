package webui

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/webui/internal/acts"
	"github.com/atonehq/atone/adapters/webui/internal/choice"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga"
)

const (
	// maxChosen bounds the runs that one form acts on.
	maxChosen = 1_000
	// maxListed is how many of them a confirmation lists.
	maxListed = 20
)

// manyPage is the confirmation of an act on many runs: what it would do, and to which.
type manyPage struct {
	Act, Title, About string
	Danger            bool
	// Chosen are the runs, each as RUN or RUN STEP; the form that is sent has them again. Steps are
	// the chosen steps, Emptied the chosen groups that have no open incident any more.
	Chosen  []string
	Steps   map[domain.RunID][]string
	Emptied []string
	// Action narrows an act on stuck steps to those of the action; empty for all.
	Action string
	// Report is that of the dry run, Listed its first runs.
	Report saga.BulkReport
	Listed []saga.BulkResult
	// Shown are the states of those that people should see.
	Shown map[domain.RunID]domain.RunState
	// Over counts the runs that were found and are too many for one form, Gone the chosen ones that
	// it can't be done to any more.
	Over, Gone                                  int
	First, Rate, StopAfter, Reason, Output, Bad string
	// Error says why nothing was done.
	Error string
	// Back is the page to return to.
	Back string
	// Off says why the person may not do it.
	Off string
}

// Count is how many runs it would be done to.
func (d *manyPage) Count() int { return len(d.Report.Results) - d.Report.Failed }

// Many says how many runs that are.
func (d *manyPage) Many() string { return format.Plural(d.Count(), "run", "runs") }

// Rest is how many runs are not listed.
func (d *manyPage) Rest() int { return len(d.Report.Results) - len(d.Listed) }

// manyActs name the acts on many runs.
var manyActs = map[string]string{"retry": "Retry", "skip": "Skip the stuck steps of", "substitute": "Substitute the output of", "cancel": "Cancel", "pause": "Pause",
	"resume": "Resume", "abandon": "Abandon"}

// many confirms an act on many runs, and does it once the person is sure. A form chooses the runs
// by boxes of the incidents desk, "incident", by "run", each RUN or RUN STEP, or by a search "q"
// with a "state".
func (h *handler) many(w http.ResponseWriter, r *http.Request, who Person) error {
	f := r.PostForm
	d := &manyPage{Act: f.Get("act"), Chosen: f["run"], First: f.Get("first"), Rate: strings.TrimSpace(f.Get("rate")), StopAfter: f.Get("stop_after"),
		Action: f.Get("action"), Reason: strings.TrimSpace(f.Get("reason")), Output: f.Get("output"), Back: h.backTo(r)}
	title, ok := manyActs[d.Act]
	if !ok {
		return errNoPage
	}
	d.Title, d.About, d.Danger = title, levers[d.Act].about, levers[d.Act].danger
	if !who.Operate {
		d.Off = noOperate
	}
	req := saga.BulkRequest{Act: saga.BulkAct(d.Act), All: true, Reason: d.Reason, DryRun: true, Limit: maxChosen, Output: json.RawMessage(cmp.Or(d.Output, "null"))}
	if err := h.choose(r, who, d, &req); err != nil {
		return h.refuseMany(w, r, who, d, err)
	}
	if err := d.pace(&req); err != nil {
		d.Error = err.Error()
	}
	var err error
	if len(req.Filter.Runs) > 0 {
		if d.Report, err = h.cfg.Coordinator.Bulk(r.Context(), req); err != nil {
			return h.refuseMany(w, r, who, d, err)
		}
	}
	if len(f["incident"])+len(f["run"]) == 0 && req.Act.StuckOnly() {
		d.chooseReported(&req) // the search also found runs above the stuck ones
	}
	d.Gone = max(0, len(req.Filter.Runs)-d.Report.Matched) // an act may reach runs below, too
	d.Listed = d.Report.Results[:min(maxListed, len(d.Report.Results))]
	d.Shown = choice.Shown(r.Context(), d.Listed, h.cfg.Views.Runs)
	sure := f.Has("sure")
	switch {
	case sure && d.Off != "":
		return h.refuseMany(w, r, who, d, errDenied)
	case sure && d.Error != "":
	case sure && d.Reason == "":
		d.Error = "Nothing was done: say why, for the audit."
	case sure && d.Act == string(saga.BulkSubstitute) && strings.TrimSpace(d.Output) == "":
		d.Error = "Nothing was done: give the output to substitute, as JSON."
	case sure && d.Report.Matched == 0:
		d.Error = "Nothing was done: there is no run to do it to."
	case sure:
		req.DryRun, req.Reason = false, d.Reason
		h.doMany(r, who, d, req)
		show.GoTo(w, r, d.Back, "")
		return nil
	}
	status := http.StatusOK
	if d.Error != "" {
		status = http.StatusUnprocessableEntity
	}
	h.showMany(w, r, who, d, status)
	return nil
}

// refuseMany shows the confirmation with what is wrong, and all that was typed.
func (h *handler) refuseMany(w http.ResponseWriter, r *http.Request, who Person, d *manyPage, err error) error {
	status := statusOf(err)
	if status == http.StatusInternalServerError {
		return err
	}
	d.Error = "Nothing was done: " + err.Error()
	h.showMany(w, r, who, d, status)
	return nil
}

func (h *handler) showMany(w http.ResponseWriter, r *http.Request, who Person, d *manyPage, status int) {
	v := h.view(r, who, "", d.Title)
	v.Refresh = 0
	v.D = d
	h.templates.Render(w, r, status, "many", v)
}

// pace reads how many runs at most, and how fast.
func (d *manyPage) pace(req *saga.BulkRequest) (err error) {
	var first int
	if first, req.Rate, req.StopAfter, err = choice.Pace(d.First, d.Rate, d.StopAfter, maxChosen); first > 0 {
		req.Limit = first
	}
	return err
}

// choose reads which runs are meant. The person's sagas bound them.
func (h *handler) choose(r *http.Request, who Person, d *manyPage, req *saga.BulkRequest) error {
	req.Filter.Sagas, req.Within = who.Sagas, who.Sagas
	req.Filter.Action = d.Action
	if boxes := r.PostForm["incident"]; len(boxes) > 0 {
		if err := h.chooseIncidents(r, who, d, boxes); err != nil {
			return err
		}
	} else if len(d.Chosen) == 0 && r.PostForm.Has("q") {
		if err := h.chooseFound(r, who, d, req); err != nil {
			return err
		}
	}
	if len(d.Chosen) > maxChosen {
		return fmt.Errorf("%w: choose at most %d at once", errBadForm, maxChosen)
	}
	for _, c := range d.Chosen {
		run, step, _ := strings.Cut(c, " ")
		id, err := uuid.Parse(run)
		if err != nil {
			return errNoPage
		}
		if !slices.Contains(req.Filter.Runs, id) {
			req.Filter.Runs = append(req.Filter.Runs, id)
		}
		if step != "" && !slices.Contains(d.Steps[id], step) {
			if d.Steps == nil {
				d.Steps = make(map[domain.RunID][]string)
			}
			d.Steps[id] = append(d.Steps[id], step)
		}
	}
	if req.Act.StuckOnly() {
		req.Filter.Steps = d.Steps
	} else {
		d.Steps = nil // it is done to whole runs
	}
	return nil
}

// chooseIncidents chooses the runs of incidents, each with its step; a group stands for those of
// its incidents that are open now.
func (h *handler) chooseIncidents(r *http.Request, who Person, d *manyPage, boxes []string) error {
	for _, value := range boxes {
		c, err := choice.Read(value)
		if err != nil {
			return errNoPage
		}
		if c.Group == "" {
			d.Chosen = append(d.Chosen, c.Run.String()+" "+c.Step)
			continue
		}
		rows, err := h.acting(who).Open(r.Context(), c.Group)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			d.Emptied = append(d.Emptied, c.Group)
		}
		for i := range rows {
			if len(d.Chosen) < maxChosen {
				d.Chosen = append(d.Chosen, rows[i].Run.String()+" "+rows[i].Step)
			} else {
				d.Over++
			}
		}
	}
	return nil
}

// acting is what acts on the view's incidents need.
func (h *handler) acting(who Person) *incidents.Acting {
	return &incidents.Acting{Desk: h.cfg.Coordinator.Desk(), Find: h.cfg.Views.Incidents, Groups: h.cfg.Views.IncidentGroups, Covers: who.sees}
}

// chooseReported chooses the runs that the dry run reports.
func (d *manyPage) chooseReported(req *saga.BulkRequest) {
	d.Chosen, req.Filter.Runs = nil, nil
	for i := range d.Report.Results {
		id := d.Report.Results[i].Run
		d.Chosen, req.Filter.Runs = append(d.Chosen, id.String()), append(req.Filter.Runs, id)
	}
	d.Over += d.Report.Matched - len(d.Chosen)
	d.Report.Matched = len(d.Chosen)
}

// chooseFound chooses the unfinished runs that a search finds, the oldest first.
func (h *handler) chooseFound(r *http.Request, who Person, d *manyPage, req *saga.BulkRequest) error {
	v := h.view(r, who, "", "")
	f, bad := searched(r, h, who, v, r.PostForm.Get("q"), search.Runs)
	if err := choice.Check("/runs", r.PostForm.Get("state")); err != nil {
		bad = append(bad, err.Error())
	}
	if len(bad) > 0 {
		return fmt.Errorf("%w: %s", errBadForm, strings.Join(bad, "; "))
	}
	f.States = choice.Both(f.States, choice.States(r.PostForm.Get("state")))
	var err error
	if d.Action, err = search.StepsOf(&f, req.Act, d.Action); err != nil {
		return fmt.Errorf("%w: %w", errBadForm, err)
	}
	req.Filter.Action = d.Action
	if len(f.States) == 0 {
		f.States = runs.Unfinished
	}
	if !who.narrow(&f.Sagas) {
		return nil
	}
	f.Ascending, f.Limit = true, maxChosen
	for {
		page, err := h.cfg.Views.Runs(r.Context(), f)
		if err != nil {
			return err
		}
		for i := range page.Rows {
			if len(d.Chosen) < maxChosen {
				d.Chosen = append(d.Chosen, page.Rows[i].ID.String())
			} else {
				d.Over++
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" || d.Over > 100*maxChosen {
			return nil
		}
	}
}

// doMany does the act to the runs, and has what becomes of them followed. It returns at once.
func (h *handler) doMany(r *http.Request, who Person, d *manyPage, req saga.BulkRequest) {
	shown := make(map[domain.RunID]bool, len(d.Report.Results))
	for i := range d.Report.Results {
		shown[d.Report.Results[i].Run] = true
	}
	gone := slices.DeleteFunc(slices.Clone(req.Filter.Runs), func(id domain.RunID) bool { return shown[id] })
	if d.Report.More { // some of them are left for later
		gone = nil
	}
	act := h.acts.Begin(saga.WithActor(context.WithoutCancel(r.Context()), who.Name), who.key(), req.Act, d.Reason, len(shown)+len(gone))
	for _, id := range gone {
		act.Note(domain.BulkResult{Run: id, Saga: "run", Error: "it has ended, or is not stuck any more"})
	}
	req.Each = act.Note
	log := h.cfg.Logger.With("act", d.Act, "actor", who.Name)
	act.Do(func(ctx context.Context) (bool, error) {
		report, err := h.cfg.Coordinator.Bulk(ctx, req)
		log.Info("many runs steered", "done", report.Done, "refused", report.Failed, "error", err)
		return report.Stopped, err
	})
}

// follow has what becomes of an act on one run followed.
func (h *handler) follow(r *http.Request, who Person, d *leverPage) {
	act := h.acts.Begin(saga.WithActor(context.WithoutCancel(r.Context()), who.Name), who.key(), saga.BulkAct(d.Act), d.Reason, 1)
	act.Note(domain.BulkResult{Run: d.Run.ID, Key: d.Run.Key, Saga: d.Run.Saga, Version: d.Run.Version, State: d.Run.State, Done: true})
	act.End(false, nil)
}

// act answers with what became of an act so far.
func (h *handler) act(w http.ResponseWriter, r *http.Request, who Person) error {
	told, ok := h.acts.Told(who.key(), r.PathValue("act"))
	if !ok {
		told = acts.Told{ID: r.PathValue("act"), Say: "The server was started anew since: the audit has what was done."}
	}
	v := h.view(r, who, "", "")
	v.D = told
	h.templates.Render(w, r, http.StatusOK, "act", v)
	return nil
}

// dismiss forgets an act.
func (h *handler) dismiss(w http.ResponseWriter, r *http.Request, who Person) error {
	h.acts.Dismiss(who.key(), r.PathValue("act"))
	if r.Header.Get("HX-Request") != "" {
		return nil
	}
	show.GoTo(w, r, h.backTo(r), "")
	return nil
}

// waitFor waits until a run has ended or is stuck, and returns why it did not complete.
func (h *handler) waitFor(ctx context.Context, run domain.RunID) error {
	_, err := h.cfg.Coordinator.Wait(ctx, run)
	return err
}
