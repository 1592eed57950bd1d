package groups

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// replayState is how far parked messages are replayed.
type replayState struct {
	running bool
	// The links before next were taken up, those before trimmed removed for good.
	next, trimmed int64
	trimming      bool
	// open are the numbers of the links taken up and not settled.
	open map[int64]struct{}
}

func (r *replayState) settled(m *message) { delete(r.open, m.parked) }

// trimParked removes the links whose messages were replayed and are settled. The group is
// locked.
func (g *Group) trimParked() {
	r := &g.replays
	upTo := r.next
	for number := range r.open {
		upTo = min(upTo, number)
	}
	if r.trimming || r.running || upTo <= r.trimmed {
		return
	}
	r.trimming = g.background(func() {
		data := fmt.Appendf(nil, `{"$tb":%d,"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$admins","$mw":"$admins"}}`, upTo)
		meta := domain.NewEvent{ID: uuid.New(), Type: streamdb.TypeMetadata, Data: data}
		_, err := g.db.Append(g.life, streamdb.MetastreamOf(parkedStream(g.settings.Key())), domain.AnyRevision, []domain.NewEvent{meta})
		g.mu.Lock()
		defer g.mu.Unlock()
		r.trimming = false
		if err == nil {
			r.trimmed = upTo
			g.trimParked()
		} else if g.life.Err() == nil {
			g.logger.Warn("replayed messages could not be removed from the parked ones, trying again", "error", err)
		}
	})
}

// parkedCount is how many messages are parked and not being replayed.
func (g *Group) parkedCount(ctx context.Context) (int64, error) {
	view, err := g.db.View(ctx, parkedStream(g.settings.Key()))
	if err != nil || !view.Exists {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, view.Last+1-max(view.First, g.replays.next)), nil
}
