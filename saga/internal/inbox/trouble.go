package inbox

import (
	"fmt"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// troubleTold is how long a lane may make no progress before an alert is sent.
const troubleTold = time.Minute

// trouble is what keeps a lane from making progress, and since when. It is safe to use
// concurrently.
type trouble struct {
	in       *Inbox
	t        *Trigger
	interest string

	mu sync.Mutex
	// began is when each trouble began, by name.
	began map[string]time.Time
	told  bool // since it last got on
}

// note notes a named trouble of the lane. When the lane has been in trouble for a while, note sends
// one alert.
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
	text := fmt.Sprintf("the trigger on events of type %s that starts saga %s makes no progress: %s; no event is lost, they wait", t.t.Type, t.t.Saga, reason)
	t.in.Notify(domain.Alert{ID: fmt.Sprintf("%s/%d", t.interest, at.UnixMilli()), Kind: domain.AlertTrigger, Saga: t.t.Saga, Version: t.t.Version, At: at,
		Cause: &domain.Failure{Kind: domain.FailureRetryable, Message: domain.ShortMessage(text)}})
}

// over notes that a named trouble has ended.
func (t *trouble) over(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.began, name)
	t.told = t.told && len(t.began) > 0
}

// since returns when the lane's trouble began, or the zero time.
func (t *trouble) since() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first()
}

// first returns when the oldest trouble began. Callers hold mu.
func (t *trouble) first() (first time.Time) {
	for _, at := range t.began {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
