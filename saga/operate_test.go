package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/sagatest"
)

// waitsForGo does a thing and waits for a signal; its thing can fail for good, and a person is
// asked.
func waitsForGo() *saga.Saga[order, string] {
	book := &saga.Action[order, order]{Name: "book", Retry: saga.Retry{MaxAttempts: 1},
		Do: func(_ context.Context, o order) (order, error) {
			if strings.HasPrefix(o.ID, "bad") {
				return o, saga.Permanent(errors.New("full"))
			}
			return o, nil
		},
		Undo: func(context.Context, saga.Did[order, order]) error { return nil }}
	return saga.Define("trip", 2, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[string] {
		saga.Do(f, book, in.In, saga.OnFail(saga.Ask))
		return saga.Await[string](f, "go")
	})
}

// settled waits until the run's stream has an event of the type.
func settled(t *testing.T, log domain.Log, id domain.RunID, eventType string) {
	t.Helper()
	sagatest.UntilRecorded(t, log, domain.RunStream(id), func(e domain.Recorded) bool { return e.Type == eventType })
}

func TestBulkReachesTheRunsThatItsFilterSelects(t *testing.T) {
	t.Parallel()
	ctx, log, s := saga.WithActor(t.Context(), "ann"), memlog.New(), waitsForGo()
	now := time.Now()
	c := begin(t, log, saga.Config{Clock: stillWall{at: now}}, s)
	ids := map[string]domain.RunID{}
	for i, name := range []string{"one", "two", "three", "bad1", "bad2"} {
		run, err := saga.Start(ctx, c, s, order{name}, saga.Key("trip-"+name), saga.Labels(map[string]string{"n": fmt.Sprint(i % 2)}))
		require.NoError(t, err)
		ids[name] = run.ID
		if strings.HasPrefix(name, "bad") {
			_, err := run.Wait(ctx)
			require.ErrorAs(t, err, new(*saga.StuckError))
		} else {
			settled(t, log, run.ID, "await.opened.v1")
		}
	}
	names := func(f saga.BulkFilter, act saga.BulkAct) (out []string) {
		report, err := c.Bulk(ctx, saga.BulkRequest{Act: act, Filter: f, All: true, DryRun: true})
		require.NoError(t, err)
		require.Len(t, report.Results, report.Matched)
		require.Zero(t, report.Done)
		for _, r := range report.Results {
			for n, id := range ids {
				if id == r.Run {
					out = append(out, n)
				}
			}
		}
		return out
	}
	require.ElementsMatch(t, []string{"one", "two", "three", "bad1", "bad2"}, names(saga.BulkFilter{}, saga.BulkPause))
	require.ElementsMatch(t, []string{"two", "bad1"}, names(saga.BulkFilter{Labels: map[string]string{"n": "1"}}, saga.BulkPause))
	require.ElementsMatch(t, []string{"two", "three"}, names(saga.BulkFilter{KeyPrefix: "trip-t"}, saga.BulkCancel))
	require.ElementsMatch(t, []string{"bad1", "bad2"}, names(saga.BulkFilter{States: []domain.RunState{domain.RunIsStuck}}, saga.BulkCancel))
	require.ElementsMatch(t, []string{"bad1", "bad2"}, names(saga.BulkFilter{Action: "book"}, saga.BulkCancel))
	require.ElementsMatch(t, []string{"bad1", "bad2"}, names(saga.BulkFilter{}, saga.BulkRetry), "only what is stuck can be retried")
	require.ElementsMatch(t, []string{"one"}, names(saga.BulkFilter{Runs: []domain.RunID{ids["one"], domain.NewRunID()}}, saga.BulkCancel))
	require.Empty(t, names(saga.BulkFilter{Sagas: []string{"other"}}, saga.BulkCancel))
	require.Empty(t, names(saga.BulkFilter{Version: 1}, saga.BulkCancel))
	require.Empty(t, names(saga.BulkFilter{OlderThan: time.Minute}, saga.BulkCancel))

	report, err := c.Bulk(ctx, saga.BulkRequest{Act: saga.BulkSubstitute, Filter: saga.BulkFilter{Action: "book"}, Output: json.RawMessage(`{"ID":"by hand"}`), Reason: "phoned"})
	require.NoError(t, err)
	require.Equal(t, 2, report.Done)
	settled(t, log, ids["bad1"], "await.opened.v1")
	report, err = c.Bulk(ctx, saga.BulkRequest{Act: saga.BulkCancel, Filter: saga.BulkFilter{Sagas: []string{"trip"}}, Limit: 3, Reason: "strike"})
	require.NoError(t, err)
	require.True(t, report.More)
	require.Equal(t, 3, report.Done)
	require.Equal(t, 5, report.Matched)
	for _, r := range report.Results {
		_, err := saga.RunOf[string](c, r.Run).Wait(ctx)
		var cancelled *saga.CancelledError
		require.ErrorAs(t, err, &cancelled)
		require.Equal(t, "strike", cancelled.Cause.Message)
	}
	_, err = c.Bulk(ctx, saga.BulkRequest{Act: saga.BulkCancel, Reason: "strike"})
	require.ErrorIs(t, err, saga.ErrBadInput, "everything is not selected by mistake")
	for _, act := range []saga.BulkAct{saga.BulkCancel, saga.BulkPause, saga.BulkResume, saga.BulkRetry, saga.BulkSkip, saga.BulkAbandon} {
		_, err = c.Bulk(ctx, saga.BulkRequest{Act: act, All: true})
		require.ErrorIs(t, err, saga.ErrBadInput)
		require.ErrorContains(t, err, "needs a reason")
	}
	_, err = c.Bulk(ctx, saga.BulkRequest{Act: "explode", All: true})
	require.ErrorIs(t, err, saga.ErrBadInput)
}

// TestBulkDoesWhateverIsAsked goes through the acts that one run after another can take.
func TestBulkDoesWhateverIsAsked(t *testing.T) {
	t.Parallel()
	ctx, log, s := t.Context(), memlog.New(), waitsForGo()
	c := begin(t, log, saga.Config{}, s)
	run := start(t, c, s, order{"bad"})
	_, err := run.Wait(ctx)
	require.ErrorAs(t, err, new(*saga.StuckError))
	step := func() explain.Step {
		v, err := c.Describe(ctx, run.ID)
		require.NoError(t, err)
		return v.Steps[0]
	}
	bulk := func(act saga.BulkAct) saga.BulkReport {
		report, err := c.Bulk(ctx, saga.BulkRequest{Act: act, Filter: saga.BulkFilter{Runs: []domain.RunID{run.ID}}, Reason: "all of them"})
		require.NoError(t, err)
		return report
	}
	first := step()
	require.Equal(t, 1, bulk(saga.BulkRetry).Done)
	// It fails again, and its incident is open again.
	sagatest.UntilOn(t, log, run.ID, func(v explain.Run) bool {
		return v.Steps[0].Incident == first.Incident && v.Steps[0].Attempts > first.Attempts
	})
	require.Equal(t, 1, bulk(saga.BulkPause).Done)
	v, err := c.Describe(ctx, run.ID)
	require.NoError(t, err)
	require.Equal(t, "all of them", v.Paused)
	require.Equal(t, 1, bulk(saga.BulkResume).Done)
	require.Equal(t, 1, bulk(saga.BulkSkip).Done)
	settled(t, log, run.ID, "await.opened.v1")
	require.Zero(t, bulk(saga.BulkSkip).Matched, "it is not stuck any more")
	require.Equal(t, 1, bulk(saga.BulkAbandon).Done)
	_, err = run.Wait(ctx)
	require.ErrorAs(t, err, new(*saga.AbandonedError))
	require.Zero(t, bulk(saga.BulkCancel).Matched, "it has ended")
}

func TestAnEmittedEventIsOneByItsID(t *testing.T) {
	t.Parallel()
	ctx, log := saga.WithActor(t.Context(), "shop"), memlog.New()
	c := begin(t, log, saga.Config{}, waitsForGo())
	emit := func(id, payload string) (saga.Emitted, error) {
		return c.EmitEvent(ctx, "orders", "order.placed", json.RawMessage(payload), saga.EmitOptions{ID: id, Correlation: "7"})
	}
	first, err := emit("a", `{"n":1}`)
	require.NoError(t, err)
	again, err := emit("a", `{"n": 1}`)
	require.NoError(t, err)
	require.Equal(t, first, again)
	_, err = emit("a", `{"n":2}`)
	require.ErrorIs(t, err, saga.ErrKeyConflict)
	own := "3f2c5a0e-5c0a-4d55-9a60-0a70e0a70e01"
	second, err := emit(own, `null`)
	require.NoError(t, err)
	require.Equal(t, own, second.ID.String())
	_, err = emit("", "")
	require.NoError(t, err)
	n := 0
	for r, err := range log.ReadStream(ctx, "orders", 0) {
		require.NoError(t, err)
		m, err := domain.DecodeMeta(r.Metadata)
		require.NoError(t, err)
		require.Equal(t, "shop", m.Actor)
		require.Equal(t, "7", m.CorrelationID)
		n++
	}
	require.Equal(t, 3, n)
	for _, bad := range [][2]string{{"", "a.b"}, {domain.RunStream(domain.NewRunID()), "a.b"}, {"$ce-run", "a.b"}, {"atone-x", "a.b"}, {"orders", ""}, {"orders", "run.started.v1"}, {"orders", "$x"}, {"or\nders", "a.b"}} {
		_, err := c.EmitEvent(ctx, bad[0], bad[1], nil, saga.EmitOptions{})
		require.ErrorIs(t, err, saga.ErrBadInput, "%q", bad)
	}
	_, err = c.EmitEvent(ctx, "orders", "a.b", json.RawMessage("{"), saga.EmitOptions{})
	require.ErrorIs(t, err, saga.ErrBadInput)
}

func TestARunIsSeenAsItWasAtEveryRevision(t *testing.T) {
	t.Parallel()
	ctx, log, s := t.Context(), memlog.New(), waitsForGo()
	c := begin(t, log, saga.Config{}, s)
	run, err := saga.Start(ctx, c, s, order{"one"})
	require.NoError(t, err)
	settled(t, log, run.ID, "await.opened.v1")
	preview, err := c.PreviewCancel(ctx, run.ID)
	require.NoError(t, err)
	require.Equal(t, "book", preview.Steps[0].Step)
	why, err := c.Why(ctx, run.ID)
	require.NoError(t, err)
	require.Equal(t, "go: waits for signal go", why.Text)
	require.NoError(t, c.Signal(ctx, run.ID, "go", "x"))
	_, err = run.Wait(ctx)
	require.NoError(t, err)
	phases := []machine.Phase{machine.Ready, machine.Running, machine.Done}
	for revision, phase := range phases {
		v, err := c.StateAt(ctx, run.ID, int64(revision))
		require.NoError(t, err)
		require.Equal(t, int64(revision), v.Revision)
		require.Equal(t, phase, v.Steps[0].Phase, "revision %d", revision)
	}
	latest, err := c.StateAt(ctx, run.ID, saga.Latest)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsCompleted, latest.State)
	offline, err := saga.FoldAt(ctx, log, run.ID, saga.Latest)
	require.NoError(t, err)
	require.Equal(t, latest, explain.Describe(offline), "it needs no coordinator")
	_, err = c.StateAt(ctx, run.ID, 1000)
	require.ErrorIs(t, err, saga.ErrNotFound)
	_, err = c.StateAt(ctx, domain.NewRunID(), saga.Latest)
	require.ErrorIs(t, err, saga.ErrNotFound)
}

func TestTheCatalogueListsWhatIsRegistered(t *testing.T) {
	t.Parallel()
	c := begin(t, memlog.New(), saga.Config{ActionConcurrency: 7}, waitsForGo())
	sagas := c.Sagas()
	require.Len(t, sagas, 1)
	require.Equal(t, "trip", sagas[0].Name)
	require.True(t, sagas[0].Latest)
	require.Equal(t, []string{"book"}, sagas[0].Actions)
	require.Equal(t, "saga_test.order", sagas[0].Input)
	one, err := c.Saga("trip", 2)
	require.NoError(t, err)
	require.Equal(t, sagas[0], one)
	_, err = c.Saga("trip", 1)
	require.ErrorIs(t, err, saga.ErrUnknownSaga)
	actions := c.Actions()
	require.Len(t, actions, 1)
	require.Equal(t, []string{"trip"}, actions[0].Sagas)
	require.Equal(t, 7, actions[0].Concurrency)
	require.Equal(t, saga.QueueDepth{Limit: 7}, c.QueueDepths()["book"])
	p, err := c.Plan(t.Context(), one.Hash)
	require.NoError(t, err)
	require.Equal(t, one.Plan, p)
}

// TestOfTwoBulkActsAtOnceOneDoesIt: the other says of each run why it changed nothing. An act on
// one run may be asked for twice, as a request that is sent again is.
func TestOfTwoBulkActsAtOnceOneDoesIt(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), waitsForGo()
	c := begin(t, memlog.New(), saga.Config{}, s)
	const n = 20
	for i := range n {
		start(t, c, s, order{fmt.Sprint("one", i)})
	}
	both := func(act saga.BulkAct, why string) {
		t.Helper()
		var reports [2]saga.BulkReport
		var errs [2]error
		var all sync.WaitGroup
		for i := range reports {
			all.Go(func() {
				reports[i], errs[i] = c.Bulk(ctx, saga.BulkRequest{Act: act, All: true, Reason: "both of us"})
			})
		}
		all.Wait()
		require.NoError(t, errors.Join(errs[:]...))
		require.Equal(t, n, reports[0].Done+reports[1].Done)
		require.Equal(t, n, reports[0].Failed+reports[1].Failed)
		for _, r := range reports {
			for _, of := range r.Results {
				require.True(t, of.Done || of.Error == why, of.Error)
			}
		}
	}
	both(saga.BulkPause, "the run is paused already")
	both(saga.BulkResume, "the run is not paused")
	one := start(t, c, s, order{"last"})
	var told []string
	single := saga.OnUnchanged(ctx, func(why string) { told = append(told, why) })
	for range 2 {
		require.NoError(t, c.Pause(single, one.ID, "x"))
	}
	for range 2 {
		require.NoError(t, c.Resume(single, one.ID, "x"))
	}
	require.Equal(t, []string{"the run is paused already", "the run is not paused"}, told)
}

// TestADryRunRefusesWhatTheActRefuses, run by run, in the same words, and changes nothing.
func TestADryRunRefusesWhatTheActRefuses(t *testing.T) {
	t.Parallel()
	ctx, log, s := t.Context(), memlog.New(), waitsForGo()
	c := begin(t, log, saga.Config{}, s)
	ok, paused, bad := start(t, c, s, order{"one"}), start(t, c, s, order{"two"}), start(t, c, s, order{"bad"})
	settled(t, log, ok.ID, "await.opened.v1")
	settled(t, log, paused.ID, "await.opened.v1")
	require.NoError(t, c.Pause(ctx, paused.ID, "strike"))
	_, err := bad.Wait(ctx)
	require.ErrorAs(t, err, new(*saga.StuckError))
	refused := func(req saga.BulkRequest) map[domain.RunID]string {
		report, err := c.Bulk(ctx, req)
		require.NoError(t, err)
		out := map[domain.RunID]string{}
		for _, r := range report.Results {
			if r.Error != "" {
				out[r.Run] = r.Error
			}
		}
		require.Len(t, out, report.Failed)
		return out
	}
	for _, c := range []struct {
		act    saga.BulkAct
		output string
		want   map[domain.RunID]string
	}{
		{saga.BulkSubstitute, `{"ID":7}`, map[domain.RunID]string{bad.ID: ""}},
		{saga.BulkPause, "", map[domain.RunID]string{paused.ID: "the run is paused already"}},
		{saga.BulkResume, "", nil}, // all are paused now
		{saga.BulkResume, "", map[domain.RunID]string{ok.ID: "the run is not paused", paused.ID: "the run is not paused", bad.ID: "the run is not paused"}},
		{saga.BulkSkip, "", nil},
		{saga.BulkAbandon, "", nil},
	} {
		req := saga.BulkRequest{Act: c.act, All: true, DryRun: true}
		if c.output != "" {
			req.Output = json.RawMessage(c.output)
		}
		told := refused(req)
		require.Len(t, told, len(c.want), c.act)
		for id, why := range c.want {
			require.Contains(t, told[id], why, c.act)
		}
		require.Equal(t, told, refused(req), "a dry run changes nothing")
		req.DryRun, req.Reason = false, "mended"
		require.Equal(t, told, refused(req), c.act)
	}
}
