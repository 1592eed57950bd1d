package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// stream holds the results of all explorations.
const stream = domain.SystemPrefix + "explorations"

const exploredType = "atone.saga_explored.v1"

// Log is the part of the log that evidence uses.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Config configures [New]. Log is required.
type Config struct {
	Log Log
	// Build is what runs now.
	Build Build
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Evidence keeps the results of explorations. It is safe to use concurrently.
type Evidence struct {
	cfg    Config
	mu     sync.Mutex // guards what follows
	next   uint64     // the revision of the stream from which to read on
	latest map[of]*Explored
}

// of is what a result is of.
type of struct {
	saga    string
	version int
}

// New returns the evidence of a log. It reads nothing yet.
func New(cfg Config) *Evidence {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Evidence{cfg: cfg, latest: make(map[of]*Explored)}
}

// Record appends a result. plan is the hash of the plan that is registered for that version of the
// saga. Errors: [domain.ErrBadInput], also where the result is of another plan, and the log's:
// after one of those it is unknown whether the result is recorded.
func (v *Evidence) Record(ctx context.Context, saga, plan string, e Exploration, by string) (Explored, error) {
	x := Explored{Saga: saga, Exploration: e, By: by, At: v.cfg.Now().UTC().Round(0)}
	err := e.Validate()
	if actor := accept.OptionalName("the actor", by, accept.MaxName); err == nil && actor != nil {
		err = fmt.Errorf("%w: %w", domain.ErrBadInput, actor)
	}
	if err == nil && e.Plan != plan {
		err = fmt.Errorf("%w: the plan that was explored is %.12s…, and the one that is registered here is %.12s…: explore with the program that runs here", domain.ErrBadInput, e.Plan, plan)
	}
	if err != nil {
		return Explored{}, fmt.Errorf("record an exploration of %s v%d: %w", saga, e.Version, err)
	}
	data, err := json.Marshal(x)
	if err == nil && len(data) > maxEvent {
		err = fmt.Errorf("%w: the result has %d bytes, at most %d", domain.ErrTooLarge, len(data), maxEvent)
	}
	if err == nil {
		_, err = v.cfg.Log.Append(ctx, stream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: exploredType, Data: data})
	}
	if err != nil {
		return Explored{}, fmt.Errorf("record an exploration of %s v%d: %w", saga, e.Version, err)
	}
	return x, nil
}

// Standing says what is known of a version of a saga whose plan has the hash. It reads what was
// added to the log since the last call, by any process. Without evidence, if v is nil, nothing is
// known, and the text is empty.
func (v *Evidence) Standing(ctx context.Context, saga string, version int, plan string) (Standing, error) {
	if v == nil {
		return Standing{}, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for e, err := range v.cfg.Log.ReadStream(ctx, stream, v.next) {
		if err != nil {
			return Standing{}, fmt.Errorf("read what explorations found: %w", err)
		}
		v.next = e.Revision + 1
		var x Explored
		if e.Type != exploredType || json.Unmarshal(e.Data, &x) != nil {
			continue // a newer program's
		}
		v.latest[of{x.Saga, x.Version}] = &x
	}
	return StandingOf(v.latest[of{saga, version}], plan, v.cfg.Build), nil
}
