package draw

import (
	"sort"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
)

// scale maps times to shares of the timeline's width. It squeezes long stretches in which no
// handler works, so that a run that worked for seconds and then waited for hours still shows its
// work.
type scale struct {
	from     time.Time
	pieces   []piece
	squeezed bool
}

// piece is a stretch of time that is mapped linearly.
type piece struct {
	from, to time.Time
	x, w     float64 // share of the width at which it begins, and that it takes
	squeezed bool
}

// A wait that is longer than squeezeAbove times the time of work is drawn as squeezeTo times that
// time.
const (
	squeezeAbove = 0.6
	squeezeTo    = 0.22
	squeezeFrom  = 2 * time.Second // shorter waits are never squeezed
)

// scale makes the scale of a history.
func (h *History) scale(linear bool) *scale {
	sc := &scale{from: h.from}
	if !h.to.After(h.from) {
		h.to = h.from.Add(time.Millisecond)
	}
	idle, busy := h.idle()
	limit := max(time.Duration(float64(busy)*squeezeAbove), squeezeFrom)
	at := h.from
	for _, g := range idle {
		if linear || busy == 0 || g.to.Sub(g.from) <= limit {
			continue
		}
		if g.from.After(at) {
			sc.pieces = append(sc.pieces, piece{from: at, to: g.from})
		}
		sc.pieces = append(sc.pieces, piece{from: g.from, to: g.to, squeezed: true})
		at, sc.squeezed = g.to, true
	}
	if h.to.After(at) {
		sc.pieces = append(sc.pieces, piece{from: at, to: h.to})
	}
	weight := func(p piece) float64 {
		if p.squeezed {
			return float64(busy) * squeezeTo
		}
		return float64(p.to.Sub(p.from))
	}
	var total, x float64
	for _, p := range sc.pieces {
		total += weight(p)
	}
	for i := range sc.pieces {
		sc.pieces[i].x = x
		sc.pieces[i].w = weight(sc.pieces[i]) / total
		x += sc.pieces[i].w
	}
	return sc
}

// idle returns the stretches in which no handler works, in order, and the total time in which one
// does.
func (h *History) idle() (gaps []piece, busy time.Duration) {
	var work []span
	for _, lane := range h.lanes {
		for _, s := range lane {
			if s.work {
				work = append(work, s)
			}
		}
	}
	sort.Slice(work, func(i, j int) bool { return work[i].from.Before(work[j].from) })
	at := h.from
	for _, s := range work {
		if s.from.After(at) {
			gaps = append(gaps, piece{from: at, to: s.from})
			at = s.from
		}
		if s.to.After(at) {
			busy += s.to.Sub(at)
			at = s.to
		}
	}
	if h.to.After(at) {
		gaps = append(gaps, piece{from: at, to: h.to})
	}
	return gaps, busy
}

// at maps a time to a share from 0 to 1.
func (sc *scale) at(t time.Time) float64 {
	i := sort.Search(len(sc.pieces), func(i int) bool { return !t.After(sc.pieces[i].to) })
	if i == len(sc.pieces) {
		return 1
	}
	p := sc.pieces[i]
	if !t.After(p.from) {
		return p.x
	}
	return p.x + p.w*float64(t.Sub(p.from))/float64(p.to.Sub(p.from))
}

// tick is a mark of the time axis; a squeezed stretch has one across its width.
type tick struct {
	X, W, Text string
	Squeezed   bool
	// Odd ticks are left out on narrow screens.
	Odd bool
}

// nice are the steps of the axis.
var nice = []time.Duration{time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second,
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
	6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour}

// ticksWanted is the number of ticks for the whole width. tickRoom is the share of the width that a
// label takes, narrowRoom that on a narrow screen.
const (
	ticksWanted = 9
	tickRoom    = 0.075
	narrowRoom  = 0.15
)

func (sc *scale) ticks() []tick {
	var shown time.Duration
	share := 0.0
	for _, p := range sc.pieces {
		if !p.squeezed {
			shown += p.to.Sub(p.from)
			share += p.w
		}
	}
	step := nice[len(nice)-1]
	for _, n := range nice {
		if float64(shown)/float64(n) <= ticksWanted*share+1 {
			step = n
			break
		}
	}
	var out []tick
	free, shownTicks := 0.0, 0
	for n, p := range sc.pieces {
		if p.squeezed {
			out = append(out, tick{X: Percent(p.x), W: Percent(p.w), Text: format.Took(p.to.Sub(p.from)), Squeezed: true})
			free = p.x + p.w
			continue
		}
		if n > 0 && (p.w >= tickRoom || n == len(sc.pieces)-1 && p.x+tickRoom/2 < 1) {
			// What comes right after a squeezed stretch is far from the last label.
			out = append(out, tick{X: Percent(p.x), Text: "+" + format.Took(p.from.Sub(sc.from))})
			free = p.x + tickRoom
		}
		first := (p.from.Sub(sc.from) + step - 1) / step * step
		for off := first; !sc.from.Add(off).After(p.to) && len(out) < 100; off += step {
			x := sc.at(sc.from.Add(off))
			end := p.x + p.w
			if x < free || x+tickRoom > end {
				continue
			}
			text := "+" + format.Round(off)
			if off == 0 {
				text = "0"
			}
			out = append(out, tick{X: Percent(x), Text: text, Odd: shownTicks%2 == 1 || x+narrowRoom > end})
			shownTicks++
			free = x + tickRoom
		}
	}
	return out
}
