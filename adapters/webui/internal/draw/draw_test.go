package draw

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }

// spans makes a history of attempts, given as beginning and end in turn, in seconds.
func spans(end float64, times ...float64) *History {
	h := &History{from: noon, to: at(end), lanes: map[string][]span{}}
	for i := 0; i+1 < len(times); i += 2 {
		h.lanes["step"] = append(h.lanes["step"], span{from: at(times[i]), to: at(times[i+1]), work: true})
	}
	return h
}

func TestLongWaitsAreSqueezed(t *testing.T) {
	t.Parallel()
	sc := spans(6*3600, 0, 4, 5, 9).scale(false)
	require.True(t, sc.squeezed)
	require.InDelta(t, 0.84, sc.at(at(9)), 0.02, "nine seconds of work keep most of the width of six hours")
	require.InDelta(t, 1, sc.at(at(6*3600)), 1e-9)
	require.False(t, spans(6*3600, 0, 4).scale(true).squeezed, "the true scale squeezes nothing")
	require.False(t, spans(10, 0, 4, 5, 9).scale(false).squeezed, "short waits stay as they are")
	require.False(t, spans(3600).scale(false).squeezed, "where no handler worked, waiting is all there is")
}

func TestTheFirstLabelAfterASqueezedGapTellsHowLateItIs(t *testing.T) {
	t.Parallel()
	sc := spans(6*3600+30, 0, 20, 6*3600, 6*3600+30).scale(false)
	ticks := sc.ticks()
	for i, k := range ticks {
		if k.Squeezed {
			require.Equal(t, "+6h", ticks[i+1].Text)
			require.Equal(t, Percent(sc.at(at(6*3600))), ticks[i+1].X)
			return
		}
	}
	require.Fail(t, "nothing is squeezed")
}

// A rectangle without width is not drawn at all.
func TestNothingIsTooShortToBeSeen(t *testing.T) {
	t.Parallel()
	h := spans(72*3600, 0, 0.002, 100, 100)
	h.instant("step", at(200), "computed")
	for _, b := range h.bars("step", h.scale(true)) {
		w, err := strconv.ParseFloat(strings.TrimSuffix(b.W, "%"), 64)
		require.NoError(t, err)
		require.Positive(t, w, "%+v", b)
	}
}

func TestScaleNeverTurnsTimeRound(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var times []float64
		clock := 0.0
		for range r.IntN(12) {
			clock += r.ExpFloat64() * []float64{0.01, 1, 500}[r.IntN(3)]
			times = append(times, clock)
		}
		h := spans(clock+r.ExpFloat64()*100, times...)
		for _, linear := range []bool{true, false} {
			sc := h.scale(linear)
			last := -1.0
			for i := range 101 {
				x := sc.at(h.from.Add(h.to.Sub(h.from) / 100 * time.Duration(i)))
				require.GreaterOrEqual(t, x, last)
				require.LessOrEqual(t, x, 1+1e-9)
				last = x
			}
			right := -1.0
			for _, k := range sc.ticks() {
				x, err := strconv.ParseFloat(strings.TrimSuffix(k.X, "%"), 64)
				require.NoError(t, err)
				require.Greater(t, x, right, "ticks keep apart")
				right = x
			}
		}
	}
}

// shape draws a random plan.
func shape(r *rand.Rand, depth int, n *int) *domain.Node {
	*n++
	name := fmt.Sprintf("n%d", *n)
	kids := func() (out []*domain.Node) {
		for range r.IntN(4) {
			out = append(out, shape(r, depth-1, n))
		}
		return out
	}
	if depth > 0 {
		switch r.IntN(5) {
		case 0:
			return &domain.Node{Kind: domain.KindSequence, Children: kids()}
		case 1:
			return &domain.Node{Name: name, Kind: domain.KindParallel, Children: kids()}
		case 2:
			k := kids()
			return &domain.Node{Name: name, Kind: domain.KindSwitch, Children: k, Cases: []string{"a", "b", "c", "otherwise"}[:len(k)]}
		case 3:
			return &domain.Node{Name: name, Kind: domain.KindEach, Children: kids()}
		}
	}
	return &domain.Node{Name: name, Kind: domain.KindDo, Action: &domain.ActionSpec{Name: name, Effect: domain.EffectUndo}}
}

func TestNodesOfAPlanNeverOverlap(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		n := 0
		plan := &domain.Plan{Saga: "s", Version: 1, Root: &domain.Node{Kind: domain.KindSequence, Children: []*domain.Node{shape(r, 4, &n), shape(r, 4, &n)}}}
		require.NoError(t, plan.Index())
		g := Plan(plan, nil)
		for i, a := range g.Nodes {
			require.True(t, a.X >= 0 && a.Y >= 0 && a.X+a.W <= g.W && a.Y+a.H <= g.H, "%+v is outside of %dx%d", a, g.W, g.H)
			for _, b := range g.Nodes[i+1:] {
				apart := a.X+a.W <= b.X || b.X+b.W <= a.X || a.Y+a.H <= b.Y || b.Y+b.H <= a.Y
				require.True(t, apart, "%+v overlaps %+v", a, b)
			}
		}
		for _, e := range g.Edges {
			require.NotContains(t, e.D, "V-", "an arrow leads out of the drawing")
		}
	}
}
