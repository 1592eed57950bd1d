package rejected

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
)

// Log is the part of the log that the list uses.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Config configures [New]. All fields are required.
type Config struct {
	Log    Log
	Logger *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Actor returns the context's actor, or an error if its name can't be recorded. It waits until
	// the log may be written to.
	Actor func(ctx context.Context) (string, error)
	// Start has the trigger look at the event again, and starts the run that it asks for, with the
	// context's actor. Asked twice, it starts one run. An error says why there is none.
	Start func(ctx context.Context, e *Event) (domain.RunID, error)
}

// State says what became of a rejected event.
type State string

// The states.
const (
	// Open: nobody has retried or dismissed it.
	Open State = "open"
	// Started: it was retried, and has started its run.
	Started State = "started"
	// Dismissed: a person said that it needs no run. It can still be retried.
	Dismissed State = "dismissed"
)

// Event is a domain event that could not start its run.
type Event struct {
	// ID is the id of the rejection: one event may be rejected for several sagas.
	ID uuid.UUID
	// Event is the event's own id. Stream and Revision say where it is.
	Event    uuid.UUID
	Type     string
	Stream   string
	Revision uint64
	Position domain.Position
	// Saga and Version name the saga that it should have started.
	Saga    string
	Version int
	// Error says why it was rejected, without secrets; At says when.
	Error string
	At    time.Time
	State State
	// Run is the run that it has started. By, Reason and Settled are of the retry or dismissal.
	Run     domain.RunID
	By      string
	Reason  string
	Settled time.Time
}

// Of says which trigger rejected an event: by the saga that it starts and the events' type.
type Of struct{ Saga, Type string }

// Book is the list of rejected events. It is safe to use concurrently. Make one with [New]; a
// coordinator has one.
type Book struct {
	cfg Config

	reading sync.Mutex // held while the stream is read, which may take long
	mu      sync.Mutex // guards what follows
	next    uint64     // the revision of the stream to read next
	entries
}

// New returns the list. It starts nothing and reads nothing yet.
func New(cfg Config) *Book { return &Book{cfg: cfg, entries: newEntries()} }

// IDOf is the id of the rejection of an event for a saga.
func IDOf(event uuid.UUID, saga string) uuid.UUID {
	return uuid.NewSHA1(domain.SystemSpace, append(event[:], saga...))
}

// Load reads what is new in the stream.
func (b *Book) Load(ctx context.Context) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	next := b.next
	b.mu.Unlock()
	for r, err := range b.cfg.Log.ReadStream(ctx, Stream, next) {
		if err != nil {
			return fmt.Errorf("read which events were rejected: %w", err)
		}
		b.mu.Lock()
		b.take(&r)
		b.mu.Unlock()
	}
	return nil
}

// Count reads the stream, again and again until that succeeds or ctx ends, so that [Book.Open]
// counts all of it.
func (b *Book) Count(ctx context.Context) {
	_ = again.Until(ctx, time.Second, time.Minute, func() error { return b.Load(ctx) }, func(err error, _ int, in time.Duration) {
		b.cfg.Logger.Warn("the rejected events are not counted yet, trying again", "in", in, "error", err)
	})
}

// Seen takes an event of the log, in the log's order. Those of other streams, and those that can't
// be taken before others are read, are nothing.
func (b *Book) Seen(r *domain.Recorded) {
	if r.Stream != Stream {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.Revision == b.next {
		b.take(r)
	}
}

// take folds an event, once. The caller holds mu.
func (b *Book) take(r *domain.Recorded) {
	if r.Revision < b.next {
		return
	}
	b.next = r.Revision + 1
	if !b.fold(r) {
		b.cfg.Logger.Error("an event about rejected events can't be read: it is left out", "revision", r.Revision, "type", r.Type)
	}
}

// Add records that an event was rejected. news is false if that was known, whatever became of the
// event since. It needs the event's id, type, stream, revision and position, the saga, and the
// error.
func (b *Book) Add(ctx context.Context, e *Event) (news bool, err error) {
	if err := b.Load(ctx); err != nil {
		return false, err
	}
	id := IDOf(e.Event, e.Saga)
	b.mu.Lock()
	_, known := b.at[id]
	b.mu.Unlock()
	if known {
		return false, nil
	}
	record, err := written(id, rejectedType, rejection{ID: id, Event: e.Event, Type: e.Type, Stream: e.Stream, Revision: e.Revision, Position: e.Position,
		Saga: e.Saga, Version: e.Version, Error: domain.ShortMessage(e.Error), At: b.cfg.Now().UTC().Round(0)})
	if err != nil {
		return false, err
	}
	if _, err := b.cfg.Log.Append(ctx, Stream, domain.AnyRevision, record); err != nil {
		return false, fmt.Errorf("record that event %s was rejected: %w", e.Event, err)
	}
	return true, b.Load(ctx)
}

// Open counts, by trigger, the events that nobody has retried or dismissed, as far as the stream
// was read. Triggers that have no more such events count 0.
func (b *Book) Open() map[Of]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.open)
}
