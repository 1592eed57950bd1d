package memlog_test

import (
	"context"
	"iter"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

func TestPositionsHaveGapsAndOnlyAnEventsOwnIsTaken(t *testing.T) {
	t.Parallel()
	ctx, log := context.Background(), memlog.New()
	given := map[domain.Position]bool{0: true, domain.EndPosition: true}
	last := domain.Position(0)
	for i := range 5 {
		at, err := log.Append(ctx, "s", domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: "t", Data: make([]byte, i)})
		require.NoError(t, err)
		require.Greater(t, at.Position, last+1, "no gap")
		given[at.Position], last = true, at.Position
	}
	for p := range last + 3 {
		want := domain.ErrBadPosition
		if given[p] {
			want = nil
		}
		require.ErrorIs(t, ended(log.ReadAll(ctx, p, domain.Filter{})), want, "read after %d", p)
		require.ErrorIs(t, ended(log.ReadAllBackward(ctx, p, domain.Filter{})), want, "read before %d", p)
		for _, err := range log.Subscribe(ctx, p, domain.Filter{}) {
			require.ErrorIs(t, err, want, "subscribe after %d", p)
			break
		}
	}
}

// ended returns the error that a read ends with.
func ended(events iter.Seq2[domain.Recorded, error]) (last error) {
	for _, err := range events {
		last = err
	}
	return last
}
