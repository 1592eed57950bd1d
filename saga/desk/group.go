package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
)

// stream holds the snoozes of all groups.
const stream = domain.SystemPrefix + "incidents"

const snoozedType = "atone.group_snoozed.v1"

// GroupSnooze hides a group of incidents until a time, with those that arrive meanwhile. Nobody is
// alerted of them.
type GroupSnooze struct {
	// Group is the id of the group, see [cause.Group.ID]; what follows says which group that is.
	Group     string           `json:"group" doc:"The id of the group."`
	Saga      string           `json:"saga" doc:"Its saga."`
	Step      string           `json:"step" doc:"Its step."`
	Direction domain.Direction `json:"direction" doc:"What the step was tried in."`
	Type      string           `json:"type,omitempty" doc:"The Go type of the error."`
	Cause     string           `json:"cause" doc:"What the causes have in common."`
	// Until is when the group shows again; without it, at once.
	Until  time.Time `json:"until,omitzero" doc:"When it ends."`
	Reason string    `json:"reason,omitempty" doc:"Why."`
	// By is who snoozed it, At when.
	By string    `json:"by" doc:"Who snoozed it."`
	At time.Time `json:"at" doc:"When."`
}

// SnoozeGroup hides a group until the time; the zero time shows it now. It
// returns the position of the event. Errors: [domain.ErrBadInput], [domain.ErrNotRunning], and the
// log's; after one of the log it is unknown whether the group is snoozed.
func (d *Desk) SnoozeGroup(ctx context.Context, g cause.Group, until time.Time, reason string) (domain.Position, error) {
	a := Act{Kind: Snooze, Until: until, Text: reason}
	if err := a.Validate(d.Now()); err != nil {
		return 0, fmt.Errorf("snooze group: %w", err)
	}
	by, err := d.Actor(ctx)
	if err != nil {
		return 0, fmt.Errorf("snooze group: %w", err)
	}
	s := GroupSnooze{Group: g.ID(), Saga: g.Saga, Step: g.Step, Direction: g.Direction, Type: g.Type, Cause: g.Cause,
		Until: endOf(until, d.Now()), Reason: reason, By: by, At: d.Now().UTC().Round(0)}
	data, err := json.Marshal(s)
	if err != nil {
		return 0, fmt.Errorf("snooze group: %w", err)
	}
	at, err := d.Log.Append(ctx, stream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: snoozedType, Data: data})
	if err != nil {
		return 0, fmt.Errorf("snooze group: %w", err)
	}
	return at.Position, nil
}

// Groups returns the snoozes of groups that have not ended, by the group's id. It reads what was
// added to the stream since the last call, by any process.
func (d *Desk) Groups(ctx context.Context) (map[string]GroupSnooze, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for e, err := range d.Log.ReadStream(ctx, stream, d.next) {
		if err != nil {
			return nil, fmt.Errorf("read the snoozes of groups: %w", err)
		}
		d.next = e.Revision + 1
		var s GroupSnooze
		if e.Type != snoozedType || json.Unmarshal(e.Data, &s) != nil {
			continue // a newer program's
		}
		d.groups[s.Group] = s
	}
	now := d.Now()
	maps.DeleteFunc(d.groups, func(_ string, s GroupSnooze) bool { return !s.Until.After(now) })
	return maps.Clone(d.groups), nil
}
