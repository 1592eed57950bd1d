package groups

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

func parkedStream(key string) string { return "$persistentsubscription-" + key + "-parked" }

// parking is a message on its way to the parked stream.
type parking struct {
	message *message
	link    domain.NewEvent
}

const (
	// parkBatch is how many links are appended to the parked stream at once.
	parkBatch = 50
	// maxReason is how many bytes of a consumer's reason are kept with a link: so many that a
	// batch of links fits into one append, with the longest of names and the worst of encodings.
	maxReason = 1000
	// maxLink is the length of the longest link, "N@stream".
	maxLink = len("9223372036854775807@") + streamdb.MaxNameLength
)

// park takes the message from its consumer and puts a link to it into the parked stream.
// Until that is durable the message is not settled. Links are appended in the order of
// these calls. The group is locked.
func (g *Group) park(m *message, reason string) {
	g.release(m)
	g.parkQueue = append(g.parkQueue, parking{m, parkedLink(m, reason, g.now())})
	if !g.parkRunning {
		g.parkRunning = g.background(g.parkQueued)
	}
}

// parkQueued appends what waits to be parked, until nothing does or the group stops.
func (g *Group) parkQueued() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.parkQueue) > 0 {
		batch := g.parkQueue[:min(parkBatch, len(g.parkQueue))]
		links := make([]domain.NewEvent, len(batch))
		for i, p := range batch {
			links[i] = p.link
		}
		g.mu.Unlock()
		err := g.persist(links)
		g.mu.Lock()
		if err != nil {
			return // the group stops: the messages will be given out again
		}
		for _, p := range batch {
			g.settle(p.message)
		}
		g.parkQueue = g.parkQueue[len(batch):]
		g.advance()
	}
	g.parkRunning = false
}

// persist appends the links, again and again until they are durable or the group stops.
func (g *Group) persist(links []domain.NewEvent) error {
	for {
		_, err := g.db.Append(g.life, parkedStream(g.settings.Key()), domain.AnyRevision, links)
		if err == nil || g.life.Err() != nil {
			return err
		}
		g.logger.Error("messages could not be parked, trying again in a second", "error", err)
		select {
		case <-time.After(time.Second):
		case <-g.life.Done():
			return g.life.Err()
		}
	}
}

func parkedLink(m *message, reason string, now time.Time) domain.NewEvent {
	subject := m.subject()
	data := fmt.Appendf(nil, "%d@%s", subject.Revision, subject.Stream)
	if m.event.Event == nil && len(m.event.Link.Data) <= maxLink { // what it points to is gone: keep where it pointed
		data = m.event.Link.Data
	}
	meta, err := json.Marshal(map[string]any{
		"added": now.UTC(), "reason": strings.ToValidUTF8(reason[:min(len(reason), maxReason)], ""), "subscriptionEventNumber": m.event.Original().Revision,
	})
	if err != nil { // a string that is not UTF-8 is no error, and nothing else can be one
		meta = nil
	}
	return domain.NewEvent{ID: uuid.New(), Type: streamdb.TypeLink, Data: data, Metadata: meta, Binary: true}
}

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

// Replay gives the parked messages out again, up to the link of the number stopAt
// (exclusive; negative means all). What is parked meanwhile stays parked.
func (g *Group) Replay(ctx context.Context, stopAt int64) error {
	view, err := g.db.View(ctx, parkedStream(g.settings.Key()))
	if err != nil {
		return err
	}
	stop := view.Last + 1
	if stopAt >= 0 {
		stop = min(stop, stopAt)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r := &g.replays
	from := max(view.First, r.next)
	if !view.Exists || r.running || from >= stop || g.dropped != nil {
		return nil // nothing to do, or being done
	}
	if r.open == nil {
		r.open = map[int64]struct{}{}
	}
	r.trimmed = max(r.trimmed, view.First)
	r.running = g.background(func() {
		err := g.replay(view, from, stop)
		g.mu.Lock()
		defer g.mu.Unlock()
		r.running = false
		if err != nil && g.life.Err() == nil {
			g.logger.Error("replaying parked messages stopped: ask for it again", "error", err)
		}
		g.advance()
	})
	return nil
}

func (g *Group) replay(view streamdb.View, from, stop int64) error {
	for link, err := range view.Forward(g.life, uint64(from)) {
		if err != nil {
			return err
		}
		number := int64(link.Revision)
		if number >= stop {
			break
		}
		resolved, err := g.db.Resolve(g.life, link, nil)
		if err != nil {
			return err
		}
		if err := g.takeReplayed(resolved, number); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replays.next = max(g.replays.next, stop)
	return nil
}

// takeReplayed gives a parked message out again, when there is room.
func (g *Group) takeReplayed(resolved streamdb.Resolved, number int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.retry) >= int(g.settings.HistoryBufferSize) {
		g.mu.Unlock()
		select {
		case <-time.After(50 * time.Millisecond):
		case <-g.life.Done():
		}
		g.mu.Lock()
		if err := g.life.Err(); err != nil {
			return err
		}
	}
	g.replays.next = number + 1
	if resolved.Event == nil {
		return nil // deleted since
	}
	m := newMessage(resolved, 0)
	m.parked = number
	g.replays.open[number] = struct{}{}
	g.retry = append(g.retry, m)
	g.push(g.now())
	return nil
}

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
