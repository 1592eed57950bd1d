package recovery

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

// TestReadersOfTheLogShareTheList: readings that begin at or before the list's position, and go on
// in any order among each other, leave on it what one reading of the whole log would.
func TestReadersOfTheLogShareTheList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "events")
		all := make([]domain.Delivery, n)
		want := newList(0)
		for i := range all {
			at := domain.Position(10*i + 10)
			run := domain.RunIDForKey("s", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "run"))
			state := rapid.SampledFrom([]domain.RunState{domain.RunRunning, domain.RunIsStuck, domain.RunIsCompleted}).Draw(t, "state")
			e, _ := domain.Seal(domain.RunStream(run), uint64(i), domain.ChainHash{}, &domain.RunPaused{}, domain.Meta{Wake: domain.Wake{State: state}})
			all[i] = domain.Delivery{Position: at, Event: &domain.Recorded{NewEvent: e, Stream: domain.RunStream(run), Position: at}}
			want.Follow(all[i])
		}
		list := newList(0)
		readers := []int{0}
		for readers[0] < n {
			if list.position > 0 && len(readers) < 4 && rapid.Bool().Draw(t, "another") {
				readers = append(readers, rapid.IntRange(0, int(list.position)/10).Draw(t, "from"))
			}
			r := rapid.IntRange(0, len(readers)-1).Draw(t, "reader")
			if readers[r] < n {
				list.Follow(all[readers[r]])
				readers[r]++
			}
		}
		require.Equal(t, want.runs, list.runs)
		require.Equal(t, want.position, list.position)
	})
}
