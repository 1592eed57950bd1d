package saga_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
)

// TestHeartbeatTimeoutLeavesUndosAndProbesAlone: an undo that is busy for minutes without a word, or
// with one at its beginning, ends by its own timeout only, and so does a probe.
func TestHeartbeatTimeoutLeavesUndosAndProbesAlone(t *testing.T) {
	for name, beats := range map[string]bool{"silent": false, "beats once": true} {
		t.Run(name, func(t *testing.T) {
			onEveryLog(t, func(r *rig) {
				busy := func(ctx context.Context) error {
					if beats {
						if err := saga.Heartbeat(ctx, "begun"); err != nil {
							return err
						}
						time.Sleep(11 * time.Second)
						if err := saga.Heartbeat(ctx, "going"); err != nil {
							return err
						}
					}
					select {
					case <-time.After(10 * time.Minute):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				a := r.act("a")
				a.HeartbeatTimeout, a.UndoTimeout = 30*time.Second, time.Hour
				inner := a.Undo
				a.Undo = func(ctx context.Context, did saga.Did[string, string]) error {
					if err := busy(ctx); err != nil {
						r.note(ctx, "undo cut short")
						return err
					}
					return inner(ctx, did)
				}
				b := r.act("b")
				b.HeartbeatTimeout, b.Timeout, b.Retry = 30*time.Second, time.Hour, saga.Retry{MaxAttempts: 1}
				b.Do = func(ctx context.Context, in string) (string, error) {
					r.note(ctx, "b")
					return "", saga.InDoubt(errModel)
				}
				b.Probe = func(ctx context.Context, in string) (saga.Probed[string], error) {
					if err := busy(ctx); err != nil {
						r.note(ctx, "probe cut short")
						return saga.Unknown[string](), err
					}
					r.note(ctx, "probe b")
					return saga.NotApplied[string](), nil
				}
				c := r.begin(saga.Config{}, chain("undoes", a, b))
				_, err := r.wait(start(r.t, c, chain("undoes", a, b), ""))
				require.ErrorAs(r.t, err, new(*saga.Compensated))
				require.Equal(r.t, []string{"a", "b", "probe b", "undo a"}, r.called())
			})
		})
	}
}
