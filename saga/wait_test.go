package saga_test

import (
	"context"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// heldReads is a log whose next read of a run waits until it is let go, and then fails if told to.
type heldReads struct {
	domain.Log
	next chan error
}

func (h *heldReads) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		if strings.HasPrefix(stream, domain.RunPrefix) && h.next != nil {
			if err := <-h.next; err != nil {
				yield(domain.Recorded{}, err)
				return
			}
		}
		h.Log.ReadStream(ctx, stream, from)(yield)
	}
}

// TestWaitLearnsWhatAnotherCallFound begins to wait while another call reads the run: if that finds
// nothing, or fails, the waiter looks for itself and does not wait for ever.
func TestWaitLearnsWhatAnotherCallFound(t *testing.T) {
	for name, test := range map[string]struct {
		known bool
		first error
		want  error
	}{
		"no such run":          {false, nil, saga.ErrNotFound},
		"the first read fails": {true, errModel, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memlog.New())
				log := &heldReads{Log: r.plain}
				s := chain("known", r.act("a"))
				c := begin(t, log, saga.Config{}, s)
				id := uuid.New()
				if test.known {
					run := start(t, c, s, "")
					_, err := finished(t, run)
					require.NoError(t, err)
					id = run.ID
				}
				log.next = make(chan error)
				described, waited := make(chan error, 1), make(chan error, 1)
				go func() { _, err := c.Describe(t.Context(), id); described <- err }()
				synctest.Wait()
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					_, err := c.Wait(ctx, id)
					waited <- err
				}()
				synctest.Wait()
				log.next <- test.first
				require.Error(t, <-described)
				close(log.next)
				require.ErrorIs(t, <-waited, test.want)
			})
		})
	}
}
