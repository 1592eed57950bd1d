package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// chosen is a run that a filter selects.
type chosen struct {
	domain.BulkResult
	started time.Time
	steps   []string // the stuck steps that the filter selects; empty means all
	drop    bool
	asked   bool // in a dry run: its levers have answered
	below   bool // it is selected, too, where a run above it is
}

// choose returns the runs that the filter selects, oldest first, and the number of unreadable runs,
// which it could not check.
func choose(ctx context.Context, runs *Runs, req *domain.BulkRequest) (found []chosen, unreadable int, err error) {
	unfinished, err := runs.Unfinished(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("select runs: %w", err)
	}
	named := make(map[domain.RunID]bool, len(req.Filter.Runs))
	for _, id := range req.Filter.Runs {
		named[id] = true
	}
	found = candidates(unfinished, named, req)
	var mu sync.Mutex
	var firstErr error
	eachAtOnce(ctx, found, func(c *chosen) { // up: acting goes through runs in this way, too
		ok, err := matches(ctx, runs, named, req, c)
		c.drop = !ok
		mu.Lock()
		defer mu.Unlock()
		if runs.Unreadable(c.Run, err) {
			unreadable++
		} else if err != nil && !errors.Is(err, domain.ErrNotFound) {
			firstErr = err
		}
	})
	if err := errors.Join(ctx.Err(), firstErr); err != nil {
		return nil, 0, fmt.Errorf("select runs: %w", err)
	}
	found = slices.DeleteFunc(found, func(c chosen) bool { return c.drop })
	slices.SortFunc(found, byAge)
	if req.After == (domain.RunID{}) {
		return found, unreadable, nil
	}
	last := chosen{BulkResult: domain.BulkResult{Run: req.After}}
	if _, last.started, err = runs.Started(ctx, req.After); err != nil {
		return nil, 0, fmt.Errorf("select runs after %s: %w", req.After, err)
	}
	return slices.DeleteFunc(found, func(c chosen) bool { return byAge(c, last) <= 0 }), unreadable, nil
}

// byAge is the order oldest first.
func byAge(a, b chosen) int {
	return cmp.Or(a.started.Compare(b.started), strings.Compare(a.Run.String(), b.Run.String()))
}

// candidates returns the unfinished runs that may match, without reading them.
func candidates(unfinished map[domain.RunID]domain.RunState, named map[domain.RunID]bool, req *domain.BulkRequest) (found []chosen) {
	states := req.Filter.States
	if req.Filter.Action != "" || len(states) == 0 && req.Act.StuckOnly() {
		states = []domain.RunState{domain.RunIsStuck}
	}
	if len(states) == 1 && states[0] == domain.RunIsStuck && len(req.Filter.States) == 0 && req.Act.StuckOnly() {
		for id, state := range unfinished {
			if state == domain.RunIsStuck {
				found = append(found, chosen{BulkResult: domain.BulkResult{Run: id, State: state}, below: true})
			}
		}
		return found
	}
	for id, state := range unfinished {
		if len(named) > 0 && !named[id] || len(states) > 0 && !slices.Contains(states, state) {
			continue
		}
		found = append(found, chosen{BulkResult: domain.BulkResult{Run: id, State: state}})
	}
	return found
}

// maxDepth bounds how far a run below is looked for.
const maxDepth = 32

// selects reports whether the filter selects a run by how it was started.
func selects(runs *Runs, f *domain.BulkFilter, started *domain.RunStarted, at time.Time) bool {
	switch {
	case len(f.Sagas) > 0 && !slices.Contains(f.Sagas, started.Saga),
		f.Version > 0 && f.Version != started.Version,
		!strings.HasPrefix(started.Key, f.KeyPrefix),
		f.OlderThan > 0 && runs.Now().Sub(at) < f.OlderThan:
		return false
	}
	for name, value := range f.Labels {
		if v, ok := started.Labels[name]; !ok || v != value {
			return false
		}
	}
	return true
}

// matches looks at how the run was started, or one above it, and, only where the filter asks for a
// stuck action, at its state.
func matches(ctx context.Context, runs *Runs, named map[domain.RunID]bool, req *domain.BulkRequest, c *chosen) (bool, error) {
	f := &req.Filter
	started, at, err := runs.Started(ctx, c.Run)
	if err != nil {
		return false, err
	}
	c.Key, c.Saga, c.Version, c.started = started.Key, started.Saga, started.Version, at
	if len(req.Within) > 0 && !slices.Contains(req.Within, started.Saga) {
		return false, nil
	}
	selected := (len(named) == 0 || named[c.Run]) && selects(runs, f, started, at)
	for depth := 0; !selected && c.below && started.Parent != nil && depth < maxDepth; depth++ {
		above := started.Parent.Run
		if started, at, err = runs.Started(ctx, above); err != nil {
			return false, err
		}
		// A run whose steps are named stands for these alone, not for what is below it.
		selected = (len(named) == 0 || named[above]) && len(f.Steps[above]) == 0 && selects(runs, f, started, at)
	}
	if !selected {
		return false, nil
	}
	if c.steps = f.Steps[c.Run]; f.Action == "" || len(c.steps) > 0 {
		return true, nil
	}
	v, err := runs.Describe(ctx, c.Run)
	if err != nil {
		return false, err
	}
	c.steps = v.StuckAt(f.Action)
	return len(c.steps) > 0, nil
}
