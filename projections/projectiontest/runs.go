package projectiontest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Appender is the log that runs are written to.
type Appender interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
}

// Runs makes up runs: sequences of steps that succeed, fail, are retried, time out, get stuck, are
// undone, paused, cancelled. What it makes is a function of its seed.
type Runs struct {
	rand  *rand.Rand
	now   time.Time
	plan  string
	planB domain.NewEvent
	open  []*madeRun
	// Finished counts the runs that have ended, Events all events made.
	Finished, Events int
}

// madeRun is a run that is being made up.
type madeRun struct {
	id       domain.RunID
	saga     string
	revision uint64
	hash     domain.ChainHash
	started  bool
	step     int
	steps    int
	attempt  int
	back     bool
	stuck    bool
	flying   bool
	paused   bool
	n        int // incidents
	done     []int
	corr     string
}

// Append is one append that the made-up runs do.
type Append struct {
	Stream   string
	Expected domain.Expected
	Events   []domain.NewEvent
}

// NewRuns returns runs made up from the seed.
func NewRuns(seed uint64) *Runs {
	r := &Runs{rand: rand.New(rand.NewPCG(seed, 42)), now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	plan := domain.Plan{Saga: "order", Version: 1, Secret: []string{"card"}, Searchable: []string{"city"}, Root: &domain.Node{Kind: domain.KindSequence}}
	b, err := json.Marshal(&plan)
	if err == nil {
		err = plan.Index()
	}
	if err != nil {
		panic(fmt.Sprintf("a plan is plain data and always marshals: %v", err))
	}
	r.plan = plan.Hash()
	r.planB = domain.NewEvent{ID: uuid.NewSHA1(uuid.Nil, b), Type: "plan.defined.v1", Data: b}
	return r
}

// Plan returns the append that stores the plan of all runs.
func (r *Runs) Plan() Append {
	return Append{Stream: domain.PlanStream(r.plan), Expected: domain.NoStream, Events: []domain.NewEvent{r.planB}}
}

// Write makes n appends and writes them to the log, with the plan before the first.
func (r *Runs) Write(ctx context.Context, log Appender, n int) (last domain.Appended, err error) {
	if r.Events == 0 {
		p := r.Plan()
		if last, err = log.Append(ctx, p.Stream, p.Expected, p.Events...); err != nil {
			return last, err
		}
	}
	for range n {
		a := r.Next()
		if last, err = log.Append(ctx, a.Stream, a.Expected, a.Events...); err != nil {
			return last, err
		}
	}
	return last, nil
}

// Stuck counts the runs that are stuck.
func (r *Runs) Stuck() (n int) {
	for _, m := range r.open {
		if m.stuck {
			n++
		}
	}
	return n
}

var (
	sagas   = []string{"order", "signup", "refund"}
	actions = []string{"charge-card", "reserve", "label", "notify"}
	errs    = []string{"card_gone: the card was refused", "timeout talking to Bank", "kaputt: Überlauf\x00 in Zürich", "no stock"}
	cities  = []string{"Zürich", "Oslo", "San José", "東京"}
)

// Next makes the next append, of a new run or of one that is under way.
func (r *Runs) Next() Append {
	r.now = r.now.Add(time.Duration(r.rand.IntN(3000)) * time.Millisecond)
	if len(r.open) == 0 || len(r.open) < 20 && r.rand.IntN(3) == 0 {
		var id uuid.UUID
		for i := range id {
			id[i] = byte(r.rand.UintN(256))
		}
		m := &madeRun{id: id, saga: sagas[r.rand.IntN(len(sagas))], steps: 1 + r.rand.IntN(4)}
		m.corr = id.String()
		r.open = append(r.open, m)
	}
	i := r.rand.IntN(len(r.open))
	m := r.open[i]
	events, wake := r.advance(m)
	a := Append{Stream: domain.RunStream(m.id), Expected: domain.Expected(m.revision) - 1}
	for j, e := range events {
		meta := domain.Meta{At: r.now, CorrelationID: m.corr, Actor: "coordinator"}
		if j == len(events)-1 {
			meta.Wake = wake
		}
		sealed, h := domain.Seal(a.Stream, m.revision, m.hash, e, meta)
		m.hash = h
		m.revision++
		a.Events = append(a.Events, sealed)
	}
	r.Events += len(events)
	if wake.State.Ended() {
		r.Finished++
		r.open = append(r.open[:i], r.open[i+1:]...)
	}
	return a
}

func (m *madeRun) name() string { return fmt.Sprintf("s%d/%s", m.step, actions[m.step%len(actions)]) }

// advance takes the run's next step.
func (r *Runs) advance(m *madeRun) ([]domain.Event, domain.Wake) {
	switch {
	case !m.started:
		m.started = true
		e := &domain.RunStarted{Saga: m.saga, Version: 1 + r.rand.IntN(2), Plan: r.plan,
			Input: json.RawMessage(fmt.Sprintf(`{"card":"4111","city":%q,"n":%d}`, cities[r.rand.IntN(len(cities))], r.rand.IntN(100)))}
		if r.rand.IntN(4) == 0 {
			e.Key = fmt.Sprintf("key-%d", r.rand.IntN(20))
		}
		if r.rand.IntN(2) == 0 {
			e.Labels = map[string]string{"tenant": fmt.Sprint("t", r.rand.IntN(3)), "tier": []string{"gold", "iron"}[r.rand.IntN(2)]}
		}
		if r.rand.IntN(6) == 0 && len(r.open) > 1 {
			e.Parent = &domain.ParentRef{Run: r.open[0].id, Step: "child"}
		}
		return append([]domain.Event{e}, r.begin(m)), r.wake(m)
	case m.stuck:
		return r.unstick(m)
	case !m.flying:
		return []domain.Event{r.begin(m)}, r.wake(m)
	case r.rand.IntN(25) == 0:
		return []domain.Event{&domain.AttemptHeartbeat{Step: m.name(), Direction: m.dir(), Attempt: m.attempt, Due: r.now.Add(time.Minute)}}, r.wake(m)
	case r.rand.IntN(25) == 0: //nolint:gocritic // every case draws anew
		m.paused = !m.paused
		if m.paused {
			return []domain.Event{&domain.RunPaused{Reason: "maintenance"}}, r.wake(m)
		}
		return []domain.Event{&domain.RunResumed{Reason: "done"}}, r.wake(m)
	case r.rand.IntN(4) == 0:
		return r.fail(m)
	}
	return r.succeed(m)
}

func (m *madeRun) dir() domain.Direction {
	if m.back {
		return domain.Undo
	}
	return domain.Do
}

func (m *madeRun) state() domain.RunState {
	switch {
	case m.stuck:
		return domain.RunIsStuck
	case m.back:
		return domain.RunCompensating
	}
	return domain.RunRunning
}

func (r *Runs) wake(m *madeRun) domain.Wake {
	return domain.Wake{State: m.state(), Busy: m.flying, Due: r.now.Add(time.Duration(r.rand.IntN(100)) * time.Second)}
}

func (r *Runs) begin(m *madeRun) domain.Event {
	m.attempt++
	m.flying = true
	return &domain.AttemptStarted{Step: m.name(), Direction: m.dir(), Attempt: m.attempt, Action: actions[m.step%len(actions)],
		Input: json.RawMessage(fmt.Sprintf(`{"card":"4111","nested":{"city":%q}}`, cities[r.rand.IntN(len(cities))])), Due: r.now.Add(10 * time.Second), Node: "n1"}
}

func (r *Runs) succeed(m *madeRun) ([]domain.Event, domain.Wake) {
	events := []domain.Event{&domain.AttemptSucceeded{Step: m.name(), Direction: m.dir(), Attempt: m.attempt, Output: json.RawMessage(`{"id":"x","card":"secret"}`)}}
	if r.rand.IntN(10) == 0 {
		events = append(events, &domain.DomainEvent{Type: "order.shipped", Payload: json.RawMessage(`{"city":"Oslo","card":"1"}`)})
	}
	return r.onwards(m, events)
}

// onwards goes to the next step, or the end.
func (r *Runs) onwards(m *madeRun, events []domain.Event) ([]domain.Event, domain.Wake) {
	m.attempt, m.flying = 0, false
	if m.back {
		if len(m.done) == 0 {
			return append(events, &domain.RunCompensated{}), domain.Wake{State: domain.RunIsCompensated}
		}
		m.step, m.done = m.done[len(m.done)-1], m.done[:len(m.done)-1]
	} else {
		m.done = append(m.done, m.step)
		if m.step++; m.step >= m.steps {
			return append(events, &domain.RunCompleted{Output: json.RawMessage(`{"ok":true}`)}), domain.Wake{State: domain.RunIsCompleted}
		}
	}
	return append(events, r.begin(m)), r.wake(m)
}

func (r *Runs) fail(m *madeRun) ([]domain.Event, domain.Wake) {
	m.flying = false
	kinds := []domain.FailureKind{domain.FailureRetryable, domain.FailureTimedOut, domain.FailureLost, domain.FailurePermanent}
	cause := domain.Failure{Kind: kinds[r.rand.IntN(len(kinds))], Message: errs[r.rand.IntN(len(errs))], Step: m.name(), Type: "*errors.errorString"}
	e := &domain.AttemptFailed{Step: m.name(), Direction: m.dir(), Attempt: m.attempt, Cause: cause}
	if cause.Kind != domain.FailurePermanent && m.attempt < 4 {
		e.RetryAt = r.now.Add(time.Second)
		return []domain.Event{e}, r.wake(m)
	}
	if m.back || r.rand.IntN(3) == 0 {
		m.stuck = true
		m.n++
		return []domain.Event{e, &domain.RunStuck{Incident: domain.IncidentID(m.id, m.n).String(), Step: m.name(), Direction: m.dir(), Cause: cause}}, r.wake(m)
	}
	m.back = true
	return r.onwards(m, []domain.Event{e, &domain.RunTurnedBack{Cause: cause}})
}

// unstick has a person deal with a stuck run.
func (r *Runs) unstick(m *madeRun) ([]domain.Event, domain.Wake) {
	m.stuck, m.attempt = false, 0
	switch r.rand.IntN(4) {
	case 0:
		return []domain.Event{&domain.RunAbandoned{Reason: "not worth it", Left: []string{m.name()}}}, domain.Wake{State: domain.RunIsAbandoned}
	case 1:
		return []domain.Event{&domain.StepRetried{Step: m.name(), Direction: m.dir(), Reason: "the bank is back"}, r.begin(m)}, r.wake(m)
	case 2:
		if !m.back {
			m.back = true
			return r.onwards(m, []domain.Event{&domain.RunTurnedBack{Cause: domain.Failure{Kind: domain.FailureCancelled, Message: "ann gave up"}}})
		}
	}
	return r.onwards(m, []domain.Event{&domain.StepResolved{Step: m.name(), Direction: m.dir(), How: domain.ResolveSkip, Reason: "checked by hand"}})
}
