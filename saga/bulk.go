package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// BulkAct is what a bulk operation does to each run.
type BulkAct string

// The bulk operations.
const (
	BulkCancel     BulkAct = "cancel"
	BulkPause      BulkAct = "pause"
	BulkResume     BulkAct = "resume"
	BulkRetry      BulkAct = "retry"
	BulkSkip       BulkAct = "skip"
	BulkSubstitute BulkAct = "substitute"
	BulkAbandon    BulkAct = "abandon"
)

// RunFilter selects unfinished runs; all conditions that are set must hold.
type RunFilter struct {
	// Runs, if not empty, are the only ones considered.
	Runs []domain.RunID
	// Sagas selects runs of one of them; Version, if not 0, of that version.
	Sagas   []string
	Version int
	// States selects runs in one of them.
	States []domain.RunState
	// Labels must all be there with these values.
	Labels map[string]string
	// KeyPrefix begins the runs' keys.
	KeyPrefix string
	// OlderThan selects runs that were started at least that long ago.
	OlderThan time.Duration
	// Action selects runs that are stuck at a step of the action.
	Action string
}

// zero reports whether the filter selects everything.
func (f *RunFilter) zero() bool {
	return len(f.Runs) == 0 && len(f.Sagas) == 0 && f.Version == 0 && len(f.States) == 0 && len(f.Labels) == 0 && f.KeyPrefix == "" && f.OlderThan == 0 && f.Action == ""
}

// BulkRequest says what to do to which runs.
type BulkRequest struct {
	Act    BulkAct
	Filter RunFilter
	// All must be set for a filter without conditions, which is more often a mistake than meant.
	All bool
	// Reason is recorded with each run; abandon requires it.
	Reason string
	// Output is what substitute puts in.
	Output json.RawMessage
	// DryRun only tells which runs it would be done to.
	DryRun bool
	// Limit bounds the runs that are dealt with in one call, oldest first; 0 means 1,000.
	Limit int
}

// BulkResult tells what became of one run.
type BulkResult struct {
	Run     domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	State   domain.RunState `json:"state"`
	// Done means that the act is recorded; in a dry run it is false.
	Done bool `json:"done"`
	// Error says why the act was refused.
	Error string `json:"error,omitempty"`
}

// BulkReport is what a bulk operation did.
type BulkReport struct {
	DryRun bool `json:"dry_run,omitempty"`
	// Matched counts the runs that the filter selects, Done and Failed those that were dealt with.
	Matched int `json:"matched"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// Unreadable counts runs that are left out because they can't be read, so that nobody can tell whether the filter
	// selects them: see [Coordinator.UnreadableRuns].
	Unreadable int `json:"unreadable,omitempty"`
	// More means that the limit left out some: call again.
	More    bool         `json:"more,omitempty"`
	Results []BulkResult `json:"results"`
}

// bulkWidth is how many runs are looked at, or dealt with, at once.
const bulkWidth = 16

// Bulk does one thing to every unfinished run that the filter selects, each on its own: one that
// refuses does not keep the others from it. It ends early with ctx; what is done is done, and calling again
// goes on with the rest. Errors: [ErrBadInput], [ErrNotRunning], and ctx's.
func (c *Coordinator) Bulk(ctx context.Context, req BulkRequest) (BulkReport, error) {
	if err := req.Validate(); err != nil {
		return BulkReport{}, err
	}
	if err := c.awaitReady(ctx); err != nil {
		return BulkReport{}, err
	}
	limit := orElse(req.Limit, 1_000)
	found, unreadable, err := c.selectRuns(ctx, &req)
	if err != nil {
		return BulkReport{}, err
	}
	report := BulkReport{DryRun: req.DryRun, Matched: len(found), Unreadable: unreadable, More: len(found) > limit}
	found = found[:min(limit, len(found))]
	if !req.DryRun {
		eachAtOnce(ctx, found, func(m *bulkMatch) {
			if err := c.bulkAct(ctx, &req, m); err != nil {
				m.Error = domain.CutText(err.Error(), maxBulkError)
			} else {
				m.Done = true
			}
		})
	}
	report.Results = make([]BulkResult, len(found))
	for i := range found {
		report.Results[i] = found[i].BulkResult
		if found[i].Done {
			report.Done++
		} else if found[i].Error != "" {
			report.Failed++
		}
	}
	return report, ctx.Err()
}

// maxBulkError bounds what a result says of a refusal, in bytes: what a caller gave must not come back once
// for every run.
const maxBulkError = 200

// Validate reports everything that is wrong with the request, as [ErrBadInput]. Who narrows a caller's filter
// validates it first: a filter without conditions has one afterwards.
func (r *BulkRequest) Validate() error {
	if err := r.check(); err != nil {
		return fmt.Errorf("%w: bulk %s: %w", ErrBadInput, domain.CutText(string(r.Act), 50), err)
	}
	return nil
}

func (r *BulkRequest) check() error {
	var errs []error
	switch r.Act {
	case BulkCancel, BulkPause, BulkResume, BulkRetry, BulkSkip:
	case BulkSubstitute:
		if len(r.Output) == 0 {
			errs = append(errs, errors.New("substitute needs an output: JSON that fits the action's type"))
		}
		errs = append(errs, accept.Payload("the output to substitute", r.Output))
	case BulkAbandon:
		if r.Reason == "" {
			errs = append(errs, errors.New("abandoning runs needs a reason"))
		}
	default:
		errs = append(errs, fmt.Errorf("no such act: use %s, %s, %s, %s, %s, %s or %s", BulkCancel, BulkPause, BulkResume, BulkRetry, BulkSkip, BulkSubstitute, BulkAbandon))
	}
	if r.Filter.zero() && !r.All {
		errs = append(errs, errors.New("the filter selects every unfinished run: set a condition, or say that all are meant"))
	}
	if r.Limit < 0 || r.Filter.OlderThan < 0 || r.Filter.Version < 0 {
		errs = append(errs, errors.New("limit, age and version can't be negative"))
	}
	errs = append(errs, accept.Text("the reason", r.Reason))
	return errors.Join(errs...)
}

// stuckOnly reports whether the act only makes sense for stuck runs.
func (a BulkAct) stuckOnly() bool { return a == BulkRetry || a == BulkSkip || a == BulkSubstitute }

// bulkMatch is a run that a filter selects.
type bulkMatch struct {
	BulkResult
	started time.Time
	steps   []string // the stuck steps that the filter selects; empty means all
	drop    bool
}

// selectRuns returns the runs that the filter selects, oldest first, and how many can't be read and so not be told.
func (c *Coordinator) selectRuns(ctx context.Context, req *BulkRequest) (found []bulkMatch, unreadable int, err error) {
	f := &req.Filter
	states := f.States
	if len(states) == 0 && req.Act.stuckOnly() {
		states = []domain.RunState{domain.RunIsStuck}
	}
	if f.Action != "" {
		states = []domain.RunState{domain.RunIsStuck}
	}
	named := make(map[domain.RunID]bool, len(f.Runs))
	for _, id := range f.Runs {
		named[id] = true
	}
	unfinished, err := c.unfinishedRuns(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("select runs: %w", err)
	}
	for id, state := range unfinished {
		if len(named) > 0 && !named[id] || len(states) > 0 && !slices.Contains(states, state) {
			continue
		}
		found = append(found, bulkMatch{BulkResult: BulkResult{Run: id, State: state}})
	}
	var mu sync.Mutex
	var firstErr error
	eachAtOnce(ctx, found, func(m *bulkMatch) {
		ok, err := c.matches(ctx, f, m)
		m.drop = !ok
		mu.Lock()
		defer mu.Unlock()
		if c.isUnreadable(m.Run, err) {
			unreadable++
		} else if err != nil && !errors.Is(err, ErrNotFound) {
			firstErr = err
		}
	})
	if err := errors.Join(ctx.Err(), firstErr); err != nil {
		return nil, 0, fmt.Errorf("select runs: %w", err)
	}
	found = slices.DeleteFunc(found, func(m bulkMatch) bool { return m.drop })
	sort.Slice(found, func(i, j int) bool {
		if !found[i].started.Equal(found[j].started) {
			return found[i].started.Before(found[j].started)
		}
		return found[i].Run.String() < found[j].Run.String()
	})
	return found, unreadable, nil
}

// unfinishedRuns returns the state of every unfinished run. A coordinator on demand has taken up none, so it reads
// them from the log.
func (c *Coordinator) unfinishedRuns(ctx context.Context) (map[domain.RunID]domain.RunState, error) {
	if !c.cfg.OnDemand {
		return c.wakeups.States(), nil
	}
	u, err := c.scan(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[domain.RunID]domain.RunState, len(u.runs))
	for id, w := range u.runs {
		out[id] = orElse(w.State, domain.RunRunning)
	}
	return out, nil
}

// matches looks at the run's first event and, only where the filter asks for a stuck action, folds it.
func (c *Coordinator) matches(ctx context.Context, f *RunFilter, m *bulkMatch) (bool, error) {
	started, at, err := c.firstEvent(ctx, m.Run)
	if err != nil {
		return false, err
	}
	m.Saga, m.Version, m.started = started.Saga, started.Version, at
	switch {
	case len(f.Sagas) > 0 && !slices.Contains(f.Sagas, started.Saga),
		f.Version > 0 && f.Version != started.Version,
		!strings.HasPrefix(started.Key, f.KeyPrefix),
		f.OlderThan > 0 && c.clock.Now().Sub(at) < f.OlderThan:
		return false, nil
	}
	for _, name := range slices.Collect(maps.Keys(f.Labels)) {
		if v, ok := started.Labels[name]; !ok || v != f.Labels[name] {
			return false, nil
		}
	}
	if f.Action == "" {
		return true, nil
	}
	look := c.Describe
	if c.cfg.OnDemand { // describing a run there takes it up
		look = func(ctx context.Context, id domain.RunID) (RunView, error) { return c.StateAt(ctx, id, Latest) }
	}
	v, err := look(ctx, m.Run)
	if err != nil {
		return false, err
	}
	for _, st := range v.Steps {
		if st.Incident != "" && st.Action == f.Action {
			m.steps = append(m.steps, st.Path)
		}
	}
	return len(m.steps) > 0, nil
}

// firstEvent reads how a run was started.
func (c *Coordinator) firstEvent(ctx context.Context, id domain.RunID) (*domain.RunStarted, time.Time, error) {
	for r, err := range c.log.ReadStream(ctx, domain.RunStream(id), 0) {
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read run %s: %w", id, err)
		}
		fact, err := domain.DecodeFact(&r)
		if err != nil {
			return nil, time.Time{}, unreadable(id, err)
		}
		started, ok := fact.Event.(*domain.RunStarted)
		if !ok {
			return nil, time.Time{}, unreadable(id, fmt.Errorf("%s begins with %s: it is no run", r.Stream, r.Type))
		}
		return started, fact.Meta.At, nil
	}
	return nil, time.Time{}, fmt.Errorf("%s: %w", id, ErrNotFound)
}

// bulkAct does the act to one run.
func (c *Coordinator) bulkAct(ctx context.Context, req *BulkRequest, m *bulkMatch) error {
	steps := m.steps
	if len(steps) == 0 {
		steps = []string{""}
	}
	var errs []error
	switch req.Act {
	case BulkCancel:
		return c.Cancel(ctx, m.Run, req.Reason)
	case BulkPause:
		return c.Pause(ctx, m.Run, req.Reason)
	case BulkResume:
		return c.Resume(ctx, m.Run, req.Reason)
	case BulkAbandon:
		return c.Abandon(ctx, m.Run, req.Reason)
	}
	for _, step := range steps {
		switch req.Act {
		case BulkRetry:
			errs = append(errs, c.Retry(ctx, m.Run, step, req.Reason))
		case BulkSkip:
			errs = append(errs, c.Skip(ctx, m.Run, step, req.Reason))
		case BulkSubstitute:
			errs = append(errs, c.Substitute(ctx, m.Run, step, req.Output, req.Reason))
		}
	}
	return errors.Join(errs...)
}

// eachAtOnce calls f for every element, bulkWidth at a time, and stops handing out when ctx ends.
func eachAtOnce[T any](ctx context.Context, list []T, f func(*T)) {
	next := make(chan *T)
	var all sync.WaitGroup
	for range min(bulkWidth, len(list)) {
		all.Go(func() {
			for v := range next {
				f(v)
			}
		})
	}
	for i := range list {
		if ctx.Err() != nil {
			break
		}
		next <- &list[i]
	}
	close(next)
	all.Wait()
}

// SagaOf returns the name of the saga, or single action, that the run is of. Errors: [ErrNotFound].
func (c *Coordinator) SagaOf(ctx context.Context, id domain.RunID) (string, error) {
	started, _, err := c.firstEvent(ctx, id)
	if err != nil {
		return "", err
	}
	return started.Saga, nil
}

// RunStates counts the unfinished runs by state.
func (c *Coordinator) RunStates() map[domain.RunState]int {
	out := make(map[domain.RunState]int)
	for _, s := range c.wakeups.States() {
		out[s]++
	}
	return out
}
