package runs

import (
	"context"
	"fmt"
	"strconv"

	"github.com/atonehq/atone/projections"
)

// OfVersion is a number of runs of one version of a saga.
type OfVersion struct {
	Saga    string
	Version int
	Runs    int
}

// UnfinishedByVersion counts the unfinished runs of each version of each saga.
func UnfinishedByVersion(ctx context.Context, r *projections.Reader) (out []OfVersion, err error) {
	f := Filter{States: Unfinished}
	q, err := f.query()
	if err != nil {
		return nil, err
	}
	count := func(column string, where []projections.Cond) ([]projections.Value, error) {
		return r.Values(ctx, &view, projections.ValuesQuery{Table: "runs", Column: column, Count: true, Where: where})
	}
	sagas, err := count("saga", q.Where)
	if err != nil {
		return nil, err
	}
	for _, s := range sagas {
		if s.Rows == 0 || s.Text == "" { // whose beginning can't be read
			continue
		}
		versions, err := count("version", append(q.Where[:len(q.Where):len(q.Where)], projections.Eq("saga", s.Text)))
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			n, err := strconv.Atoi(v.Text)
			if err != nil {
				return nil, fmt.Errorf("read the versions of saga %s: %w", s.Text, err)
			}
			if v.Rows > 0 {
				out = append(out, OfVersion{s.Text, n, v.Rows})
			}
		}
	}
	return out, nil
}

// Lacks says that a program has not the code of these runs.
func (o OfVersion) Lacks() string {
	runs, need := "runs", "need"
	if o.Runs == 1 {
		runs, need = "run", "needs"
	}
	return fmt.Sprintf("%d unfinished %s %s %s v%d, which this program lacks", o.Runs, runs, need, o.Saga, o.Version)
}
