package bulk

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// maxForeseen bounds how many runs are looked at to say what a cancel would undo: each is read.
const maxForeseen = 200

// foresee adds up what cancels of the first runs would undo, and notes which would refuse a cancel.
// A run that can't be read is left out.
func foresee(ctx context.Context, runs *Runs, req *domain.BulkRequest, found []chosen) *domain.BulkUndo {
	found = found[:min(maxForeseen, len(found))]
	looks := make([]*explain.Preview, len(found))
	at := make(map[domain.RunID]int, len(found))
	for i := range found {
		at[found[i].Run] = i
	}
	eachAtOnce(ctx, found, func(c *chosen) { // up: acting goes through runs in this way, too
		p, err := runs.Preview(ctx, c.Run)
		if err != nil {
			return
		}
		if p.Refused != "" && req.Act == domain.BulkCancel {
			c.Error = domain.CutText(p.Refused, maxError)
		}
		looks[at[c.Run]] = &p
	})
	out := &domain.BulkUndo{}
	sums := make(map[string]domain.ActionUndos)
	for _, p := range looks {
		if p == nil {
			continue
		}
		out.Runs++
		for i := range p.Steps {
			add(out, sums, &p.Steps[i])
		}
	}
	out.Actions = slices.SortedFunc(maps.Values(sums), func(a, b domain.ActionUndos) int {
		return cmp.Or(b.Undos-a.Undos, strings.Compare(a.Action, b.Action))
	})
	return out
}

// add counts one line of a preview.
func add(out *domain.BulkUndo, sums map[string]domain.ActionUndos, s *explain.PreviewStep) {
	switch s.Do {
	case explain.MoveUndoChild:
		out.Children++
	case explain.MoveStuck:
		out.Stuck++
	case explain.MoveUndo:
		sum := sums[s.Action]
		sum.Action = s.Action
		sum.Undos++
		if s.InDoubt {
			sum.InDoubt++
		}
		sums[s.Action] = sum
	}
}
