package holds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/explain"
)

// Log is what holds need of a log. Persevere appends until there is an answer.
type Log interface {
	Persevere(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) error
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Config is what holds are given. All of it is required.
type Config struct {
	Log    Log
	Logger *slog.Logger
	Now    func() time.Time
	// Apply is told what is held of an action from now on: whether its undos, and whether all else.
	// It is called in the order of the log, one call at a time, and does not block.
	Apply func(action string, others, undos bool)
}

// Holds are the holds of one log. They are safe for concurrent use.
type Holds struct {
	cfg Config

	mu     sync.Mutex
	next   uint64 // the revision of the stream to read next
	loaded bool   // what was in the log at the start is read
	held   map[string]explain.Hold
}

// tries bounds how often a write is tried again after another coordinator wrote first.
const tries = 50

// ErrHeld means that the action is held already, ErrNotHeld that it is not.
var (
	ErrHeld    = errors.New("is held already")
	ErrNotHeld = errors.New("is not held")
)

// New returns the holds of a log; it reads nothing yet.
func New(cfg Config) *Holds { return &Holds{cfg: cfg, held: make(map[string]explain.Hold)} }

// Load reads what is new in the log. The first call logs the holds that there are, rather than how
// they came about.
func (h *Holds) Load(ctx context.Context) error {
	h.mu.Lock()
	next, first := h.next, !h.loaded
	h.mu.Unlock()
	for e, err := range h.cfg.Log.ReadStream(ctx, Stream, next) {
		if err != nil {
			return fmt.Errorf("read which actions are held: %w", err)
		}
		h.take(&e, !first)
	}
	if first {
		for _, x := range h.List() {
			h.logHeld(&x)
		}
	}
	h.mu.Lock()
	h.loaded = true
	h.mu.Unlock()
	return nil
}

func (h *Holds) logHeld(x *explain.Hold) {
	h.cfg.Logger.Warn("action held", "action", x.Action, "undos", x.Undos, "by", x.By, "since", x.Since, "reason", x.Reason)
}

// Seen takes an event of the log; those of other streams, and those that it knows, are nothing. It
// is to be called in the log's order.
func (h *Holds) Seen(r *domain.Recorded) { h.take(r, true) }

// take is Seen; what is not news is not logged.
func (h *Holds) take(r *domain.Recorded, news bool) {
	if r.Stream != Stream {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Revision < h.next {
		return
	}
	h.next = r.Revision + 1
	var e event
	if err := json.Unmarshal(r.Data, &e); err != nil || e.Action == "" {
		h.cfg.Logger.Error("an event about held actions can't be read: it is left out", "revision", r.Revision, "type", r.Type, "error", err)
		return
	}
	switch r.Type {
	case heldType:
		x := explain.Hold{Action: e.Action, Undos: e.Undos, Reason: e.Reason, By: e.Actor, Since: e.At}
		if h.held[e.Action] = x; news {
			h.logHeld(&x)
		}
		h.cfg.Apply(e.Action, true, e.Undos)
	case releasedType:
		delete(h.held, e.Action)
		if news {
			h.cfg.Logger.Info("action released", "action", e.Action, "by", e.Actor, "reason", e.Reason)
		}
		h.cfg.Apply(e.Action, false, false)
	default:
		h.cfg.Logger.Error("an event about held actions is of a newer version of atone: it is left out", "type", r.Type)
	}
}

// Request asks for a hold.
type Request struct {
	Action string `json:"action"`
	// Undos holds its undos too.
	Undos bool `json:"undos,omitempty"`
	// Anyway holds an action that is not registered here: another program on the log may have it.
	Anyway bool `json:"anyway,omitempty"`
	// Reason is required.
	Reason string `json:"reason"`
}

// Accept refuses an action's name and a reason that can't be recorded.
func Accept(action, reason string) error {
	err := errors.Join(accept.Name("the action's name", action, accept.MaxName), accept.Text("the reason", reason))
	if strings.TrimSpace(reason) == "" {
		err = errors.Join(err, errors.New("a reason is needed: say why"))
	}
	return err
}

// Hold holds an action. Where it is held already, but not in the same way, the new hold replaces
// the old one. Errors: [ErrHeld], and those of the log.
func (h *Holds) Hold(ctx context.Context, req *Request, actor string) (explain.Hold, error) {
	e := event{Action: req.Action, Undos: req.Undos, Reason: req.Reason, Actor: actor}
	return h.write(ctx, heldType, &e, func(now *explain.Hold) error {
		if now != nil && now.Undos == req.Undos {
			return fmt.Errorf("action %s %w: %s", req.Action, ErrHeld, now.Text())
		}
		return nil
	})
}

// Release ends the hold of an action, and returns the hold that ended. Errors: [ErrNotHeld], and
// those of the log.
func (h *Holds) Release(ctx context.Context, action, actor, reason string) (explain.Hold, error) {
	var ended explain.Hold
	_, err := h.write(ctx, releasedType, &event{Action: action, Reason: reason, Actor: actor}, func(now *explain.Hold) error {
		if now == nil {
			return fmt.Errorf("action %.100q %w%s", action, ErrNotHeld, h.others())
		}
		ended = *now
		return nil
	})
	return ended, err
}

// others says which actions are held.
func (h *Holds) others() string {
	var names []string
	for _, x := range h.List() {
		names = append(names, x.Action)
	}
	if len(names) == 0 {
		return ": none is"
	}
	return ": held are " + domain.CutText(strings.Join(names, ", "), 500)
}

// write appends an event that check, which is given the action's hold or nil, lets pass.
func (h *Holds) write(ctx context.Context, wireName string, e *event, check func(*explain.Hold) error) (explain.Hold, error) {
	var err error
	for range tries {
		if err := h.Load(ctx); err != nil {
			return explain.Hold{}, err
		}
		now, next := h.look(e.Action)
		if err := check(now); err != nil {
			return explain.Hold{}, err
		}
		e.At = h.cfg.Now().UTC()
		var written domain.NewEvent
		if written, err = e.written(wireName); err != nil {
			return explain.Hold{}, err
		}
		err = h.cfg.Log.Persevere(ctx, Stream, domain.Expected(int64(next)-1), written)
		if err == nil {
			h.Seen(&domain.Recorded{NewEvent: written, Stream: Stream, Revision: next})
			return explain.Hold{Action: e.Action, Undos: e.Undos, Reason: e.Reason, By: e.Actor, Since: e.At}, nil
		}
		if !errors.Is(err, domain.ErrConflict) {
			break
		}
	}
	return explain.Hold{}, fmt.Errorf("write that action %s is held or released: %w", e.Action, err)
}

// look returns the action's hold, nil for none, and the revision of the stream that comes next.
func (h *Holds) look(action string) (now *explain.Hold, next uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x, ok := h.held[action]; ok {
		now = &x
	}
	return now, h.next
}

// Of returns the hold that keeps an action's undos, or else its other attempts, from starting; nil
// for none.
func (h *Holds) Of(action string, undo bool) *explain.Hold {
	now, _ := h.look(action)
	if now == nil || undo && !now.Undos {
		return nil
	}
	return now
}

// List returns the holds by the names of their actions.
func (h *Holds) List() []explain.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.held), func(a, b explain.Hold) int { return strings.Compare(a.Action, b.Action) })
}
