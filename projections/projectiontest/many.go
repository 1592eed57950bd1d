package projectiontest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runs"
)

// Many is a source of a great number of runs that needs no memory for them: it makes each event
// when it is read, which is once and in order. Most runs completed; 5% were compensated, 1% are
// stuck, 3% run.
type Many struct {
	Runs int
	// From is the number of the first run.
	From int
	// Well has all of them completed.
	Well bool
}

var _ projections.Source = Many{}

// ManyEvents is how many events each of the runs has.
const ManyEvents = 4

// Last returns the position of the last event.
func (m Many) Last() domain.Position { return domain.Position((m.From + m.Runs) * ManyEvents) }

// ID returns the id of the n-th run.
func (m Many) ID(n int) domain.RunID { return uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "many %d", n)) }

var manyStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Started returns when the n-th run was started.
func (m Many) Started(n int) time.Time { return manyStart.Add(time.Duration(n) * time.Second) }

func (m Many) events(n int) (events [ManyEvents]domain.Event, end domain.RunState) {
	action := fmt.Sprintf("action-%d", n%30)
	started := &domain.RunStarted{Saga: fmt.Sprintf("saga-%d", n%20), Version: 1 + n%3, Plan: "none", Input: json.RawMessage(`{"n":1}`), Key: fmt.Sprintf("key-%d", n),
		Labels: map[string]string{"tenant": fmt.Sprintf("t%d", n%1000), "region": fmt.Sprintf("r%d", n%3)}}
	if n%100 == 7 && n > 0 {
		started.Parent = &domain.ParentRef{Run: m.ID(n - n%10), Step: "child"}
	}
	attempt := &domain.AttemptStarted{Step: "s1", Direction: domain.Do, Attempt: 1, Action: action}
	done := &domain.AttemptSucceeded{Step: "s1", Direction: domain.Do, Attempt: 1}
	cause := domain.Failure{Kind: domain.FailureRetryable, Message: fmt.Sprintf("timeout talking to bank %d", n%7), Step: "s1"}
	failed := &domain.AttemptFailed{Step: "s1", Direction: domain.Do, Attempt: 1, Cause: cause}
	switch {
	case m.Well:
		return [...]domain.Event{started, attempt, done, &domain.RunCompleted{}}, domain.RunIsCompleted
	case n%100 < 5:
		return [...]domain.Event{started, attempt, failed, &domain.RunCompensated{}}, domain.RunIsCompensated
	case n%100 == 50:
		cause.Message = "card_gone"
		failed.Cause = cause
		return [...]domain.Event{started, attempt, failed, &domain.RunStuck{Incident: fmt.Sprint(n), Step: "s1", Direction: domain.Do, Cause: cause}}, domain.RunIsStuck
	case n%100 > 96:
		return [...]domain.Event{started, attempt, done, &domain.TimerSet{Step: "s2", Due: m.Started(n).Add(time.Hour)}}, domain.RunRunning
	}
	return [...]domain.Event{started, attempt, done, &domain.RunCompleted{}}, domain.RunIsCompleted
}

// all yields the events after a position; from the beginning those of the first run and on.
func (m Many) all(after domain.Position) iter.Seq[domain.Recorded] {
	return func(yield func(domain.Recorded) bool) {
		n := int(after) / ManyEvents
		if after == 0 {
			n = m.From
		}
		for ; n < m.From+m.Runs; n++ {
			for _, r := range m.recorded(n) {
				if r.Position > after && !yield(r) {
					return
				}
			}
		}
	}
}

// recorded returns the events of the n-th run.
func (m Many) recorded(n int) (out [ManyEvents]domain.Recorded) {
	events, end := m.events(n)
	stream := domain.RunStream(m.ID(n))
	for i, e := range events {
		meta := domain.Meta{At: m.Started(n).Add(time.Duration(i) * 100 * time.Millisecond), Actor: "coordinator"}
		if i == ManyEvents-1 {
			meta.Wake.State = end
		}
		// nobody verifies this chain
		sealed, _ := domain.Seal(stream, uint64(i), domain.ChainHash{}, e, meta)
		out[i] = domain.Recorded{NewEvent: sealed, Stream: stream, Revision: uint64(i), Position: domain.Position(n*ManyEvents + i + 1), Created: meta.At}
	}
	return out
}

// Subscribe implements [projections.Source].
func (m Many) Subscribe(ctx context.Context, after domain.Position, _ domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		for r := range m.all(after) {
			if ctx.Err() != nil || !yield(domain.Delivery{Event: &r, Position: r.Position}, nil) {
				return
			}
		}
		if yield(domain.Delivery{Position: m.Last(), CaughtUp: true}, nil) {
			<-ctx.Done()
			yield(domain.Delivery{}, ctx.Err())
		}
	}
}

// ReadAll implements [projections.Source].
func (m Many) ReadAll(_ context.Context, after domain.Position, _ domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for r := range m.all(after) {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// ReadAllBackward implements [projections.Source]. It tells of runs before From as well.
func (m Many) ReadAllBackward(_ context.Context, before domain.Position, _ domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		n := m.From + m.Runs - 1
		if before <= m.Last() {
			n = int(before-1) / ManyEvents
		}
		for ; n >= 0; n-- {
			events := m.recorded(n)
			for i := len(events) - 1; i >= 0; i-- {
				if events[i].Position < before && !yield(events[i], nil) {
					return
				}
			}
		}
	}
}

// ReadStream implements [projections.Source]; it has no plans.
func (m Many) ReadStream(context.Context, string, uint64) iter.Seq2[domain.Recorded, error] {
	return func(func(domain.Recorded, error) bool) {}
}

// ManyQueries are pages of runs as people ask for them, by name.
func ManyQueries(m Many) map[string]runs.Filter {
	states := func(s ...domain.RunState) []domain.RunState { return s }
	middle := m.From + m.Runs/2
	return map[string]runs.Filter{
		"all":               {},
		"stuck":             {States: states(domain.RunIsStuck)},
		"completed":         {States: states(domain.RunIsCompleted)},
		"unfinished":        {States: states(domain.RunRunning, domain.RunCompensating, domain.RunIsStuck)},
		"cancelled":         {States: states(domain.RunIsCancelled)},
		"saga":              {Sagas: []string{"saga-7"}},
		"saga+state":        {Sagas: []string{"saga-3"}, States: states(domain.RunIsCompensated)},
		"saga+version":      {Sagas: []string{"saga-3"}, Versions: []int{2}},
		"rare label":        {Labels: map[string]string{"tenant": "t77"}},
		"common label":      {Labels: map[string]string{"region": "r1"}},
		"labels+state":      {Labels: map[string]string{"region": "r1", "tenant": "t450"}, States: states(domain.RunIsStuck)},
		"common label+saga": {Labels: map[string]string{"region": "r2"}, Sagas: []string{"saga-11"}},
		"label+no match":    {Labels: map[string]string{"tenant": "t1"}, States: states(domain.RunIsStuck)},
		"time":              {From: m.Started(middle), To: m.Started(middle + 5000)},
		"time+state":        {From: m.Started(middle), To: m.Started(middle + 50000), States: states(domain.RunIsStuck)},
		"action":            {Actions: []string{"action-4"}},
		"action+state":      {Actions: []string{"action-20"}, States: states(domain.RunIsStuck)},
		"rare text":         {Text: "card gone"},
		"common text":       {Text: "timeout"},
		"text+saga":         {Text: "timeout bank", Sagas: []string{"saga-3"}},
		"key":               {Key: fmt.Sprintf("key-%d", middle)},
		"parent":            {Parent: m.ID(middle - middle%100)},
		"two words":         {Text: "timeout 3"},
		"beginning":         {Text: "t"},
		"text+label":        {Text: "bank", Labels: map[string]string{"region": "r0"}},
		"version":           {Versions: []int{2}},
		"sagas+states":      {Sagas: []string{"saga-3", "saga-4"}, States: states(domain.RunIsCompensated, domain.RunIsStuck)},
		"label+state":       {Labels: map[string]string{"region": "r1"}, States: states(domain.RunIsCompensated)},

		// Each of these is common, but none of the runs is both.
		"saga, never stuck":      {Sagas: []string{"saga-7"}, States: states(domain.RunIsStuck)},
		"no such version":        {Versions: []int{9}},
		"action, never in saga":  {Actions: []string{"action-4"}, Sagas: []string{"saga-7"}},
		"action, never in label": {Actions: []string{"action-5"}, Labels: map[string]string{"region": "r1"}},
		"action, never stuck":    {Actions: []string{"action-4"}, States: states(domain.RunIsStuck)},
		"action, never failed":   {Actions: []string{"action-29"}, Text: "timeout"},
		"completed, never text":  {Text: "timeout", States: states(domain.RunIsCompleted)},
	}
}
