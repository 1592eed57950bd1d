package due_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/machine/internal/due"
)

// TestItemsComeInTheOrderOfTheirTimes plays joins and leaves, and compares with a sorted list.
func TestItemsComeInTheOrderOfTheirTimes(t *testing.T) {
	t.Parallel()
	const seed = 7
	rnd := rand.New(rand.NewPCG(seed, seed))
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	type entry struct {
		item *due.Item[int]
		at   time.Time
		seq  uint64
		of   int
	}
	var a, b due.Heap[int]
	var want []entry
	items := make([]due.Item[int], 40)
	for seq := uint64(1); seq < 3_000; seq++ {
		of := rnd.IntN(len(items))
		it := &items[of]
		want = slices.DeleteFunc(want, func(e entry) bool { return e.item == it })
		if rnd.IntN(3) == 0 {
			it.Leave()
		} else {
			h, at := &a, start.Add(time.Duration(rnd.IntN(10))*time.Second)
			if rnd.IntN(2) == 0 {
				h = &b
			}
			it.Join(h, of, at, seq)
			want = append(want, entry{it, at, seq, of})
		}
		require.Equal(t, len(want), a.Len()+b.Len(), "seed %d", seed)
		now := start.Add(time.Duration(rnd.IntN(12)-1) * time.Second)
		var by []int
		slices.SortFunc(want, func(x, y entry) int {
			if c := x.at.Compare(y.at); c != 0 {
				return c
			}
			return int(x.seq) - int(y.seq)
		})
		for _, e := range want {
			if !now.Before(e.at) {
				by = append(by, e.of)
			}
		}
		require.Equal(t, by, due.By(now, &a, &b), "seed %d, step %d", seed, seq)
		joined := slices.SortedFunc(slices.Values(want), func(x, y entry) int { return int(x.seq) - int(y.seq) })
		for i, of := range due.AsJoined(&a, &b) {
			require.Equal(t, joined[i].of, of, "seed %d, step %d", seed, seq)
		}
	}
	var next time.Time
	a.Each(func(_ int, at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	})
	require.Equal(t, next, a.Next())
	require.Zero(t, new(due.Heap[int]).Next())
}
