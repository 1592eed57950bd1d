package runs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Errors of [Named].
var (
	// ErrNoName means that a text does not name a run.
	ErrNoName = errors.New("not the name of a run: give its id, the last 6 or more digits of it, or SAGA:KEY")
	// ErrAmbiguous means that several runs' ids end so.
	ErrAmbiguous = errors.New("more than one run's id ends so")
)

// listedNames is how many candidates [ErrAmbiguous] lists.
const listedNames = 5

// Named returns the run that people name so: by its id, by SAGA:KEY where it was started with a
// key, or by the last 6 or more digits of its id. find asks the view, only for such digits and only
// for runs of the sagas, if any are given. A run that is named by its id or key need not exist.
//
// Errors: [ErrNoName], [ErrAmbiguous] with the candidates, [domain.ErrNotFound], and those of find.
func Named(ctx context.Context, name string, sagas []string, find func(context.Context, Filter) (Page, error)) (domain.RunID, error) {
	if id, err := uuid.Parse(name); err == nil && len(name) == 36 {
		return id, nil
	}
	if saga, key, ok := strings.Cut(name, ":"); ok && saga != "" && key != "" {
		return domain.RunIDForKey(saga, key), nil
	}
	end := Match{On: OnID, Value: name}
	if end.Check() != nil {
		return domain.RunID{}, fmt.Errorf("%.60q: %w", name, ErrNoName)
	}
	page, err := find(ctx, Filter{Matches: []Match{end}, Sagas: sagas, Limit: listedNames + 1})
	switch {
	case err != nil:
		return domain.RunID{}, err
	case len(page.Rows) == 0:
		return domain.RunID{}, fmt.Errorf("no run's id ends with %s: %w", name, domain.ErrNotFound)
	case len(page.Rows) == 1:
		return page.Rows[0].ID, nil
	}
	var list []string
	for i := range page.Rows[:min(len(page.Rows), listedNames)] {
		r := &page.Rows[i]
		list = append(list, fmt.Sprintf("%s (%s)", r.ID, strings.TrimSpace(r.Saga+" "+r.Key)))
	}
	if len(page.Rows) > listedNames {
		list = append(list, "and more")
	}
	return domain.RunID{}, fmt.Errorf("%s: %w: %s", name, ErrAmbiguous, strings.Join(list, ", "))
}
