package eventstoredb

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// toldStreams is how many streams are remembered at least, those told of last.
const toldStreams = 1 << 16

// told remembers the highest revision that this process was told of each stream: by the
// acknowledgement of an append, by a conflict, or by a subscription. Servers tell of revisions that
// a read does not show yet (measured: in 5 to 40 % of conflicts, for 12 to 214 ms; after an append
// through a follower for up to 25 ms), so reads wait for them. It is safe to use concurrently.
type told struct {
	mu sync.Mutex
	// young takes what is new; when it is full it becomes old, and what was old is forgotten.
	young, old map[string]uint64
}

// note remembers that the stream has the revision.
func (t *told) note(stream string, revision uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.find(stream); ok && last >= revision {
		return
	}
	if t.young == nil || len(t.young) >= toldStreams {
		t.old, t.young = t.young, make(map[string]uint64)
	}
	t.young[stream] = revision
}

// of returns the highest revision that is known of the stream, if one is.
func (t *told) of(stream string) (uint64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.find(stream)
}

func (t *told) find(stream string) (uint64, bool) {
	if r, ok := t.young[stream]; ok {
		return r, true
	}
	r, ok := t.old[stream]
	return r, ok
}

// forget drops what is known of a stream that turned out to be shorter.
func (t *told) forget(stream string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.young, stream)
	delete(t.old, stream)
}

// lag is one read's waiting for a revision that the server told of and does not show.
type lag struct {
	log     *Log
	stream  string
	want    uint64
	began   time.Time
	pause   time.Duration
	checked bool // whether the stream was cut off on purpose
}

// The pauses between reads of a stream that lags, and after how long it is asked whether the
// stream was cut off instead.
const (
	lagFirst = 2 * time.Millisecond
	lagMost  = 100 * time.Millisecond
	lagCheck = 300 * time.Millisecond
)

// again waits a moment and reports whether to read again. It reports false without an error
// where the stream is no longer because its metadata says so, and an error where what was told
// does not appear within [Config.LagTimeout]; what was told is then forgotten, as a leader that
// died may have told of what is lost.
func (g *lag) again(ctx context.Context) (bool, error) {
	if g.pause == 0 {
		g.began, g.pause = time.Now(), lagFirst
	}
	if waited := time.Since(g.began); waited > lagCheck && !g.checked {
		g.checked = true
		if g.log.cutOffOnPurpose(ctx, g.stream, g.want) {
			g.log.told.forget(g.stream)
			return false, nil
		}
	} else if waited > g.log.cfg.LagTimeout {
		g.log.told.forget(g.stream)
		return false, fmt.Errorf("read %s: the server told of revision %d and does not show it after %s: read again later, or from another node",
			g.stream, g.want, g.log.cfg.LagTimeout)
	}
	timer := time.NewTimer(g.pause)
	defer timer.Stop()
	g.pause = min(2*g.pause, lagMost)
	select {
	case <-timer.C:
		return true, nil
	case <-ctx.Done():
		return false, nodes.Ended(ctx, nil)
	}
}

// cutOffOnPurpose reports whether the stream's metadata hides the revision: by a soft deletion, or
// by $tb, $maxAge or $maxCount. Metadata that can't be read says nothing.
func (l *Log) cutOffOnPurpose(ctx context.Context, stream string, revision uint64) bool {
	var rules struct {
		Before   *json.Number `json:"$tb"`
		MaxAge   *json.Number `json:"$maxAge"`
		MaxCount *json.Number `json:"$maxCount"`
	}
	timed, cancel := context.WithTimeout(ctx, l.cfg.AttemptTimeout)
	defer cancel()
	err := l.persist(timed, "read the metadata of "+stream, l.reads, func(ctx context.Context, at *nodes.Link, s *nodes.Session) error {
		request := wire.StreamRequest("$$"+stream, math.MaxUint64, api.ReadReq_Options_Backwards, 1)
		return readOnce(ctx, s, at.Outgoing(ctx, false), request, func(m *api.ReadResp) bool {
			if e := m.GetEvent().GetEvent(); e != nil {
				_ = json.Unmarshal(e.GetData(), &rules) // what is no object of rules has none
			}
			return true
		})
	})
	if err != nil {
		return false
	}
	if rules.Before != nil {
		if before, err := rules.Before.Int64(); err == nil && before > 0 && uint64(before) > revision {
			return true
		}
	}
	return rules.MaxAge != nil || rules.MaxCount != nil
}
