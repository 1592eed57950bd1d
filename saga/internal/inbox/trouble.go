package inbox

import (
	"fmt"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// troubleTold is after how long a lane that does not get on is told of by an alert.
const troubleTold = time.Minute

// trouble is what keeps a lane from getting on, and since when. It is safe to use concurrently.
type trouble struct {
	in       *Inbox
	t        *Trigger
	interest string

	mu sync.Mutex
	// began is since when each thing keeps it.
	began map[string]time.Time
	told  bool // since it last got on
}

// note notes that something, known by a name, keeps the lane from getting on. An alert tells of it,
// once, when the lane was in trouble for a while.
func (t *trouble) note(name, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.began == nil {
		t.began = make(map[string]time.Time)
	}
	if t.began[name].IsZero() {
		t.began[name] = time.Now()
	}
	first := t.first()
	if t.told || time.Since(first) < troubleTold {
		return
	}
	t.told = true
	at := time.Now()
	text := fmt.Sprintf("the trigger on events of type %s that starts saga %s does not get on: %s; no event is lost, they wait", t.t.Type, t.t.Saga, reason)
	t.in.Notify(domain.Alert{ID: fmt.Sprintf("%s/%d", t.interest, at.UnixMilli()), Kind: domain.AlertTrigger, Saga: t.t.Saga, Version: t.t.Version, At: at,
		Cause: &domain.Failure{Kind: domain.FailureRetryable, Message: domain.ShortMessage(text)}})
}

// over notes that something does not keep the lane any more.
func (t *trouble) over(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.began, name)
	t.told = t.told && len(t.began) > 0
}

// since returns since when the lane is in trouble, the zero time where it is not.
func (t *trouble) since() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first()
}

// first returns since when the oldest trouble is there. Callers hold mu.
func (t *trouble) first() (first time.Time) {
	for _, at := range t.began {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
