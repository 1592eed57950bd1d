package work

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Inlet takes outcomes from a broker. All methods are safe to call concurrently.
type Inlet struct {
	cfg InletConfig

	// told is when each other log was last reported whose outcomes came here. That happens if two
	// coordinators on different logs use one broker and one namespace.
	mu   sync.Mutex
	told map[string]time.Time
}

// InletConfig configures an [Inlet]. All fields but Namespace are required.
type InletConfig struct {
	Namespace string
	// Log is the id of the log that the runs are in.
	Log    string
	Logger *slog.Logger
	// Life ends when the coordinator stops.
	Life context.Context
	// Accept records an outcome, and returns when it is durable.
	Accept func(ctx context.Context, r *Report) error
}

// NewInlet makes an inlet. It starts nothing.
func NewInlet(cfg InletConfig) *Inlet { return &Inlet{cfg: cfg} }

// Consumer returns the consumer of the outcomes' topic.
func (i *Inlet) Consumer() Consumer {
	return Consumer{"outcomes", OutcomesTopic(i.cfg.Namespace), i.receive}
}

// receive takes an outcome and acknowledges it when it is durable.
func (i *Inlet) receive(m *message.Message) error {
	r, err := openMessage[Report](m)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		i.cfg.Logger.Error("unreadable outcome dropped: its attempt will time out", "message", m.UUID, "error", err)
		return nil
	}
	if r.Log != "" && r.Log != i.cfg.Log {
		i.refuse(m, r)
		return nil
	}
	return i.cfg.Accept(m.Context(), r)
}

const (
	// tellForeignEvery bounds how often outcomes for one other log are reported.
	tellForeignEvery = time.Minute
	// holdForeign is how long such an outcome is held before it goes back to the broker, so that it
	// does not circulate too fast.
	holdForeign = time.Second
	// maxForeign bounds how many other logs are remembered.
	maxForeign = 1000
)

// refuse holds an outcome for another log for a while and returns it to the broker, for the right
// coordinator.
func (i *Inlet) refuse(m *message.Message, r *Report) {
	if i.tells(r.Log) {
		i.cfg.Logger.Error("outcomes for another log arrive here and are left in the broker: two coordinators on different logs use one broker and one namespace; give each its own Config.Namespace",
			"namespace", i.cfg.Namespace, "log", i.cfg.Log, "other_log", r.Log, "run", r.Run, "step", r.Step)
	}
	select {
	case <-time.After(holdForeign):
	case <-m.Context().Done():
	case <-i.cfg.Life.Done():
	}
	m.Nack() // a returned error would be logged each time
}

// tells reports whether to report the other log now.
func (i *Inlet) tells(log string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.told == nil || len(i.told) >= maxForeign {
		i.told = make(map[string]time.Time)
	}
	if last, known := i.told[log]; known && time.Since(last) < tellForeignEvery {
		return false
	}
	i.told[log] = time.Now()
	return true
}
