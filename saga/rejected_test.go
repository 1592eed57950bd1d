package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/rejected"
)

// fussy is a trigger on orders, for a saga of its own, that rejects all of them while bad is set.
func fussy(name string, bad *atomic.Bool, calls *atomic.Int64) *saga.Trigger[order, order] {
	ship := &saga.Action[order, order]{Name: name + "-ship", Effect: saga.NoEffect, Do: func(_ context.Context, o order) (order, error) {
		calls.Add(1)
		return o, nil
	}}
	s := saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[order] { return saga.Do(f, ship, in.In) })
	return &saga.Trigger[order, order]{Type: "order-placed", Saga: s, Input: func(e saga.Event) (order, error) {
		var o order
		err := json.Unmarshal(e.Data, &o)
		if bad.Load() && err == nil {
			switch {
			case strings.HasPrefix(o.ID, "panic"):
				panic("a defect: " + o.ID)
			default:
				err = errors.New("no such address: " + o.ID)
			}
		}
		return o, err
	}}
}

// openNow waits until so many events are rejected, and lists them, the newest first.
func openNow(t *testing.T, c *saga.Coordinator, want int) []rejected.Event {
	t.Helper()
	var page rejected.Page
	eventually(t, func() bool {
		var err error
		page, err = c.Rejected().List(t.Context(), rejected.Filter{State: rejected.Open, Limit: 1000})
		return err == nil && page.Matched == want
	})
	return page.Rows
}

// actOn does an act to rejected events, in somebody's name.
func actOn(t *testing.T, c *saga.Coordinator, req rejected.Request) rejected.Report {
	t.Helper()
	if req.Reason == "" {
		req.Reason = "version 2 is out"
	}
	report, err := c.Rejected().Do(saga.WithActor(t.Context(), "kim"), &req)
	require.NoError(t, err)
	return report
}

// TestARejectedEventIsRetriedOnce: plain errors, panics and payloads of another shape are listed
// with their reasons; retried by many at once at two nodes, each starts one run. The trigger of
// another saga on the same events is not harmed.
func TestARejectedEventIsRetriedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, ctx := memlog.New(), t.Context()
		var bad, good atomic.Bool
		var calls, others atomic.Int64
		bad.Store(true)
		c := beginWith(t, log, node("one"), []saga.AnyTrigger{fussy("fussy", &bad, &calls), fussy("easy", &good, &others)})
		second := beginWith(t, log, node("two"), []saga.AnyTrigger{fussy("fussy", &bad, &calls), fussy("easy", &good, &others)})
		hostile := "x\"><script>\u202e\x00"
		var ids []uuid.UUID
		for _, o := range []any{order{"plain"}, order{"panic"}, order{hostile}, 17} {
			e := domainEvent("order-placed", "", o)
			ids = append(ids, e.ID)
			appendEvent(t, log, "shop", e)
		}
		list := openNow(t, c, 5) // the payload 17 fits neither
		for i, want := range []string{"the trigger's code failed: no such address: plain", "the trigger's code panicked: a defect: panic", "no such address: " + hostile, "cannot unmarshal number"} {
			k := slices.IndexFunc(list, func(e rejected.Event) bool { return e.Event == ids[i] && e.Saga == "fussy" })
			require.NotEqual(t, -1, k, want)
			e := &list[k]
			require.Contains(t, e.Error, want)
			require.Equal(t, []any{"order-placed", "shop", uint64(i), 1, rejected.Open}, []any{e.Type, e.Stream, e.Revision, e.Version, e.State})
			require.False(t, e.At.IsZero())
			require.NotZero(t, e.Position)
		}
		for _, id := range ids[:3] {
			_, err := finishedLater[order](t, c, log, domain.RunIDForEvent("easy", id))
			require.NoError(t, err)
		}
		counted := map[rejected.Of]int{{Saga: "fussy", Type: "order-placed"}: 4, {Saga: "easy", Type: "order-placed"}: 1}
		require.Equal(t, counted, c.Rejected().Open())
		eventually(t, func() bool { return second.Rejected().Open()[rejected.Of{Saga: "fussy", Type: "order-placed"}] == 4 }, "the other node hears of it")

		// The reason stands.
		report := actOn(t, c, rejected.Request{Act: rejected.Retry, Sagas: []string{"fussy"}})
		require.Equal(t, []int{4, 0, 4}, []int{report.Matched, report.Done, report.Failed})
		require.Contains(t, fmt.Sprint(report.Results), "no such address: plain")
		require.Len(t, openNow(t, c, 5), 5)
		require.Zero(t, calls.Load())

		bad.Store(false)
		var all sync.WaitGroup
		for i := range 8 {
			at := []*saga.Coordinator{c, second}[i%2]
			all.Go(func() {
				report := actOn(t, at, rejected.Request{Act: rejected.Retry, IDs: []string{ids[0].String()}})
				assert.Equal(t, 1, report.Done)
				assert.Equal(t, domain.RunIDForEvent("fussy", ids[0]), report.Results[0].Run)
			})
		}
		all.Wait()
		run := domain.RunIDForEvent("fussy", ids[0])
		_, err := finished(t, saga.RunOf[order](c, run))
		require.NoError(t, err)
		v, err := c.Describe(ctx, run)
		require.NoError(t, err)
		require.Equal(t, "kim", v.Actor)
		report = actOn(t, second, rejected.Request{Act: rejected.Retry, All: true})
		require.Equal(t, []int{4, 2, 2}, []int{report.Matched, report.Done, report.Failed}, "17 still fits neither")
		for _, id := range ids[:3] {
			_, err := finished(t, saga.RunOf[order](c, domain.RunIDForEvent("fussy", id)))
			require.NoError(t, err)
		}
		require.EqualValues(t, 3, calls.Load())
		page, err := c.Rejected().List(ctx, rejected.Filter{State: rejected.Started})
		require.NoError(t, err)
		require.Len(t, page.Rows, 3)
		for _, e := range page.Rows {
			require.Equal(t, []any{"kim", "version 2 is out", domain.RunIDForEvent("fussy", e.Event)}, []any{e.By, e.Reason, e.Run})
			require.False(t, e.Settled.IsZero())
		}
	})
}

// TestWhatWasDismissedStaysSo, although the trigger is given the event again, and until somebody
// thinks better of it.
func TestWhatWasDismissedStaysSo(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	var bad atomic.Bool
	var calls atomic.Int64
	bad.Store(true)
	c, stop := beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{fussy("fussy", &bad, &calls)})
	e := domainEvent("order-placed", "", order{"a test"})
	appendEvent(t, log, "shop", e)
	row := openNow(t, c, 1)[0]
	require.Equal(t, 1, actOn(t, c, rejected.Request{Act: rejected.Dismiss, IDs: []string{row.ID.String()}}).Done)
	require.Equal(t, 1, actOn(t, c, rejected.Request{Act: rejected.Dismiss, IDs: []string{row.ID.String()}}).Done, "it is dismissed")
	require.Empty(t, openNow(t, c, 0))
	stop()

	// The position of the trigger is lost: it begins before the event.
	other := memlog.New()
	for r, err := range log.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		if r.Stream != "atone-triggers" || r.Revision == 0 {
			_, err = other.Append(t.Context(), r.Stream, domain.AnyRevision, r.NewEvent)
			require.NoError(t, err)
		}
	}
	c, _ = beginStoppable(t, other, saga.Config{}, []saga.AnyTrigger{fussy("fussy", &bad, &calls)})
	next := domainEvent("order-placed", "", order{"after it"})
	appendEvent(t, other, "shop", next)
	require.Equal(t, next.ID, openNow(t, c, 1)[0].Event)

	bad.Store(false)
	report := actOn(t, c, rejected.Request{Act: rejected.Retry, IDs: []string{e.ID.String(), uuid.NewString()}})
	require.Equal(t, []int{1, 1}, []int{report.Done, report.Failed})
	require.Equal(t, "no event of that id was rejected", report.Results[1].Refused)
	_, err := finished(t, saga.RunOf[order](c, domain.RunIDForEvent("fussy", e.ID)))
	require.NoError(t, err)
	report = actOn(t, c, rejected.Request{Act: rejected.Dismiss, IDs: []string{e.ID.String()}})
	require.Contains(t, report.Results[0].Refused, "it was retried by kim, and has started run "+domain.RunIDForEvent("fussy", e.ID).String())
}

// TestARetryThatCannotStartARunSaysWhy: there is no such trigger, the trigger does not want the
// event any more, or the coordinator does not run.
func TestARetryThatCannotStartARunSaysWhy(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	var bad atomic.Bool
	var calls atomic.Int64
	bad.Store(true)
	c, stop := beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{fussy("fussy", &bad, &calls)})
	appendEvent(t, log, "shop", domainEvent("order-placed", "", order{"x"}))
	id := openNow(t, c, 1)[0].ID.String()
	for _, req := range []rejected.Request{
		{Act: rejected.Retry, IDs: []string{id}}, {Act: rejected.Retry, Reason: "x"}, {Act: "forget", All: true, Reason: "x"}, {Act: rejected.Dismiss, IDs: []string{"17"}, Reason: "x"},
		{Act: rejected.Retry, IDs: []string{id}, All: true, Reason: "x"}, {Act: rejected.Retry, IDs: []string{id}, Reason: "\xff"},
	} {
		_, err := c.Rejected().Do(t.Context(), &req)
		require.ErrorIs(t, err, saga.ErrBadInput, "%+v", req)
	}
	stop()
	_, err := c.Rejected().Do(t.Context(), &rejected.Request{Act: rejected.Retry, IDs: []string{id}, Reason: "x"})
	require.ErrorIs(t, err, saga.ErrNotRunning)

	c, stop = beginStoppable(t, log, saga.Config{}, nil, oneStep("other"))
	require.Contains(t, actOn(t, c, rejected.Request{Act: rejected.Retry, IDs: []string{id}}).Results[0].Refused, "this program has no trigger that starts saga fussy for events of type order-placed")
	stop()
	choosy := fussy("fussy", &bad, &calls)
	choosy.When = func(saga.Event) bool { return false }
	c, stop = beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{choosy})
	require.Contains(t, actOn(t, c, rejected.Request{Act: rejected.Retry, IDs: []string{id}}).Results[0].Refused, "does not want it any more: dismiss it")
	stop()

	// A command on a directory has a coordinator that takes up nothing.
	bad.Store(false)
	c, _ = beginStoppable(t, log, saga.Config{OnDemand: true}, []saga.AnyTrigger{fussy("fussy", &bad, &calls)})
	report := actOn(t, c, rejected.Request{Act: rejected.Retry, All: true})
	require.Equal(t, 1, report.Done)
	_, err = finished(t, saga.RunOf[order](c, report.Results[0].Run))
	require.NoError(t, err)
}

// TestARejectionTellsNoSecrets, not even where the trigger's code puts them into its error.
func TestARejectionTellsNoSecrets(t *testing.T) {
	t.Parallel()
	type form struct {
		Password string `json:"password" atone:"secret"`
	}
	s := saga.Define("join", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[string] { return saga.Await[string](f, "go") })
	log := memlog.New()
	c := beginWith(t, log, saga.Config{}, []saga.AnyTrigger{&saga.Trigger[form, string]{Type: "asked", Saga: s,
		Input: func(e saga.Event) (form, error) { return form{}, fmt.Errorf("bad form %s", e.Data) }}})
	appendEvent(t, log, "shop", domainEvent("asked", "", form{"hunter2-hunter2"}))
	row := openNow(t, c, 1)[0]
	require.Contains(t, row.Error, "bad form")
	require.NotContains(t, row.Error, "hunter2")
}

// readCounter counts what is read of the stream of rejected events.
type readCounter struct {
	domain.Log
	read atomic.Int64
}

func (l *readCounter) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for e, err := range l.Log.ReadStream(ctx, stream, from) {
			if stream == rejected.Stream {
				l.read.Add(1)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestManyRejectedEventsAreListedInPages: a page reads about as many records as it has rows, and
// all are retried in a few calls.
func TestManyRejectedEventsAreListedInPages(t *testing.T) {
	t.Parallel()
	const many = 5_000
	log := &readCounter{Log: memlog.New()}
	var bad atomic.Bool
	var calls atomic.Int64
	bad.Store(true)
	c, stop := beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{fussy("fussy", &bad, &calls)})
	var batch []domain.NewEvent
	for i := range many {
		if batch = append(batch, domainEvent("order-placed", "", order{fmt.Sprint(i)})); len(batch) == 500 {
			appendEvent(t, log, "shop", batch...)
			batch = nil
		}
	}
	openNow(t, c, many)
	stop()
	bad.Store(false)
	c, _ = beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{fussy("fussy", &bad, &calls)})
	eventually(t, func() bool { return c.Rejected().Open()[rejected.Of{Saga: "fussy", Type: "order-placed"}] == many }, "counted without anybody asking")
	seen := make(map[uuid.UUID]bool)
	f := rejected.Filter{State: rejected.Open, Limit: 100}
	for pages := 1; ; pages++ {
		before := log.read.Load()
		page, err := c.Rejected().List(t.Context(), f)
		require.NoError(t, err)
		require.LessOrEqual(t, log.read.Load()-before, int64(150))
		require.Equal(t, many, page.Matched)
		for _, e := range page.Rows {
			require.False(t, seen[e.ID])
			seen[e.ID] = true
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			require.Equal(t, many/100, pages)
			break
		}
	}
	require.Len(t, seen, many)
	_, err := c.Rejected().List(t.Context(), rejected.Filter{Cursor: "x"})
	require.ErrorIs(t, err, saga.ErrBadInput)

	dry := actOn(t, c, rejected.Request{Act: rejected.Retry, All: true, DryRun: true, Limit: 10})
	require.Equal(t, []any{many, 10, true, 0}, []any{dry.Matched, len(dry.Results), dry.More, dry.Done})
	for left := many; left > 0; left -= 2_000 {
		report := actOn(t, c, rejected.Request{Act: rejected.Retry, All: true, Limit: 2_000})
		require.Equal(t, []any{left, min(left, 2_000), 0, left > 2_000}, []any{report.Matched, report.Done, report.Failed, report.More})
	}
	eventually(t, func() bool { return calls.Load() == many })
	require.Zero(t, c.Rejected().Open()[rejected.Of{Saga: "fussy", Type: "order-placed"}])
}

// TestARetryWaitsForAPlaceNoLongerThanItsCaller: while every place is taken, it is refused when its
// time is over, and a later one starts the one run.
func TestARetryWaitsForAPlaceNoLongerThanItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bad atomic.Bool
		var calls atomic.Int64
		bad.Store(true)
		log, goOn := memlog.New(), make(chan struct{})
		busy := chain("busy", &saga.Action[string, string]{Name: "busy", Effect: saga.NoEffect, Timeout: time.Hour, Do: func(_ context.Context, in string) (string, error) { <-goOn; return in, nil }})
		c := beginWith(t, log, saga.Config{MaxRuns: 1, Logger: slog.New(slog.DiscardHandler)}, []saga.AnyTrigger{fussy("fussy", &bad, &calls)}, busy)
		e := domainEvent("order-placed", "", order{"x"})
		appendEvent(t, log, "shop", e)
		openNow(t, c, 1)
		bad.Store(false)
		first := start(t, c, busy, "x")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		report, err := c.Rejected().Do(ctx, &rejected.Request{Act: rejected.Retry, All: true, Reason: "x"})
		require.NoError(t, err)
		require.Equal(t, 1, report.Failed)
		require.Contains(t, report.Results[0].Refused, "deadline")
		close(goOn)
		_, err = finished(t, first)
		require.NoError(t, err)
		require.Equal(t, 1, actOn(t, c, rejected.Request{Act: rejected.Retry, All: true}).Done)
		_, err = finished(t, saga.RunOf[order](c, domain.RunIDForEvent("fussy", e.ID)))
		require.NoError(t, err)
		require.EqualValues(t, 1, calls.Load())
	})
}
