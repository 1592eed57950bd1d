package eventstoredb

import (
	"sync"
	"time"
)

// way is a call that appends.
type way int

const (
	batched way = iota // one of many in a long call, BatchAppend
	unary              // a call of its own, Append
)

// How the faster way is found: every sampleEvery-th append that nothing else waits behind goes the
// other way. When each has enough samples, the one that takes less than half of the other's time is
// taken: on most servers that is neither, and batches, which cost less, go on.
const (
	sampleEvery = 128
	enough      = 16
	muchFaster  = 2
	weight      = 1.0 / 8 // of a sample in the mean
)

// ways chooses between the calls. It is safe to use concurrently.
type ways struct {
	mu      sync.Mutex
	refused bool // the server does not take batches
	current way
	n       int
	pace    [2]pace
}

// pace is the mean time of one way's appends.
type pace struct {
	samples int
	mean    float64 // seconds
}

// choose returns the way for an append. One that is not alone on its stream takes the current way,
// so that none overtakes another.
func (w *ways) choose(alone bool) way {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused {
		return unary
	}
	if w.n++; alone && w.n%sampleEvery == 0 {
		return 1 - w.current
	}
	return w.current
}

// refuse notes that the server takes no batches: from now on every append is a call of its own.
func (w *ways) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = true
}

// took notes how long an append took that succeeded at once.
func (w *ways) took(by way, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.pace[by]
	if p.samples++; p.samples == 1 {
		p.mean = d.Seconds()
	}
	p.mean += (d.Seconds() - p.mean) * weight
	mine, other := &w.pace[w.current], &w.pace[1-w.current]
	if mine.samples >= enough && other.samples >= enough && other.mean*muchFaster < mine.mean {
		w.current = 1 - w.current
		w.pace = [2]pace{}
	}
}
