package program

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

// startsView is a program's own view: the keys of the runs that were started.
var startsView = projections.View{
	Name: "starts", Version: 1,
	Tables: []projections.Table{{Name: "starts", Columns: []projections.Column{{Name: "key", Type: projections.Text}}, Key: []string{"key"}}},
	New: func() projections.Applier {
		return projections.ApplyFunc(func(ctx context.Context, tx projections.Tx, events []projections.Event) error {
			for _, e := range events {
				if s, ok := e.Event.(*domain.RunStarted); ok {
					if err := tx.Put(ctx, "starts", projections.Row{s.Key}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	},
}

func TestAProgramHasItsOwnViewAndReachesTheLog(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	app.Views = []projections.View{startsView}
	readers := make(chan *projections.Reader, 1)
	app.Setup = func(ctx context.Context, s *Setup) error {
		note := domain.NewEvent{ID: uuid.New(), Type: "shop.opened", Data: []byte(`{}`)}
		if _, err := s.Log.Append(ctx, "shop", domain.AnyRevision, note); err != nil {
			return err
		}
		r, err := s.Views(ctx)
		readers <- r
		return err
	}
	url, _, stop := serving(t, app, dir)
	_, errs, code := remotely(t, "start", "calc", "-d", `{"n": 1}`, "--key", "first", "--wait", "-q", "--server", url)
	require.Equal(t, ExitOK, code, errs)
	r := <-readers
	eventually(t, func() bool {
		page, err := r.Rows(t.Context(), &startsView, projections.Query{Table: "starts"}, projections.Fresh{})
		return err == nil && len(page.Rows) == 1 && page.Rows[0][0] == "first"
	})
	out, errs, code := remotely(t, "projections", "status", "--server", url)
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, out, "starts ")
	out, errs, code = remotely(t, "events-are-not-a-command", "--server", url)
	require.Equal(t, ExitUsage, code, out+errs)
	require.Contains(t, get(t, url+"/events?type=shop.opened&latest=true&within=60s"), `"shop"`)
	stop()

	app.Setup = nil
	out, errs, code = prog(t, app, dir, "projections", "rebuild", "starts")
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, out, "starts ")
	out, errs, code = prog(t, app, dir, "projections", "rebuild", "--all")
	require.Equal(t, ExitOK, code, errs)
	require.Equal(t, len(views.All())+2, strings.Count(out, "\n"), out)
}

func TestAWorkerRunsTheActionsOfAServerElsewhere(t *testing.T) {
	t.Parallel()
	bus := gochannel.NewGoChannel(gochannel.Config{Persistent: true, OutputChannelBuffer: 64}, watermill.NopLogger{})
	defer bus.Close()
	var byWorker, byServer atomic.Int64
	app := func(worked *atomic.Int64) App {
		triple := &saga.Action[int, int]{Name: "triple", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) {
			worked.Add(1)
			return 3 * n, nil
		}}
		return App{Name: "prog", Actions: []saga.AnyAction{triple}, Setup: func(_ context.Context, s *Setup) error {
			s.Config.Publisher, s.Config.Subscriber, s.Config.NoWorker = bus, bus, !s.Worker
			require.Equal(t, s.Worker, s.Log == nil)
			return nil
		}}
	}
	ctx, interrupt := context.WithCancel(t.Context())
	var said lockedBuffer
	ended := make(chan Exit, 1)
	go func() {
		ended <- Run(ctx, app(&byWorker), []string{"worker", "--data="}, Streams{Out: &said, Err: &said})
	}()
	url, _, stop := serving(t, app(&byServer), t.TempDir())
	out, errs, code := remotely(t, "invoke", "triple", "-d", "7", "-q", "--timeout", "1m", "--server", url)
	require.Equal(t, ExitOK, code, errs)
	require.Equal(t, "21\n", out)
	require.EqualValues(t, 1, byWorker.Load())
	require.Zero(t, byServer.Load())
	stop()
	interrupt()
	require.Equal(t, ExitOK, <-ended, said.String())

	_, errs, code = prog(t, testApp(), t.TempDir(), "worker")
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs, "a worker needs a broker")
}
