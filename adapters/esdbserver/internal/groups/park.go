package groups

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// parking is a message on its way to the parked stream.
type parking struct {
	message *message
	link    domain.NewEvent
}

const (
	// parkBatch is how many links are appended to the parked stream at once.
	parkBatch = 50
	// maxReason is how many bytes of a consumer's reason are kept with a link: few enough that a
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

// persist appends the links, trying until they are durable or the group stops.
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
	if m.event.Event == nil && len(m.event.Link.Data) <= maxLink {
		// The event that the link points to is gone: keep where it pointed.
		data = m.event.Link.Data
	}
	meta, err := json.Marshal(map[string]any{
		"added": now.UTC(), "reason": strings.ToValidUTF8(reason[:min(len(reason), maxReason)], ""), "subscriptionEventNumber": m.event.Original().Revision,
	})
	if err != nil { // cannot happen: encoding/json refuses none of these values
		meta = nil
	}
	return domain.NewEvent{ID: uuid.New(), Type: streamdb.TypeLink, Data: data, Metadata: meta, Binary: true}
}

// giveBack queues a message that failed to be given out again. With mayPark, a message that has
// failed too often is parked instead.
func (g *Group) giveBack(m *message, mayPark bool) {
	if mayPark && m.retries >= g.settings.MaxRetryCount {
		g.park(m, fmt.Sprintf("Reached retry count of %d", g.settings.MaxRetryCount))
		return
	}
	g.release(m)
	m.retries++
	g.retry = slices.Insert(g.retry, retryAt(g.retry, m), m)
}
