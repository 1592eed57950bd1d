package incidents

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/projections"
)

// counts keeps groups and histories up to date.
type counts struct {
	groups  map[string]*GroupRow
	changed map[string]bool // the ids of groups to be saved
	history []projections.Row
	// nextGroup and nextEntry are the numbers of the next rows.
	nextGroup, nextEntry int64
}

// load reads the groups with incidents that are not resolved.
func (c *counts) load(ctx context.Context, tx projections.Tx) (err error) {
	if c.nextGroup, err = projections.NextNumber(ctx, tx, "groups", "g"); err != nil {
		return err
	}
	if c.nextEntry, err = projections.NextNumber(ctx, tx, "history", "h"); err != nil {
		return err
	}
	c.groups, c.changed = make(map[string]*GroupRow), make(map[string]bool)
	return c.fetch(ctx, tx, projections.Eq("live", 1))
}

func (c *counts) fetch(ctx context.Context, tx projections.Tx, where projections.Cond) error {
	rows, err := tx.Select(ctx, projections.Query{Table: "groups", Where: []projections.Cond{where}, Order: []string{"g"}})
	if err != nil {
		return err
	}
	for _, row := range rows {
		g, err := decodeGroup(row)
		if err != nil {
			return err
		}
		c.groups[g.ID] = &g
	}
	return nil
}

// arrive notes that an incident of the group was opened. It has the group in memory afterwards.
func (c *counts) arrive(ctx context.Context, tx projections.Tx, key *cause.Group, r *Row) error {
	if c.groups[r.Group] == nil {
		if err := c.fetch(ctx, tx, projections.Eq("id", r.Group)); err != nil {
			return err
		}
	}
	g := c.groups[r.Group]
	if g == nil {
		g = &GroupRow{ID: r.Group, Saga: key.Saga, Step: key.Step, Direction: key.Direction, Type: key.Type, Cause: key.Cause, g: c.nextGroup}
		c.nextGroup++
		c.groups[g.ID] = g
	}
	g.Action, g.Example = r.Action, domain.CutText(r.Cause, 2*shownNote)
	g.arrived(r.Last)
	c.changed[g.ID] = true
	return nil
}

// count counts an incident in its group, once or minus once.
func (c *counts) count(r *Row, by int) {
	g := c.groups[r.Group]
	if g == nil || !r.live() {
		return
	}
	if r.State == Open {
		g.Open += by
	} else {
		g.Retrying += by
	}
	if r.Assignee != "" {
		if g.Assignees == nil {
			g.Assignees = make(map[string]int)
		}
		if g.Assignees[r.Assignee] += by; g.Assignees[r.Assignee] == 0 {
			delete(g.Assignees, r.Assignee)
		}
	}
	c.changed[g.ID] = true
}

// note shows the incident's latest note on its group.
func (c *counts) note(r *Row) {
	if g := c.groups[r.Group]; g != nil {
		g.Note = r.Note
	}
}

// remember adds to the incident's history.
func (c *counts) remember(r *Row, e *projections.Event, entry Entry) {
	entry.At, entry.By, entry.Position = e.When(), e.Meta.Actor, e.Position
	doc, err := json.Marshal(entry)
	if err != nil {
		panic(fmt.Sprintf("an entry is plain data and always marshals: %v", err))
	}
	c.history = append(c.history, projections.Row{historyH: c.nextEntry, historyNo: int64(r.No), historyDoc: string(doc)})
	c.nextEntry++
}

// save writes what changed, and forgets the groups that need nobody any more.
func (c *counts) save(ctx context.Context, tx projections.Tx) error {
	var rows []projections.Row
	for _, id := range slices.Sorted(maps.Keys(c.changed)) {
		g := c.groups[id]
		row, err := g.encode()
		if err != nil {
			return err
		}
		rows = append(rows, row)
		if g.Open+g.Retrying == 0 {
			delete(c.groups, id)
		}
	}
	clear(c.changed)
	history := c.history
	c.history = nil
	if err := tx.Put(ctx, "groups", rows...); err != nil {
		return err
	}
	return tx.Put(ctx, "history", history...)
}
