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

// dryKey marks the context of acts that are only asked for.
type dryKey struct{}

// Dry reports whether an act is only to say whether it would be refused, and to change nothing.
func Dry(ctx context.Context) bool { return ctx.Value(dryKey{}) != nil }

// ask has each run's own levers say whether they would refuse the act, in the words of the act, and
// notes how the run stands. It returns the runs for which there was time.
func ask(ctx context.Context, runs *Runs, req *domain.BulkRequest, found []chosen) []chosen {
	as := *req
	as.Reason = cmp.Or(as.Reason, "dry run") // it may still be asked for
	dry := context.WithValue(ctx, dryKey{}, true)
	eachAtOnce(ctx, found, func(c *chosen) { // up: acting goes through runs in this way, too
		c.note(act(dry, runs, &as, c)) // up: what is asked is the act itself
		if why, err := runs.Why(ctx, c.Run); err == nil {
			c.Standing = string(why.Standing)
		}
		c.asked, c.Done = ctx.Err() == nil, false
	})
	if i := slices.IndexFunc(found, func(c chosen) bool { return !c.asked }); i >= 0 {
		found = found[:i]
	}
	return found
}

// foresee adds up what cancels of the first runs would undo. A run that can't be read is left out,
// and of one that would refuse the act nothing is undone.
func foresee(ctx context.Context, runs *Runs, found []chosen) *domain.BulkUndo {
	found = found[:min(maxForeseen, len(found))]
	looks := make([]*explain.Preview, len(found))
	at := make(map[domain.RunID]int, len(found))
	for i := range found {
		at[found[i].Run] = i
	}
	eachAtOnce(ctx, found, func(c *chosen) { // up: acting goes through runs in this way, too
		if c.Error != "" {
			looks[at[c.Run]] = new(explain.Preview)
			return
		}
		p, err := runs.Preview(ctx, c.Run)
		if err != nil {
			return
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
