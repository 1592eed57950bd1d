package projectiontest

import (
	"context"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Dump returns all rows of a view, each as text, by table and in the order of the key.
func Dump(ctx context.Context, store projections.Store, v *projections.View) (map[string][]string, projections.Generation, error) {
	out := make(map[string][]string)
	var as projections.Generation
	for _, t := range v.Tables {
		page, err := store.Select(ctx, v, projections.Query{Table: t.Name, Order: t.Key})
		if err != nil {
			return nil, as, err
		}
		as = page.As
		rows := make([]string, 0, len(page.Rows))
		for _, r := range page.Rows {
			rows = append(rows, fmt.Sprintf("%q", r))
		}
		out[t.Name] = rows
	}
	return out, as, nil
}

func uint64Pos(n int64) domain.Position { return domain.Position(n) }
