package incidents

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/saga/desk"
)

// Acting is what an act on incidents needs.
type Acting struct {
	Desk *desk.Desk
	// Find and Groups query the view, as [Find] and [Groups] do.
	Find   func(ctx context.Context, f Filter) (Page, error)
	Groups func(ctx context.Context, f GroupFilter) (GroupPage, error)
	// Covers reports whether the caller may act on runs of the saga.
	Covers func(saga string) bool
}

// ActReport is what an act on incidents did.
type ActReport struct {
	// Done and Failed count the events that were recorded and refused: one for each run, or for a
	// group that was snoozed.
	Done    int         `json:"done" doc:"How many runs, or groups that were snoozed, it was done to."`
	Failed  int         `json:"failed" doc:"How many refused it."`
	Results []ActResult `json:"results" doc:"What became of each."`
}

// ActResult is what the act did to one run, or to a group that it snoozed.
type ActResult struct {
	Group     string       `json:"group,omitempty" doc:"The group that was snoozed."`
	Run       domain.RunID `json:"run,omitzero" doc:"The run."`
	Saga      string       `json:"saga,omitempty" doc:"Its saga."`
	Incidents []string     `json:"incidents,omitempty" doc:"Those of its incidents that were meant."`
	// Error says why the act was refused.
	Error string `json:"error,omitempty" doc:"Why it was refused."`
}

// MaxActs bounds the incidents of one act.
const MaxActs = 10_000

// Do does the act to the targets: ids of groups, of incidents, or of runs. Of a group and of a run
// the incidents that are open now are meant, in one event for each run; but a snooze of a group is
// one of the group itself, with the incidents that arrive until it ends. A target that names
// nothing open is a failure in the report. Errors: [domain.ErrBadInput], and those of the view.
func (a *Acting) Do(ctx context.Context, targets []string, act desk.Act) (ActReport, error) {
	report := ActReport{Results: []ActResult{}}
	if err := act.Validate(a.Desk.Now()); err != nil {
		return report, err
	}
	add := func(r ActResult, err error) {
		if report.Done++; err != nil {
			report.Done--
			report.Failed++
			r.Error = domain.CutText(err.Error(), shownNote)
		}
		report.Results = append(report.Results, r)
	}
	byRun := make(map[domain.RunID]*ActResult)
	var order []*ActResult
	total := 0
	for _, target := range targets {
		if cause.IsID(target) && act.Kind == desk.Snooze {
			r, err := a.snooze(ctx, target, act)
			add(r, err)
			continue
		}
		rows, err := a.Open(ctx, target)
		if err != nil {
			return report, err
		}
		if len(rows) == 0 {
			add(ActResult{}, fmt.Errorf("%.100q is no open incident, nor a group or run that has one: %w", target, domain.ErrNotFound))
		}
		if total += len(rows); total > MaxActs {
			return report, fmt.Errorf("%w: more than %d incidents: choose fewer", domain.ErrBadInput, MaxActs)
		}
		for i := range rows {
			r := byRun[rows[i].Run]
			if r == nil {
				r = &ActResult{Run: rows[i].Run, Saga: rows[i].Saga}
				byRun[r.Run] = r
				order = append(order, r)
			}
			if !slices.Contains(r.Incidents, rows[i].ID) {
				r.Incidents = append(r.Incidents, rows[i].ID)
			}
		}
	}
	for _, r := range order {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		add(*r, a.Desk.Do(ctx, r.Run, r.Incidents, act))
	}
	return report, nil
}

// snooze hides a group.
func (a *Acting) snooze(ctx context.Context, id string, act desk.Act) (ActResult, error) {
	page, err := a.Groups(ctx, GroupFilter{ID: id})
	if err != nil {
		return ActResult{Group: id}, err
	}
	if len(page.Rows) == 0 || !a.Covers(page.Rows[0].Saga) {
		return ActResult{Group: id}, fmt.Errorf("group %s: %w", id, domain.ErrNotFound)
	}
	g := &page.Rows[0]
	if g.Open+g.Retrying == 0 && !act.Until.IsZero() {
		return ActResult{Group: id, Saga: g.Saga}, fmt.Errorf("group %s has no open incident: there is nothing to hide", id)
	}
	_, err = a.Desk.SnoozeGroup(ctx, g.Key(), act.Until, act.Text)
	return ActResult{Group: id, Saga: g.Saga}, err
}

// Open returns the open incidents that a target names and the caller may act on: an id of a group,
// of an incident or of a run. It returns some more than [MaxActs] if there are more.
func (a *Acting) Open(ctx context.Context, target string) (rows []Row, err error) {
	var filters []Filter
	if cause.IsID(target) {
		filters = []Filter{{Groups: []string{target}}}
	} else if id, err := uuid.Parse(target); err == nil {
		filters = []Filter{{ID: id.String()}, {Run: id}}
	}
	for _, f := range filters {
		f.Open, f.Ascending, f.Limit = true, true, 1000
		for {
			page, err := a.Find(ctx, f)
			if err != nil {
				return nil, err
			}
			rows = append(rows, slices.DeleteFunc(page.Rows, func(r Row) bool { return !a.Covers(r.Saga) })...)
			if f.Cursor = page.Next; f.Cursor == "" || len(rows) > MaxActs {
				break
			}
		}
		if len(rows) > 0 {
			break
		}
	}
	return rows, nil
}

// Hide leaves out the groups that are snoozed, or whose open incidents all are by themselves.
func Hide(groups []GroupRow, snoozed map[string]desk.GroupSnooze) []GroupRow {
	return slices.DeleteFunc(groups, func(g GroupRow) bool {
		_, ok := snoozed[g.ID]
		return ok || g.Open+g.Retrying > 0 && g.Snoozed == g.Open+g.Retrying
	})
}
