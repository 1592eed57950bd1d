package saga_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// TestALogOfAnOlderProgramGoesOn opens a log that the program of commit c999109 was killed over,
// with runs of every step kind that had ended, were under way, in doubt, waiting or stuck, and
// brings each to its end with today's program and the same sagas. To write the log anew, copy the
// oldlog files into a checkout of that commit and run the test there with -write-old-log.
func TestALogOfAnOlderProgramGoesOn(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(oldLogDir); dir != "" {
		writeUntilKilled(t, dir)
	}
	if *writeOldLog {
		writeOldLogAnew(t)
	}
	dir, runs := openOldLog(t)
	w := newOldWorld(false)
	sagas := w.sagas()
	c, log := oldCoordinator(t, dir, sagas)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	runUntilCleanup(t, c)

	for _, r := range runs {
		t.Run(r.Saga+" "+r.Mode, func(t *testing.T) {
			if r.Key != "" {
				id, err := startOld(t.Context(), c, r.Saga, r.Mode)
				require.NoError(t, err, "a keyed start of a run that the old program started")
				require.Equal(t, r.ID, id, "a keyed start finds the old run")
			}
			v, err := c.Describe(t.Context(), r.ID)
			require.NoError(t, err)
			require.Empty(t, v.Blocked)
			if r.State.Ended() {
				require.Equal(t, r.State, v.State, "an ended run stays ended")
				if !strings.HasPrefix(r.Mode, "tell:") {
					require.Equal(t, r.Revision, v.Revision, "an ended run stays as it is")
				}
			}
		})
	}
	for _, r := range runs {
		if !r.State.Ended() {
			helpOldRun(t, c, r)
		}
	}
	_, err := c.EmitEvent(t.Context(), "payments-1", "old.paid", []byte(`{"id":"paid"}`), saga.EmitOptions{Correlation: "event"})
	require.NoError(t, err)
	for _, correlation := range []string{"signal", "waits"} {
		_, err := c.EmitEvent(t.Context(), "payments-1", "old.paid", []byte(`{"id":"paid"}`), saga.EmitOptions{Correlation: correlation})
		require.NoError(t, err)
	}
	for _, r := range runs {
		t.Run(r.Saga+" "+r.Mode+" ends", func(t *testing.T) {
			_, _ = saga.RunOf[oldOut](c, r.ID).Wait(t.Context())
			v, err := c.Describe(t.Context(), r.ID)
			require.NoError(t, err)
			require.Equal(t, endOfOldRun(r), v.State, "steps: %v", v.Steps)
			checkStream(t, log, r.ID)
			if r.Saga == "old-failing" && r.Mode == "charge:retry-late" {
				require.Zero(t, w.called(r.ID, "undo-charge"), "the old log says that the failed attempt had no effect")
				require.Equal(t, 1, w.called(r.ID, "undo-reserve"))
			}
		})
	}
}

// helpOldRun does what a person or a program does to a run that cannot go on by itself.
func helpOldRun(t *testing.T, c *saga.Coordinator, r oldRun) {
	t.Helper()
	ctx := t.Context()
	switch {
	case r.Saga == "old-order" && r.Mode == "charge:retry-late":
		require.NoError(t, c.Resume(ctx, r.ID, "the old program paused it"))
		require.NoError(t, c.Cancel(ctx, r.ID, "it would wait for years"))
	case r.Mode == "charge:retry-late", r.Mode == "planner:retry-late", r.Mode == "sleep":
		require.NoError(t, c.Cancel(ctx, r.ID, "it would wait for years"))
	case r.Mode == "undo-reserve:retry-late":
		require.NoError(t, c.Abandon(ctx, r.ID, "it would wait for years"))
	case r.Saga == "old-waits" && r.Mode != "event":
		require.NoError(t, c.Signal(ctx, r.ID, "go", "on"))
	}
	for path, phase := range r.Phases {
		if phase == machine.Stuck.String() || phase == machine.UndoStuck.String() {
			require.NoError(t, c.Retry(ctx, r.ID, path, "what failed is mended"))
		}
	}
}

// endOfOldRun is how a run of the old log ends today.
func endOfOldRun(r oldRun) domain.RunState {
	switch {
	case r.State.Ended():
		return r.State
	case r.Mode == "undo-reserve:retry-late":
		return domain.RunIsAbandoned
	case strings.Contains(r.Mode, "retry-late") && !strings.HasPrefix(r.Mode, "undo-"), r.Mode == "sleep":
		return domain.RunIsCancelled
	case r.Saga == "old-failing":
		return domain.RunIsCompensated
	}
	return domain.RunIsCompleted
}
