package lists

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// numbers draws rows in a few chunks, dense in some.
func numbers(t *rapid.T, name string) []int64 {
	one := rapid.Custom(func(t *rapid.T) int64 {
		return rapid.SampledFrom([]int64{0, 1, 7, 1000}).Draw(t, "chunk")*SetRows + rapid.Int64Range(0, SetRows-1).Draw(t, "row")
	})
	out := rapid.SliceOfN(one, 0, 50).Draw(t, name)
	if rapid.Bool().Draw(t, name+" dense") {
		for i := range int64(SetRows) {
			out = append(out, i+SetRows/2)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func reread(t require.TestingT, r Rows) Rows {
	out := make(Rows, len(r))
	for i := range r {
		out[i].Chunk = r[i].Chunk
		b := r[i].Bytes()
		require.LessOrEqual(t, len(b), SetRows/8)
		require.NoError(t, out[i].Unite(b))
	}
	return out
}

func TestSetsOfRowsAreSets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers(t, "a"), numbers(t, "b")
		x, y := reread(t, Of(a...)), reread(t, Of(b...))
		list := func(r Rows) []int64 { return slices.Collect(r.All()) }
		both, only := slices.Clone(a), slices.Clone(a)
		both = slices.DeleteFunc(both, func(n int64) bool { return !slices.Contains(b, n) })
		only = slices.DeleteFunc(only, func(n int64) bool { return slices.Contains(b, n) })
		require.Equal(t, a, append([]int64{}, list(x)...))
		require.Equal(t, both, append([]int64{}, list(x.And(y))...))
		require.Equal(t, only, append([]int64{}, list(x.Without(y))...))
		slices.Reverse(a)
		require.Equal(t, a, append([]int64{}, slices.Collect(x.Backward())...))
		require.Equal(t, b, append([]int64{}, list(y)...))
	})
}

func TestABlockKeepsItsNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 300), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0}))
		model := map[int]int64{}
		b, err := ReadBlock((&Has{}).Bytes(), (&Block{}).Bytes())
		require.NoError(t, err)
		for range rapid.IntRange(0, 30).Draw(t, "changes") {
			row, n, has := rapid.IntRange(0, BlockRows-1).Draw(t, "row"), value.Draw(t, "number"), rapid.IntRange(0, 3).Draw(t, "has") > 0
			old, had := model[row]
			require.Equal(t, had != has || has && old != n, b.Set(row, n, has))
			if has {
				model[row] = n
			} else {
				delete(model, row)
			}
		}
		numbers := b.Bytes()
		again, err := ReadBlock(b.Has.Bytes(), numbers)
		require.NoError(t, err)
		require.Equal(t, b.Has, again.Has)
		n, err := ReadNumbers(&b.Has, numbers)
		require.NoError(t, err)
		got := map[int]int64{}
		for row := range again.Has.All() {
			got[row] = again.Numbers[row]
			require.Equal(t, got[row], n.At(row))
		}
		require.Equal(t, model, got)
	})
}

func TestBrokenBytesAreErrors(t *testing.T) {
	t.Parallel()
	var s Set
	for _, b := range [][]byte{{1}, {0, 16}, make([]byte, 513), make([]byte, 514)} {
		require.Error(t, s.Unite(b), "%d bytes", len(b))
	}
	has := Has{1}
	for _, b := range [][]byte{nil, make([]byte, 8), {0, 0, 0, 0, 0, 0, 0, 0, 9, 1}, {0, 0, 0, 0, 0, 0, 0, 0, 1}} {
		_, err := ReadNumbers(&has, b)
		require.Error(t, err, "%v", b)
	}
	_, err := ReadHas(make([]byte, 127))
	require.Error(t, err)
}

func TestTermsAreShortAndTheirOwn(t *testing.T) {
	t.Parallel()
	long := string(make([]byte, 5000))
	require.Less(t, len(Term("a", long)), 600)
	require.NotEqual(t, Term("a", long), Term("a", long+"x"))
	require.NotEqual(t, Term("a", "b"), Term("b", "b"))
	require.NotEqual(t, Everything, Term("a", ""))
	for n := range 4 { // wherever it is cut
		require.True(t, utf8.ValidString(Term("a", strings.Repeat("x", n)+strings.Repeat("€", 300))))
	}
	require.Equal(t, "n=-5", Term("n", int64(-5)))
	require.Equal(t, "run=00ff", Term("run", []byte{0, 255}))
	from, to := Between("words", "ca")
	for _, w := range []string{"ca", "card", "caé", "ca\U0010FFFE"} {
		require.True(t, Term("words", w) >= from && Term("words", w) < to, w)
	}
	require.GreaterOrEqual(t, Term("words", "cb"), to)
}
