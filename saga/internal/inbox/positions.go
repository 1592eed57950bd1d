package inbox

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// triggerStream keeps the triggers' positions. In older logs it has rejected events, too.
const triggerStream = domain.SystemPrefix + "triggers"

const triggerCheckpointType = "atone.trigger_checkpoint.v1"

// triggerCheckpoint says that all events up to the position that belong to the interests were
// handled, except the pending ones. Coordinators that share a log share the checkpoints; during a
// deployment one may know triggers that another does not.
type triggerCheckpoint struct {
	Position  domain.Position `json:"position"`
	Interests []string        `json:"interests"`
	// Pending are events up to the position whose runs have not started yet: they wait for a place
	// among MaxRuns, or the start has failed so far. A checkpoint with pending events has exactly
	// one interest.
	Pending []pendingEvent `json:"pending,omitempty"`
}

// pendingEvent says where to read an event.
type pendingEvent struct {
	Stream   string `json:"stream"`
	Revision uint64 `json:"revision"`
}

// triggerInterest is the name of a trigger in checkpoints.
func triggerInterest(t *Trigger) string { return "trigger " + t.Saga + " " + t.Type }

// awaitInterest is the name of an awaited type in checkpoints for older programs, which are still
// written.
func awaitInterest(eventType string) string { return "await " + eventType }

// checkpointsSearched bounds how many checkpoints are searched for an interest. With one checkpoint
// every five seconds of activity, that is half a day of activity.
const checkpointsSearched = 10_000

// loadTriggers reads the position of each trigger; a new trigger begins at the log's end. It skips
// unreadable checkpoints.
func (in *Inbox) loadTriggers(ctx context.Context) error {
	missing := make(map[string][]*lane)
	for _, l := range in.lanes {
		missing[l.interest] = append(missing[l.interest], l)
	}
	searched, complained := 0, false
	for e, err := range in.Log.ReadStreamBackward(ctx, triggerStream, domain.End) {
		if len(missing) == 0 || searched == checkpointsSearched {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", triggerStream, err)
		}
		if e.Type != triggerCheckpointType {
			continue
		}
		searched++
		var p triggerCheckpoint
		if err := json.Unmarshal(e.Data, &p); err != nil {
			if !complained {
				in.Logger.Error("a checkpoint of the triggers can't be read: an older one is used", "stream", triggerStream, "revision", e.Revision, "error", err)
			}
			complained = true
			continue
		}
		for _, i := range p.Interests {
			for _, l := range missing[i] {
				l.read, l.resumed = p.Position, p.Pending
			}
			delete(missing, i)
		}
	}
	return in.beginTriggers(ctx, missing)
}

// beginTriggers notes that triggers begin at the log's end.
func (in *Inbox) beginTriggers(ctx context.Context, lanes map[string][]*lane) error {
	if len(lanes) == 0 {
		return nil
	}
	p := triggerCheckpoint{}
	for e, err := range in.Log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{}) {
		if err != nil {
			return fmt.Errorf("find the log's end: %w", err)
		}
		p.Position = e.Position
		break
	}
	for i, all := range lanes {
		p.Interests = append(p.Interests, i)
		for _, l := range all {
			l.read = p.Position
		}
	}
	slices.Sort(p.Interests)
	return in.saveCheckpoint(ctx, p)
}

func (in *Inbox) saveCheckpoint(ctx context.Context, p triggerCheckpoint) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	e := domain.NewEvent{ID: uuid.New(), Type: triggerCheckpointType, Data: data}
	if _, err := in.Log.Append(ctx, triggerStream, domain.AnyRevision, e); err != nil {
		return fmt.Errorf("save the triggers' positions: %w", err)
	}
	return nil
}

// saveTriggers saves the triggers' positions, if anything has happened since the last time.
func (in *Inbox) saveTriggers(ctx context.Context) error {
	changes := in.changes.Load()
	if changes == 0 {
		return nil
	}
	in.mu.Lock()
	seen, idle := in.seen, in.live && in.deliverer.idle()
	in.mu.Unlock()
	// Triggers without pending events, by position.
	together := make(map[domain.Position][]string)
	byInterest := make(map[string]triggerCheckpoint)
	// Two triggers of one type and saga share an interest.
	for _, l := range in.lanes {
		p := l.progress(seen)
		if other, found := byInterest[l.interest]; found {
			p.Position = min(p.Position, other.Position)
			p.Pending = append(p.Pending, other.Pending...)
		}
		byInterest[l.interest] = p
	}
	var apart []triggerCheckpoint
	for i, p := range byInterest {
		if p.Interests = []string{i}; len(p.Pending) > 0 {
			apart = append(apart, p)
		} else {
			together[p.Position] = append(together[p.Position], i)
		}
	}
	if idle {
		for _, t := range in.awaited {
			together[seen] = append(together[seen], awaitInterest(t))
		}
	}
	for position, interests := range together {
		slices.Sort(interests)
		apart = append(apart, triggerCheckpoint{Position: position, Interests: interests})
	}
	slices.SortFunc(apart, func(a, b triggerCheckpoint) int { return cmp.Compare(a.Interests[0], b.Interests[0]) })
	for _, p := range apart {
		if err := in.saveCheckpoint(ctx, p); err != nil {
			return err
		}
	}
	in.changes.Add(-changes)
	return nil
}

// progress returns how far the lane has come, given that the feed has seen everything up to the
// position.
func (l *lane) progress(seen domain.Position) triggerCheckpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := triggerCheckpoint{Position: l.read}
	if l.hot && !l.busy && len(l.queue) == 0 {
		p.Position = max(l.read, seen)
	}
	p.Pending = append(p.Pending, l.resumed...)
	for _, r := range l.pending {
		if !slices.Contains(p.Pending, r.at) {
			p.Pending = append(p.Pending, r.at)
		}
	}
	return p
}

// idle reports whether nothing is to be delivered.
func (d *deliverer) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.runs) == 0
}
