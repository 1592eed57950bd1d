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
}

// choose returns the runs that the filter selects, oldest first, and how many can't be read, so
// that nobody can tell of them.
func choose(ctx context.Context, runs *Runs, req *domain.BulkRequest) (found []chosen, unreadable int, err error) {
	unfinished, err := runs.Unfinished(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("select runs: %w", err)
	}
	found = candidates(unfinished, req)
	var mu sync.Mutex
	var firstErr error
	eachAtOnce(ctx, found, func(c *chosen) { // up: acting goes through runs in this way, too
		ok, err := matches(ctx, runs, &req.Filter, c)
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
	slices.SortFunc(found, func(a, b chosen) int {
		return cmp.Or(a.started.Compare(b.started), strings.Compare(a.Run.String(), b.Run.String()))
	})
	return found, unreadable, nil
}

// candidates returns the unfinished runs that may match by what is known without reading them.
func candidates(unfinished map[domain.RunID]domain.RunState, req *domain.BulkRequest) (found []chosen) {
	states := req.Filter.States
	if req.Filter.Action != "" || len(states) == 0 && req.Act.StuckOnly() {
		states = []domain.RunState{domain.RunIsStuck}
	}
	named := make(map[domain.RunID]bool, len(req.Filter.Runs))
	for _, id := range req.Filter.Runs {
		named[id] = true
	}
	for id, state := range unfinished {
		if len(named) > 0 && !named[id] || len(states) > 0 && !slices.Contains(states, state) {
			continue
		}
		found = append(found, chosen{BulkResult: domain.BulkResult{Run: id, State: state}})
	}
	return found
}

// matches looks at how the run was started and, only where the filter asks for a stuck action, at
// its state.
func matches(ctx context.Context, runs *Runs, f *domain.BulkFilter, c *chosen) (bool, error) {
	started, at, err := runs.Started(ctx, c.Run)
	if err != nil {
		return false, err
	}
	c.Saga, c.Version, c.started = started.Saga, started.Version, at
	switch {
	case len(f.Sagas) > 0 && !slices.Contains(f.Sagas, started.Saga),
		f.Version > 0 && f.Version != started.Version,
		!strings.HasPrefix(started.Key, f.KeyPrefix),
		f.OlderThan > 0 && runs.Now().Sub(at) < f.OlderThan:
		return false, nil
	}
	for name, value := range f.Labels {
		if v, ok := started.Labels[name]; !ok || v != value {
			return false, nil
		}
	}
	if f.Action == "" {
		return true, nil
	}
	c.steps, err = runs.StuckAt(ctx, c.Run, f.Action)
	return len(c.steps) > 0, err
}
