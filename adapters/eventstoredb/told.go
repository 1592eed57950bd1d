package eventstoredb

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// toldStreams is how many streams are remembered, those told or asked of last.
const toldStreams = 1 << 16

// told remembers, for each stream, the highest revision that the server has announced to this
// process: by the acknowledgement of an append, by a conflict, or by a subscription. Servers
// announce revisions that a read does not show yet (measured: in 5 to 40 % of conflicts, for 12 to
// 214 ms; after an append through a follower for up to 25 ms), so reads wait for them. It is safe
// to use concurrently.
type told struct {
	mu     sync.Mutex
	lately *simplelru.LRU[string, uint64] // nil until something was told
}

// note remembers that the stream has the revision.
func (t *told) note(stream string, revision uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lately == nil {
		t.lately, _ = simplelru.NewLRU[string, uint64](toldStreams, nil) // valid size
	}
	if last, ok := t.lately.Get(stream); !ok || last < revision {
		t.lately.Add(stream, revision)
	}
}

// of returns the highest revision that is known of the stream, if one is.
func (t *told) of(stream string) (uint64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lately == nil {
		return 0, false
	}
	return t.lately.Get(stream)
}

// forget drops what is known of a stream that turned out to be shorter.
func (t *told) forget(stream string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lately != nil {
		t.lately.Remove(stream)
	}
}

// lag is one read's wait for a revision that the server announced and does not show.
type lag struct {
	log     *Log
	stream  string
	want    uint64
	began   time.Time
	pause   pause
	checked bool // whether the stream was cut off on purpose
}

// The pauses between reads of a stream that lags, and how long to wait before asking whether the
// stream was cut off instead.
const (
	lagFirst = 2 * time.Millisecond
	lagMost  = 100 * time.Millisecond
	lagCheck = 300 * time.Millisecond
)

// again waits a moment and reports whether to read again. It returns false without an error if the
// stream is shorter because its metadata says so. It returns an error if the announced revision
// does not appear within [Config.LagTimeout], and forgets that revision: a leader that died may
// have announced what is now lost.
func (g *lag) again(ctx context.Context) (bool, error) {
	if g.began.IsZero() {
		g.began = time.Now()
		g.pause = pause{&backoff.ExponentialBackOff{InitialInterval: lagFirst, MaxInterval: lagMost, Multiplier: 2}}
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
	g.pause.wait(ctx)
	if err := nodes.Ended(ctx, nil); err != nil {
		return false, err
	}
	return true, nil
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
		return readOnce(ctx, s, at.Outgoing(ctx, false), request, func(m *wire.Answer) bool {
			if m.Found {
				_ = json.Unmarshal(m.Event.Data, &rules) // unreadable metadata has no rules
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
