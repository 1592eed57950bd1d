package groups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

const checkpointType = "$SubscriptionCheckpoint"

// checkpointState is what is known of the group's checkpoint.
type checkpointState struct {
	at      int64 // where the last one is
	order   int64 // how many messages had been given out there
	when    time.Time
	exists  bool
	writing bool
}

// errUnreadable means that a checkpoint is not one that a group has written.
var errUnreadable = errors.New("the checkpoint cannot be read")

// loadCheckpoint returns the place behind which the group goes on, or [errUnreadable].
func loadCheckpoint(ctx context.Context, db *streamdb.DB, s Settings) (at int64, found bool, err error) {
	view, err := db.View(ctx, checkpointStream(s.Key()))
	if err != nil || !view.Exists {
		return 0, false, err
	}
	for event, err := range view.Backward(ctx, domain.End) {
		if err != nil {
			return 0, false, err
		}
		var text string
		err := json.Unmarshal(event.Data, &text)
		if err == nil {
			at, err = s.parsePlace(text)
		}
		if err != nil {
			return 0, false, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		return at, true, nil
	}
	return 0, false, nil
}

// reached is the place up to which everything is settled. The group is locked.
func (g *Group) reached() (at, order int64) {
	if m := g.pending.lowest(); m != nil {
		return m.before, m.order - 1
	}
	return g.known, g.knownOrder
}

// tryCheckpoint writes the checkpoint if enough has happened since the last one: at least
// the maximum count of messages, or, at the clock's tick, the minimum count and the time.
func (g *Group) tryCheckpoint(tick bool) {
	at, order := g.reached()
	c := &g.checkpoint
	if c.writing || at <= c.at {
		return
	}
	done := order - c.order
	after := time.Duration(g.settings.CheckPointAfter) * time.Millisecond
	due := g.now().Sub(c.when) >= after && done >= int64(g.settings.MinCheckPointCount)
	if (!tick || !due) && done < int64(max(g.settings.MaxCheckPointCount, 1)) {
		return
	}
	first := !c.exists
	c.writing = g.background(func() {
		err := g.writeCheckpoint(g.life, at, first)
		g.mu.Lock()
		defer g.mu.Unlock()
		c.writing = false
		if err == nil {
			c.at, c.order, c.when, c.exists = at, order, g.now(), true
		} else if g.life.Err() == nil {
			g.logger.Warn("the group's checkpoint could not be written, trying again", "error", err)
		}
	})
}

func (g *Group) writeCheckpoint(ctx context.Context, at int64, first bool) error {
	stream := checkpointStream(g.settings.Key())
	if first {
		meta := domain.NewEvent{ID: uuid.New(), Type: streamdb.TypeMetadata, Data: []byte(`{"$maxCount":2,"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$all","$mw":"$admins"}}`)}
		if _, err := g.db.Append(ctx, streamdb.MetastreamOf(stream), domain.AnyRevision, []domain.NewEvent{meta}); err != nil {
			return err
		}
	}
	data, err := json.Marshal(g.settings.place(at))
	if err != nil {
		return err
	}
	_, err = g.db.Append(ctx, stream, domain.AnyRevision, []domain.NewEvent{{ID: uuid.New(), Type: checkpointType, Data: data}})
	return err
}

// finish writes the last checkpoint of a group that stops, so that the next start repeats
// as little as can be.
func (g *Group) finish(ctx context.Context) {
	g.mu.Lock()
	at, _ := g.reached()
	due, first, gone := at > g.checkpoint.at, !g.checkpoint.exists, g.deleted
	g.mu.Unlock()
	if !due || gone {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := g.writeCheckpoint(ctx, at, first); err != nil && !errors.Is(err, domain.ErrClosed) {
		g.logger.Warn("the group's last checkpoint could not be written: some events will be delivered again", "error", err)
	}
}
