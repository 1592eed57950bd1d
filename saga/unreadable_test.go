package saga_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// unreadableEvents are events that a program may find in a run's stream and not be able to read.
func unreadableEvents() map[string]domain.NewEvent {
	meta := func(at string) []byte { return fmt.Appendf(nil, `{"at":%q,"hash":"x"}`, at) }
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	good := []byte(`{"name":"go","id":"1","value":1}`)
	return map[string]domain.NewEvent{
		"unknown event":  {Type: "step.flew.v9", Data: []byte(`{}`), Metadata: meta("2026-01-01T00:00:00Z")},
		"year 10000":     {Type: "signal.received.v1", Data: good, Metadata: meta("10000-01-01T00:00:00Z")},
		"year -1":        {Type: "signal.received.v1", Data: good, Metadata: meta("-0001-01-01T00:00:00Z")},
		"nested deep":    {Type: "signal.received.v1", Data: []byte(`{"name":"go","id":"1","value":` + deep + `}`), Metadata: meta("2026-01-01T00:00:00Z")},
		"no JSON":        {Type: "run.stuck.v1", Data: []byte(`{"`), Metadata: []byte(`{"`)},
		"bad hash":       {Type: "run.stuck.v1", Data: []byte(`{}`), Metadata: []byte(`{"hash":"x"}`)},
		"no data at all": {Type: "run.turned_back.v1"},
	}
}

// put appends an event that nobody sealed.
func put(t *testing.T, log domain.Log, stream string, e domain.NewEvent) {
	t.Helper()
	e.ID = uuid.New()
	_, err := log.Append(context.Background(), stream, domain.AnyRevision, e)
	require.NoError(t, err)
}

// waits is a saga that waits for the signal "go".
func waits(name string, a *saga.Action[string, string]) *saga.Saga[string, string] {
	return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Await[json.RawMessage](f, "go")
		return saga.Do(f, a, in.In)
	})
}

// TestRunsThatCannotBeReadHurtNobodyElse starts a coordinator on a log with runs of which it can't
// read an event, or the plan, or the beginning. They wait, visibly; every act on other runs goes
// on.
func TestRunsThatCannotBeReadHurtNobodyElse(t *testing.T) {
	t.Parallel()
	for name, e := range unreadableEvents() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, memlog.New())
			s := waits("waits", r.act("a"))
			ctx, stop := context.WithCancel(t.Context())
			first, ended := launch(t, ctx, r.log, saga.Config{}, s)
			bad, good := start(t, first, s, "bad"), start(t, first, s, "good")
			stop()
			require.NoError(t, <-ended)
			put(t, r.log, domain.RunStream(bad.ID), e)
			headless, planless := uuid.New(), uuid.New()
			put(t, r.log, domain.RunStream(headless), e)
			put(t, r.log, domain.RunStream(planless), domain.NewEvent{Type: "run.started.v1", Metadata: []byte(`{"at":"2026-01-01T00:00:00Z"}`),
				Data: []byte(`{"saga":"gone","version":1,"plan":"` + strings.Repeat("ab", 32) + `"}`)})

			c := begin(t, r.log, saga.Config{}, s)
			for _, id := range []domain.RunID{bad.ID, headless, planless} {
				_, err := c.Describe(t.Context(), id)
				require.ErrorIs(t, err, saga.ErrUnreadable)
				_, err = c.Wait(t.Context(), id)
				require.ErrorIs(t, err, saga.ErrUnreadable)
				require.ErrorIs(t, c.Cancel(t.Context(), id, "test"), saga.ErrUnreadable)
				why, err := c.Why(t.Context(), id)
				require.NoError(t, err)
				require.Contains(t, why.Text, "can't be read")
				require.Equal(t, domain.RunRunning, why.State)
				if name != "bad hash" { // which nobody needs who only reads
					_, err = saga.FoldAt(t.Context(), r.log, id, saga.Latest)
					require.ErrorIs(t, err, saga.ErrUnreadable)
				}
			}
			listed := map[domain.RunID]string{}
			for _, u := range c.UnreadableRuns() {
				listed[u.Run] = u.Reason
			}
			require.Len(t, listed, 3)
			require.Contains(t, listed[planless], strings.Repeat("ab", 32))

			report, err := c.Bulk(t.Context(), saga.BulkRequest{Act: saga.BulkPause, Filter: saga.BulkFilter{Sagas: []string{"waits"}}, Reason: "a look"})
			require.NoError(t, err)
			require.Equal(t, 1, report.Done)
			require.Equal(t, 1, report.Failed, "its saga is known")
			require.Equal(t, 1, report.Unreadable)
			require.NoError(t, c.Resume(t.Context(), good.ID, "test"))
			require.NoError(t, c.Signal(t.Context(), good.ID, "go", 1))
			_, err = finished(t, saga.RunOf[string](c, good.ID))
			require.NoError(t, err)
			require.Equal(t, []string{"a"}, r.called())
		})
	}
}

// TestARunThatBecomesUnreadableGivesItsPlaceBack damages a run while its handler runs: the outcome
// is not recorded, the handler is not called again for that, and the action's place is free.
func TestARunThatBecomesUnreadableGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, memlog.New())
	doing, goOn := make(chan struct{}), make(chan struct{})
	a := r.act("a")
	a.Concurrency = 1
	do := a.Do
	a.Do = func(ctx context.Context, in string) (string, error) {
		out, err := do(ctx, in)
		if in == "bad" {
			doing <- struct{}{}
			<-goOn
		}
		return out, err
	}
	s := chain("s", a)
	c := begin(t, r.log, saga.Config{MaxRuns: 1}, s)
	bad := start(t, c, s, "bad")
	<-doing
	put(t, r.log, domain.RunStream(bad.ID), domain.NewEvent{Type: "step.flew.v9"})
	close(goOn)
	require.ErrorIs(t, c.Cancel(t.Context(), bad.ID, "test"), saga.ErrUnreadable)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	good, err := saga.Start(ctx, c, s, "good")
	require.NoError(t, err)
	_, err = good.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "a"}, r.called())
	require.Len(t, c.UnreadableRuns(), 1)
}

// TestARegistrationThatCannotBeReadRefusesThatSagaOnly: a plan is stored again, as its program has
// it.
func TestARegistrationThatCannotBeReadRefusesThatSagaOnly(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]domain.NewEvent{
		"no JSON":    {Type: saga.SagaRegistered, Data: []byte(`{"`)},
		"other JSON": {Type: saga.SagaRegistered, Data: []byte(`{"x":1}`)},
		"other type": {Type: "noise", Data: []byte(`{}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, memlog.New())
			known, unknown, free := chain("known", r.act("a")), chain("unknown", r.act("b")), chain("free", r.act("c"))
			ctx, stop := context.WithCancel(t.Context())
			_, ended := launch(t, ctx, r.log, saga.Config{}, known)
			stop()
			require.NoError(t, <-ended)
			put(t, r.log, domain.SagaPrefix+"known", e)
			put(t, r.log, domain.SagaPrefix+"unknown", e)
			plan, err := free.Plan()
			require.NoError(t, err)
			put(t, r.log, domain.PlanStream(plan.Hash()), e)

			for _, whenRun := range []bool{false, true} {
				c := begin(t, r.log, saga.Config{PlansWhenRun: whenRun}, known, unknown, free)
				_, err := saga.Start(t.Context(), c, unknown, "")
				require.ErrorIs(t, err, saga.ErrUnreadable)
				require.ErrorContains(t, err, "the versions of saga unknown")
				for _, s := range []*saga.Saga[string, string]{known, free} {
					_, err := finished(t, start(t, c, s, ""))
					require.NoError(t, err)
				}
			}
			r.checkStreams()
		})
	}
}
