package saga

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// TestChildTurnedBackBeforeItsStartNeverRuns has the parent's word to undo a child overtake its word to
// start it, as two goroutines, or a crash between them, may.
func TestChildTurnedBackBeforeItsStartNeverRuns(t *testing.T) {
	t.Parallel()
	a := &Action[string, string]{Name: "a", Do: func(context.Context, string) (string, error) {
		t.Error("the child ran")
		return "", nil
	}, Undo: func(context.Context, Did[string, string]) error { return nil }}
	child := Define("child", 1, func(f *Flow, in Ref[string]) Ref[string] { return Do(f, a, in.In) })
	waits := Define("parent", 1, func(f *Flow, in Ref[string]) Ref[string] { return Await[string](f, "go") })
	c, err := New(Config{Log: memlog.New(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.Register(child, waits))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	parent, err := Start(t.Context(), c, waits, "")
	require.NoError(t, err)

	ch := childRef{parent: parent.ID, step: "child", run: domain.ChildRunID(parent.ID, "child"), saga: "child", version: 1, input: []byte(`"x"`), correlation: "c"}
	c.turnChildBack(ch, domain.Failure{Message: "the parent run turned back"})
	_, err = c.Wait(t.Context(), ch.run)
	for err != nil && !isCompensated(err) { // not there yet
		_, err = c.Wait(t.Context(), ch.run)
	}
	c.startChild(ch)
	stop()
	require.NoError(t, <-ended)
}

func isCompensated(err error) bool { _, ok := err.(*CompensatedError); return ok }
