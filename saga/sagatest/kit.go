package sagatest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/clock"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
)

// Setup is what a [Kit] is made of. Sagas or Actions are required.
type Setup struct {
	// Sagas and Actions are registered, with every action and child saga in them.
	Sagas   []saga.AnySaga
	Actions []saga.AnyAction
	// Triggers start sagas from domain events.
	Triggers []saga.AnyTrigger
	// At is what the clock shows at first; zero means noon on 1 January 2026, UTC.
	At time.Time
}

// Kit is a coordinator for one test. It runs on a log in memory, and ends with the test. Nothing in
// it waits for real time: it has a clock of its own, inside a testing/synctest bubble too, which
// moves only when the test moves it or waits for a run's end. The contexts of handlers go by it.
//
// Methods fail the test where a coordinator would return an error. They are for the goroutine of
// the test.
type Kit struct {
	t        testing.TB
	setup    Setup
	clock    *clock.Manual
	patience time.Duration
	inner    *memlog.Log
	logs     logs
	stand    standIns

	mu      sync.Mutex
	changed *sync.Cond
	// wakes says of each run what its latest event says of its next wake-up; moved counts changes,
	// head is the position of the latest append.
	wakes map[domain.RunID]domain.Wake
	order []domain.RunID // in which the runs were started
	moved int
	head  domain.Position
	// held are the attempts whose stand-ins wait for the test; running are those whose handlers
	// have been called and have not returned.
	held    map[attemptID]bool
	running map[attemptID]int

	life *life
}

// life is a coordinator from its start to its end; a crash begins another one.
type life struct {
	c         *saga.Coordinator
	log       *tap
	delivered func(domain.Position) bool
	stop      context.CancelFunc
	ended     chan error
}

// New returns a running coordinator that knows the sagas. It ends when the test does. What it logs
// is shown if the test fails.
func New(t testing.TB, sagas ...saga.AnySaga) *Kit {
	t.Helper()
	return NewWith(t, Setup{Sagas: sagas})
}

// NewWith is [New] for a program that has more than sagas.
func NewWith(t testing.TB, setup Setup) *Kit {
	t.Helper()
	if setup.At.IsZero() {
		setup.At = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	}
	k := &Kit{t: t, setup: setup, wakes: make(map[domain.RunID]domain.Wake), held: make(map[attemptID]bool),
		running: make(map[attemptID]int)}
	k.changed = sync.NewCond(&k.mu)
	k.stand.init(k)
	k.clock, k.patience = clock.NewManual(setup.At), patienceHere()
	k.inner = memlog.NewWithConfig(memlog.Config{Now: k.clock.Now})
	t.Cleanup(k.close)
	k.begin()
	return k
}

// begin starts a coordinator on the log.
func (k *Kit) begin() {
	k.t.Helper()
	l := &life{log: &tap{Log: k.inner, kit: k}, ended: make(chan error, 1)}
	c, err := saga.New(saga.Config{Log: l.log, Clock: k.clock, Logger: slog.New(slog.NewTextHandler(&k.logs, nil)), Node: "test",
		ShutdownTimeout: 2 * time.Second})
	if err != nil {
		k.t.Fatalf("sagatest: %v", err)
	}
	if err := errors.Join(c.Register(k.setup.Sagas...), c.RegisterActions(k.setup.Actions...), c.RegisterTriggers(k.setup.Triggers...)); err != nil {
		k.t.Fatalf("sagatest: %v", err)
	}
	l.c = c
	var registry *definition.Registry
	registry, l.delivered = bridge.Open(c, k.stir)
	registry.Wrap(k.stand.wrap)
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go func() { l.ended <- c.Run(ctx) }()
	select {
	case <-c.Ready():
	case err := <-l.ended:
		l.ended <- nil
		k.t.Fatalf("sagatest: the coordinator did not start: %v", err)
	}
	k.mu.Lock()
	k.life = l
	order := append([]domain.RunID(nil), k.order...)
	k.mu.Unlock()
	for _, run := range order {
		if s := k.state(run); s != nil && s.Blocked != "" {
			_, _ = c.Describe(k.t.Context(), run) // in whose turn the run goes on if it can
		}
	}
}

// end stops the coordinator and waits for it.
func (k *Kit) end() {
	l := k.life
	if l == nil {
		return
	}
	k.life = nil
	l.stop() // ends the contexts of dos, of stand-ins that are blocked too
	if err := <-l.ended; err != nil && !l.log.dead() {
		k.t.Errorf("sagatest: the coordinator ended with an error: %v", err)
	}
}

func (k *Kit) close() {
	k.end()
	_ = k.inner.Close()
	if k.t.Failed() {
		k.t.Logf("what the coordinator logged:\n%s", k.logs.text())
	}
}

// Coordinator returns the coordinator, for what the kit has no word for. After [Kit.Crash] and
// [Kit.Deploy] it is another one.
func (k *Kit) Coordinator() *saga.Coordinator { return k.life.c }

// Log returns the log, for what the kit has no word for: to read what was recorded, or to append as
// another program would.
func (k *Kit) Log() domain.Log { return &tap{Log: k.inner, kit: k} }

// Crash has the coordinator die: nothing that is under way is recorded any more, and attempts in
// flight are lost. Then a new one starts on the same log, as after kill -9 and a restart. The
// context of a handler that is running ends; Crash waits for it to return, at most two seconds.
func (k *Kit) Crash() {
	k.t.Helper()
	k.life.log.die()
	k.end()
	k.begin()
}

// Deploy has the coordinator end in order, and starts one of another program on the same log: a new
// version of a saga, mended code, other policies. Stand-ins keep the places of the actions with
// their names. The clock goes on; At is ignored.
func (k *Kit) Deploy(setup Setup) {
	k.t.Helper()
	k.end()
	k.setup = setup
	k.stand.forget()
	k.begin()
}

// Emit appends a domain event to a stream. The correlation id is that by which awaits select it.
func (k *Kit) Emit(stream, eventType, correlation string, payload any) {
	k.t.Helper()
	raw, err := json.Marshal(payload)
	if err == nil {
		_, err = k.life.c.EmitEvent(k.t.Context(), stream, eventType, raw, saga.EmitOptions{Correlation: correlation})
	}
	k.must("emit "+eventType, err)
}

// Runs returns the runs in the order of their start, child runs and those of triggers among them.
func (k *Kit) Runs() []domain.RunID {
	k.t.Helper()
	k.Settle()
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]domain.RunID(nil), k.order...)
}

// must fails the test with an error.
func (k *Kit) must(what string, err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("%s: %v", what, err)
	}
}

// logs keeps what the coordinator logged, the latest of it.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const maxLogs = 64 << 10

// Write implements [io.Writer].
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > maxLogs {
		l.buf.Next(l.buf.Len() / 2)
	}
	return l.buf.Write(p)
}

func (l *logs) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() == 0 {
		return "nothing"
	}
	return strings.TrimSpace(l.buf.String())
}
