package saga_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// Registrations moved from saga-NAME to atone-saga-NAME. Those that older programs wrote are
// read as before, and what an app keeps in a stream of the old name is the app's.
func TestRegistrationsOfOlderProgramsAreStillRead(t *testing.T) {
	t.Parallel()
	a := &saga.Action[string, string]{Name: "a", Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return in, nil }}
	b := &saga.Action[string, string]{Name: "b", Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return in, nil }}
	old := chain("grows", a)
	plan, err := old.Plan()
	require.NoError(t, err)
	log := memlog.New()
	write := func(eventType, data string) {
		_, err := log.Append(t.Context(), "saga-grows", domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: eventType, Data: []byte(data)})
		require.NoError(t, err)
	}
	write("app.saga.told", "no JSON")
	write("saga.registered.v1", fmt.Sprintf(`{"version":1,"plan":%q}`, plan.Hash()))

	registered := func() (n int) {
		for _, err := range log.ReadStream(t.Context(), "atone-saga-grows", 0) {
			require.NoError(t, err)
			n++
		}
		return n
	}
	run := func(s saga.AnySaga) error {
		c, err := saga.New(saga.Config{Log: log})
		require.NoError(t, err)
		require.NoError(t, c.Register(s))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		select {
		case err := <-ended:
			return err
		case <-c.Ready():
			stop()
			return <-ended
		}
	}
	require.NoError(t, run(old))
	require.Zero(t, registered(), "it is known already")
	require.ErrorIs(t, run(chain("grows", a, b)), saga.ErrPlanChanged)

	require.NoError(t, run(chain("new", a)))
	for e, err := range log.ReadStream(t.Context(), "atone-saga-new", 0) {
		require.NoError(t, err)
		require.Equal(t, "saga.registered.v1", e.Type)
	}
	require.True(t, domain.ReservedStream("atone-saga-new"))
}
