package eventstoredb

import (
	"context"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
)

// way is a call that appends.
type way int

const (
	batched way = iota // one of many in a long call, BatchAppend
	unary              // a call of its own, Append
)

// How the faster way is found: now and then all appends go the other way for a moment. Single
// samples between appends of the current way would say little: a way that is not in use has no
// queue, and looks quick. If the other way took clearly less time in two trials in a row, it
// becomes the current one. Each lost trial makes the next ones rarer.
const (
	firstTrial  = 1_000   // appends before the first trial, and after a trial that was won
	rarestTrial = 100_000 // appends between trials at most
	trialLength = 400     // appends that are measured of each way
	settling    = trialLength / 4
	clearly     = 1.25 // how many times the other's mean time the current one's must be
	winsNeeded  = 2
)

// ways chooses between the calls. It is safe to use concurrently.
type ways struct {
	mu      sync.Mutex
	refused bool // the server does not take batches
	current way

	n, every int // appends since the last trial; after how many the next one ends
	wins     int // trials in a row that the other way won
	sum      [2]time.Duration
	count    [2]int
}

// choose returns the way for an append. An append that is not alone on its stream takes the current
// way, so that appends do not overtake each other.
func (w *ways) choose(alone bool) way {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused {
		return unary
	}
	if w.every == 0 {
		w.every = firstTrial
	}
	if w.n++; w.n == w.every {
		w.decide()
	}
	if alone && w.n > w.every-trialLength {
		return 1 - w.current
	}
	return w.current
}

// decide ends a trial.
func (w *ways) decide() {
	other := 1 - w.current
	won := w.count[w.current] > 0 && w.count[other] > trialLength/4 &&
		w.mean(other)*clearly < w.mean(w.current)
	switch {
	case !won:
		w.wins = 0
		w.every = min(4*w.every, rarestTrial)
	case w.wins+1 == winsNeeded:
		w.current, w.wins, w.every = other, 0, firstTrial
	default:
		w.wins++
		w.every = firstTrial
	}
	w.n, w.sum, w.count = 0, [2]time.Duration{}, [2]int{}
}

func (w *ways) mean(of way) float64 { return w.sum[of].Seconds() / float64(w.count[of]) }

// refuse notes that the server takes no batches: from now on every append is a call of its own.
func (w *ways) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = true
}

// took notes how long an append took that succeeded at once. It counts the last appends of the
// current way before a trial, and those of the other way once that has a queue of its own.
func (w *ways) took(by way, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	start := w.every - trialLength
	if by == w.current && w.n > start-trialLength && w.n <= start || by != w.current && w.n > start+settling {
		w.sum[by] += d
		w.count[by]++
	}
}

// takesBatches asks the server for its features. One that can't list them has none.
func takesBatches(ctx context.Context, s *nodes.Session) (bool, error) {
	if s.Features == nil {
		methods, err := serverfeatures.NewServerFeaturesClient(s.Conn).GetSupportedMethods(ctx, &shared.Empty{})
		switch status.Code(err) {
		case codes.OK:
		case codes.Unimplemented, codes.NotFound:
			return false, nil
		default:
			return false, nodes.Translate(err, nil)
		}
		s.Features = methods
	}
	for _, m := range s.Features.GetMethods() {
		if m.GetServiceName() == "event_store.client.streams.streams" && m.GetMethodName() == "batchappend" {
			return true, nil
		}
	}
	return false, nil
}
