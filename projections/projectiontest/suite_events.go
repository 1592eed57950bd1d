package projectiontest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/projections/runner"
)

// Names of streams and types that a text can't hold as they are, or that look like others.
var (
	eventStreams = []string{"order-1", "order-10", "order-1000-of-somebody", "order-1000-of-nobody", "o", "stock", "run-17", "a\x00b", "a\xffb", "a\uFFFDb", "Zürich", "50%_", "'; --", strings.Repeat("€", 80)}
	eventTypes   = []string{"order.placed", "order.paid", "order", "stock.low", "50%", "<b>", "Zürich", "x" + strings.Repeat("y", 240)}
)

// foreign is an event of an app, with metadata of its own kind or of atone's.
func foreign(n int) domain.NewEvent {
	e := domain.NewEvent{ID: uuid.New(), Type: eventTypes[n%len(eventTypes)], Data: []byte(`{"n":1}`)}
	switch n % 3 {
	case 0:
		e.Metadata = []byte("\x00 its own")
	case 1:
		e.Metadata, _ = json.Marshal(domain.Meta{CorrelationID: fmt.Sprint("c", n%5), At: time.Unix(int64(1000+n), 5).UTC()})
	}
	return e
}

// eventsAgree asks for domain events among records of runs, by any conditions, and compares with
// what the conditions say of the log.
func eventsAgree(t *testing.T, open Opener) {
	store, _ := open(t)
	log, made := memlog.New(), NewRuns(31)
	for n := range 300 {
		_, err := made.Write(t.Context(), log, 1)
		require.NoError(t, err)
		if n%2 == 0 {
			_, err := log.Append(t.Context(), eventStreams[n/2%len(eventStreams)], domain.AnyRevision, foreign(n/2))
			require.NoError(t, err)
		}
		if n%7 == 0 { // atone's own
			_, err := log.Append(t.Context(), "atone-node-a", domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: "atone.node_seen.v1", Data: []byte(`{}`)})
			require.NoError(t, err)
		}
	}
	var all []domain.Recorded
	var last domain.Position
	emitted := 0
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		last = e.Position
		if _, ofRun := domain.RunOfStream(e.Stream); ofRun && e.Type == "order.shipped" {
			emitted++
		} else if ofRun || e.Stream == "atone-node-a" || strings.HasPrefix(e.Stream, "plan-") {
			continue
		}
		all = append(all, e)
	}
	require.Positive(t, emitted)
	require.Len(t, all, 150+emitted)
	r := start(t, runner.Config{Source: log, Store: store, Batch: 7})
	fresh := projections.Fresh{AtLeast: last, Wait: patience}
	whole := pagesOfEvents(t, r, events.Filter{Fresh: fresh, Limit: 1000, Ascending: true})
	require.Len(t, whole, len(all))
	rapid.Check(t, func(rt *rapid.T) {
		f := events.Filter{Ascending: rapid.Bool().Draw(rt, "ascending"), Limit: rapid.IntRange(1, 40).Draw(rt, "limit")}
		some := func(name string) bool { return rapid.IntRange(0, 3).Draw(rt, name) == 0 }
		one := func() *domain.Recorded { return &all[rapid.IntRange(0, len(all)-1).Draw(rt, "one")] }
		if some("types") {
			f.Types = []string{one().Type, "nothing"}
		}
		if some("type begins") {
			f.TypeBegins = rapid.SampledFrom([]string{"order", "order.", "50%", "Z", "xy", "nothing"}).Draw(rt, "begins")
		}
		switch {
		case some("stream"):
			f.Stream = one().Stream
		case some("stream begins"):
			f.StreamBegins = rapid.SampledFrom([]string{"o", "order-1", "order-1000-of-", "order-1000-of-some", "run-", "Z", "'", "€", "nothing"}).Draw(rt, "begins")
		}
		if some("correlation") {
			f.Correlation = fmt.Sprint("c", rapid.IntRange(0, 5).Draw(rt, "correlation"))
		}
		if some("before") {
			f.Before = one().Position
		}
		if some("after") {
			f.After = one().Position
		}
		if some("from") {
			f.From = time.Unix(rapid.Int64Range(1000, 1150).Draw(rt, "from"), 5)
		}
		if some("to") {
			f.To = time.Unix(rapid.Int64Range(1000, 1150).Draw(rt, "to"), 5)
		}
		var want []domain.Position
		for i := range all {
			e := &all[i]
			if f.Accepts(e) && (f.Before == 0 || e.Position < f.Before) && e.Position > f.After {
				want = append(want, e.Position)
			}
		}
		if !f.Ascending {
			slices.Reverse(want)
		}
		var got []domain.Position
		for _, row := range pagesOfEvents(t, r, f) {
			got = append(got, row.Position)
		}
		require.Equal(rt, want, got, "%+v", f)
	})
	eventsShown(t, r, log, whole)
}

// pagesOfEvents returns all pages from the filter's on.
func pagesOfEvents(t *testing.T, r *running, f events.Filter) (rows []events.Row) {
	t.Helper()
	for {
		page, err := r.ask().Events(t.Context(), f)
		require.NoError(t, err)
		rows = append(rows, page.Rows...)
		if page.Next == "" {
			return rows
		}
		var next domain.Position
		_, err = fmt.Sscan(page.Next, &next)
		require.NoError(t, err)
		if f.Ascending {
			f.After = next
		} else {
			f.Before = next
		}
	}
}

// eventsShown reads events as a page does, of a log that has lost some of them.
func eventsShown(t *testing.T, r *running, log *memlog.Log, rows []events.Row) {
	t.Helper()
	list, err := events.Read(t.Context(), log, rows)
	require.NoError(t, err)
	for i := range list {
		require.NoError(t, list[i].Err, "%q", list[i].Stream)
		require.Equal(t, rows[i].Position, list[i].Recorded.Position)
		require.Equal(t, rows[i].ID, list[i].Recorded.ID)
		_, ofRun := domain.RunOfStream(rows[i].Stream)
		require.Equal(t, ofRun, rows[i].Saga != "", "the saga of an event that a run emitted")
	}
	page, err := r.ask().Events(t.Context(), events.Filter{Sagas: []string{"order"}, Limit: 1000})
	require.NoError(t, err)
	for _, row := range page.Rows {
		require.Equal(t, "order", row.Saga)
	}
	for called, streams := range map[string]int{"order-1": 1, "order-": 4, "nothing": 0} {
		page, err = r.ask().Events(t.Context(), events.Filter{Called: called, Limit: 1000})
		require.NoError(t, err)
		seen := map[string]bool{}
		for _, row := range page.Rows {
			seen[row.Stream] = true
		}
		require.Len(t, seen, streams, called)
	}
	broken := errors.New("a block is damaged")
	list, err = events.Read(t.Context(), losing{log, broken}, rows)
	require.NoError(t, err)
	for i := range list {
		switch e := &list[i]; {
		case e.Stream == "stock":
			require.ErrorIs(t, e.Err, events.ErrGone)
			require.Equal(t, "deleted from the log since", e.Why())
		case e.Stream == "o":
			require.ErrorIs(t, e.Err, broken)
			require.NotContains(t, e.Why(), "block")
		case e.Stream == "order-1" && e.Revision < 2:
			require.ErrorIs(t, e.Err, events.ErrGone, "the stream's beginning was cut off")
		default:
			require.NoError(t, e.Err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = events.Read(ended, log, rows)
	require.ErrorIs(t, err, context.Canceled)
}

// losing is a log without the stream stock and the first two events of order-1, and that can't read
// the stream o.
type losing struct {
	*memlog.Log
	broken error
}

func (l losing) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	switch stream {
	case "stock":
		return func(yield func(domain.Recorded, error) bool) { yield(domain.Recorded{}, domain.ErrStreamDeleted) }
	case "o":
		return func(yield func(domain.Recorded, error) bool) { yield(domain.Recorded{}, l.broken) }
	case "order-1":
		from = max(from, 2)
	}
	return l.Log.ReadStream(ctx, stream, from)
}

// eventsOfALongRun has a run that emits many events: each is told with the run's saga, and none
// makes the view read the run again.
func eventsOfALongRun(t *testing.T, open Opener) {
	store, _ := open(t)
	const emitted = 2000
	stream, hash := domain.RunStream(domain.NewRunID()), domain.ChainHash{}
	sealed := make([]domain.NewEvent, 0, 2*emitted)
	seal := func(e domain.Event) {
		var s domain.NewEvent
		s, hash = domain.Seal(stream, uint64(len(sealed)), hash, e, domain.Meta{At: time.Unix(1, 0)})
		sealed = append(sealed, s)
	}
	seal(&domain.RunStarted{Saga: "long", Version: 1})
	for range emitted {
		seal(&domain.AttemptSucceeded{Step: "s", Direction: domain.Do, Attempt: 1})
		seal(&domain.DomainEvent{Type: "item.done", Payload: json.RawMessage(`1`)})
	}
	log := &countedLog{Log: memlog.New()}
	at, err := log.Append(t.Context(), stream, domain.NoStream, sealed...)
	require.NoError(t, err)
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{events.View()}, Batch: 10})
	page, err := r.ask().Events(t.Context(), events.Filter{Sagas: []string{"long"}, Types: []string{"item.done"}, Limit: 1000, Fresh: projections.Fresh{AtLeast: at.Position, Wait: patience}})
	require.NoError(t, err)
	require.Len(t, page.Rows, 1000)
	require.Len(t, pagesOfEvents(t, r, events.Filter{Limit: 1000}), emitted)
	r.stop()
	require.LessOrEqual(t, log.read, 10, "the run's first event, once for each time that the log is followed")
}

// countedLog counts the events that are read of streams. One goroutine reads them.
type countedLog struct {
	*memlog.Log
	read int
}

func (l *countedLog) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for e, err := range l.Log.ReadStream(ctx, stream, from) {
			l.read++
			if !yield(e, err) {
				return
			}
		}
	}
}
