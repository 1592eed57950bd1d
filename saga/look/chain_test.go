package look_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// family are an order, whose billing has a payment that is stuck.
type family struct {
	*saga.Coordinator
	told                    alerts
	order, billing, payment domain.RunID
}

// alerts is a sink that keeps what it is told.
type alerts chan saga.Alert

func (a alerts) Alert(_ context.Context, alert saga.Alert) error {
	a <- alert
	return nil
}

func newFamily(t *testing.T) *family {
	t.Helper()
	charge := &saga.Action[string, string]{Name: "charge", Effect: saga.NoEffect,
		Do: func(context.Context, string) (string, error) { return "", saga.Permanent(errors.New("card gone")) }}
	payment := saga.Define("payment", 2, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, charge, in.In, saga.OnFail(saga.Ask))
	})
	billing := saga.Define("billing", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.Child(f, payment, in.In, saga.Name("pay"))
	})
	order := saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Parallel(f,
			func(f *saga.Flow) { saga.Await[string](f, "packed") },
			func(f *saga.Flow) { saga.Child(f, billing, in.In, saga.Name("bill")) })
		return in
	})
	told := make(alerts, 8)
	log := memlog.New()
	c, err := saga.New(saga.Config{Log: log, Node: "n", Alerts: []saga.AlertSink{told}})
	require.NoError(t, err)
	require.NoError(t, c.Register(order, billing, payment))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	<-c.Ready()
	run, err := saga.Start(t.Context(), c, order, "x", saga.Key("k"), saga.Labels(map[string]string{"tenant": "acme"}))
	require.NoError(t, err)
	f := &family{Coordinator: c, told: told, order: run.ID}
	f.billing = domain.ChildRunID(f.order, "bill")
	f.payment = domain.ChildRunID(f.billing, "pay")
	var stuck *saga.StuckError
	sagatest.UntilOn(t, log, f.payment, nil) // the child runs come to be in the background
	_, err = c.Wait(t.Context(), f.payment)
	require.ErrorAs(t, err, &stuck)
	return f
}

// TestTheChainLeadsToTheTrueBlocker: of a run whose grandchild is stuck the answer to "why?" names
// the grandchild, with a link for each run on the way.
func TestTheChainLeadsToTheTrueBlocker(t *testing.T) {
	t.Parallel()
	f := newFamily(t)
	why, err := f.Why(t.Context(), f.order)
	require.NoError(t, err)
	require.Equal(t, explain.StuckBelow, why.Standing)
	require.Equal(t, domain.RunRunning, why.State)
	require.Equal(t, "stuck below: charge failed", why.Headline)
	require.Regexp(t, "stuck below: run "+f.payment.String()+" of payment is stuck: charge failed at [0-9:]+ UTC: card gone", why.Text)
	require.Len(t, why.Chain, 2)
	billing, payment := why.Chain[0], why.Chain[1]
	require.Equal(t, []any{"bill", f.billing, "billing", explain.Waiting}, []any{billing.At, billing.Run, billing.Saga, billing.Standing})
	require.Equal(t, []any{"pay", f.payment, "payment", 2, explain.Stuck, "charge"}, []any{payment.At, payment.Run, payment.Saga, payment.Version, payment.Standing, payment.Step})
	for _, l := range why.Chain {
		run, err := f.Describe(t.Context(), l.Run)
		require.NoError(t, err)
		require.Equal(t, run.Revision, l.Revision, "each run has its own")
	}
	require.NotZero(t, payment.Wait.Failed)
	require.NotEmpty(t, payment.Wait.Incident)
	require.Contains(t, why.Lever(explain.ActRetry).Off, "the stuck run is "+f.payment.String())

	own, err := f.Why(t.Context(), f.payment)
	require.NoError(t, err)
	require.Equal(t, explain.Stuck, own.Standing)
	require.Empty(t, own.Chain)
	require.Empty(t, own.Lever(explain.ActRetry).Off)
}

// TestTheChainEndsWhereTheReaderMayNotLook: a token for some sagas learns nothing of the others.
func TestTheChainEndsWhereTheReaderMayNotLook(t *testing.T) {
	t.Parallel()
	f := newFamily(t)
	l, err := f.Look(t.Context(), f.billing)
	require.NoError(t, err)
	l.Sees = func(saga string) bool { return saga == "billing" }
	why := l.Why(t.Context(), f.Now())
	require.Len(t, why.Chain, 1)
	require.True(t, why.Chain[0].Unseen)
	require.Empty(t, why.Chain[0].Saga)
	require.NotContains(t, why.Text, "card gone")
	require.NotContains(t, why.Text, "payment")
	require.Equal(t, explain.Waiting, why.Standing)
}

// TestOneLookIsOfOneRevision: what it tells belongs together.
func TestOneLookIsOfOneRevision(t *testing.T) {
	t.Parallel()
	f := newFamily(t)
	l, err := f.Look(t.Context(), f.order)
	require.NoError(t, err)
	require.Equal(t, l.Run.Revision, l.Why(t.Context(), f.Now()).Revision)
	require.Equal(t, l.Run.Revision, l.Undo(f.Now()).Revision)
}

// TestTheAlertOfAChildSaysWhoseChildItIs: whoever is called at night knows labels and parent.
func TestTheAlertOfAChildSaysWhoseChildItIs(t *testing.T) {
	t.Parallel()
	f := newFamily(t)
	a := <-f.told
	require.Equal(t, []any{saga.AlertStuck, f.payment, "payment"}, []any{a.Kind, a.Run, a.Saga})
	require.Equal(t, map[string]string{"tenant": "acme"}, a.Labels)
	require.Equal(t, &domain.ParentRef{Run: f.billing, Step: "pay", Root: f.order}, a.Parent)
}

// TestAWaitEndsWhereARunBelowIsStuck: only where that is asked for; the error names the run below,
// and a retry of it lets the run go on.
func TestAWaitEndsWhereARunBelowIsStuck(t *testing.T) {
	t.Parallel()
	f := newFamily(t)
	_, err := f.Wait(t.Context(), f.order, saga.OrStuckBelow())
	var stuck *saga.StuckError
	require.ErrorAs(t, err, &stuck)
	require.Equal(t, []any{f.payment, "charge"}, []any{stuck.Run, stuck.Step})
	require.NotEmpty(t, stuck.Incident)
	require.Equal(t, "card gone", stuck.Cause.Message)

	brief, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	_, err = f.Wait(brief, f.order)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	require.NoError(t, f.Abandon(t.Context(), f.order, "enough"))
	_, err = f.Wait(t.Context(), f.order, saga.OrStuckBelow())
	var abandoned *saga.AbandonedError
	require.ErrorAs(t, err, &abandoned)
}

// TestBulkReachesWhatIsStuckBelow: whoever selects a run by saga, key, label or name means the run
// below that keeps it from going on, too.
func TestBulkReachesWhatIsStuckBelow(t *testing.T) {
	t.Parallel()
	f := newFamily(t)
	reached := func(req saga.BulkRequest) (runs []domain.RunID) {
		req.DryRun = true
		report, err := f.Bulk(t.Context(), req)
		require.NoError(t, err)
		for _, r := range report.Results {
			runs = append(runs, r.Run)
		}
		return runs
	}
	for name, filter := range map[string]saga.BulkFilter{
		"saga": {Sagas: []string{"order"}}, "name": {Runs: []domain.RunID{f.billing}}, "key": {KeyPrefix: "k"},
		"label": {Labels: map[string]string{"tenant": "acme"}}, "action": {Sagas: []string{"order"}, Action: "charge"}, "itself": {Sagas: []string{"payment"}},
	} {
		require.Equal(t, []domain.RunID{f.payment}, reached(saga.BulkRequest{Act: saga.BulkRetry, Filter: filter}), name)
	}
	require.Empty(t, reached(saga.BulkRequest{Act: saga.BulkRetry, Filter: saga.BulkFilter{Sagas: []string{"other"}}}))
	require.Empty(t, reached(saga.BulkRequest{Act: saga.BulkRetry, Filter: saga.BulkFilter{Sagas: []string{"order"}, Action: "other"}}))
	require.Empty(t, reached(saga.BulkRequest{Act: saga.BulkRetry, Filter: saga.BulkFilter{Sagas: []string{"order"}, States: []domain.RunState{domain.RunIsStuck}}}), "order itself is not stuck")
	require.Empty(t, reached(saga.BulkRequest{Act: saga.BulkRetry, Filter: saga.BulkFilter{Sagas: []string{"order"}}, Within: []string{"order"}}))
	require.Equal(t, []domain.RunID{f.order}, reached(saga.BulkRequest{Act: saga.BulkCancel, Filter: saga.BulkFilter{Sagas: []string{"order"}}}), "a cancel is of the run itself")
}
