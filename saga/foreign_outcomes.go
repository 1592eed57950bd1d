package saga

import (
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// foreigners are the other logs whose outcomes came here: two coordinators on different logs use one
// broker and one namespace. Their outcomes are left in the broker, for the coordinator that they are
// for. It is safe to use concurrently.
type foreigners struct {
	mu   sync.Mutex
	told map[string]time.Time // when each was last spoken of
}

const (
	// tellForeignEvery bounds how often the log is told of outcomes for one other log.
	tellForeignEvery = time.Minute
	// holdForeign is how long such an outcome is held before it goes back, so that it does not go
	// round and round.
	holdForeign = time.Second
	// maxForeign bounds how many other logs are remembered.
	maxForeign = 1000
)

// refuse holds an outcome for another log for a while and gives it back to the broker.
func (f *foreigners) refuse(m *message.Message, c *Coordinator, r *report) {
	f.mu.Lock()
	if f.told == nil || len(f.told) >= maxForeign {
		f.told = make(map[string]time.Time)
	}
	last, known := f.told[r.Log]
	tell := !known || time.Since(last) >= tellForeignEvery
	if tell {
		f.told[r.Log] = time.Now()
	}
	f.mu.Unlock()
	if tell {
		c.logger.Error("outcomes for another log arrive here and are left in the broker: two coordinators on different logs use one broker and one namespace; give each its own Config.Namespace",
			"namespace", c.cfg.Namespace, "log", c.ownLog, "other_log", r.Log, "run", r.Run, "step", r.Step)
	}
	select {
	case <-time.After(holdForeign):
	case <-m.Context().Done():
	case <-c.life.Done():
	}
	m.Nack() // an error that is returned would be logged each time
}
