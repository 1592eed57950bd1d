package pebblelog_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestOneBatchMayWriteToMoreStreamsThanHeadsAreRemembered has appends to many streams wait for the
// committer at once, each stream several times: a head that is forgotten in the middle of a batch
// would be looked up where the batch is not written yet.
func TestOneBatchMayWriteToMoreStreamsThanHeadsAreRemembered(t *testing.T) {
	t.Parallel()
	const streams, rounds = 10, 50
	cfg := quiet()
	cfg.Heads = 1
	l := open(t, t.TempDir(), cfg)
	var waits []func() (domain.Appended, error)
	for round := range rounds {
		for s := range streams {
			expected := domain.Expected(round - 1)
			if s%2 == 1 {
				expected = domain.AnyRevision
			}
			waits = append(waits, l.BeginAppend(t.Context(), domain.MaxAppendSize, fmt.Sprint("s-", s), expected, event(10)))
		}
	}
	for i, wait := range waits {
		at, err := wait()
		require.NoError(t, err)
		require.Equal(t, uint64(i/streams), at.Revision)
	}
	for s := range streams {
		n := 0
		for e, err := range l.ReadStream(t.Context(), fmt.Sprint("s-", s), 0) {
			require.NoError(t, err)
			require.Equal(t, uint64(n), e.Revision)
			n++
		}
		require.Equal(t, rounds, n)
	}
}
