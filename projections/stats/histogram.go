package stats

import (
	"math"
	"slices"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// Histogram counts durations in buckets that grow by a quarter of an octave (19%), so a quantile is
// at most 19% too high. The zero value is empty.
type Histogram struct {
	sketch *ddsketch.DDSketch // nil when empty; in microseconds
	// Count, Sum and Max are those of all durations.
	Count    int64
	Sum, Max time.Duration
}

// buckets maps microseconds to buckets, four for each doubling.
var buckets = func() mapping.IndexMapping {
	m, err := mapping.NewLogarithmicMappingWithGamma(math.Exp2(1.0/4), 0)
	if err != nil {
		panic("a fourth of an octave is a growth that buckets can have: " + err.Error())
	}
	return m
}()

// open makes the sketch of an empty histogram.
func (h *Histogram) open() *ddsketch.DDSketch {
	if h.sketch == nil {
		h.sketch = ddsketch.NewDDSketchFromStoreProvider(buckets, store.DenseStoreConstructor)
	}
	return h.sketch
}

// Add counts a duration. A negative one, from clocks that differ, counts as 0. The first bucket
// holds everything up to 1 µs.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	if err := h.open().Add(max(1, float64(d)/float64(time.Microsecond))); err != nil {
		panic("every duration is within what buckets hold: " + err.Error())
	}
	h.Count++
	h.Sum += d
	h.Max = max(h.Max, d)
}

// Merge adds another histogram to this one.
func (h *Histogram) Merge(o Histogram) {
	if o.sketch != nil {
		if err := h.open().MergeWith(o.sketch); err != nil {
			panic("all histograms have the same buckets: " + err.Error())
		}
	}
	h.Count += o.Count
	h.Sum += o.Sum
	h.Max = max(h.Max, o.Max)
}

// Bound returns the upper bound of a bucket.
func (h *Histogram) Bound(bucket int) time.Duration {
	return time.Duration(math.Ceil(buckets.LowerBound(bucket+1) * float64(time.Microsecond)))
}

// Counts returns, for each bucket that is not empty, the number of durations in it.
func (h *Histogram) Counts() map[int]int64 {
	out := make(map[int]int64)
	if h.sketch != nil {
		h.sketch.GetPositiveValueStore().ForEach(func(bucket int, n float64) (stop bool) {
			out[bucket] = int64(n)
			return false
		})
	}
	return out
}

// Buckets returns the numbers of the buckets that are not empty, in order.
func (h *Histogram) Buckets() []int {
	counts := h.Counts()
	out := make([]int, 0, len(counts))
	for b := range counts {
		out = append(out, b)
	}
	slices.Sort(out)
	return out
}

// Quantile returns a duration that the given share of all durations (0 to 1) doesn't exceed; 0 when
// empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(h.Count)))
	counts := h.Counts()
	for _, b := range h.Buckets() {
		if rank -= counts[b]; rank <= 0 {
			return min(h.Bound(b), h.Max)
		}
	}
	return h.Max
}

// Mean returns the average; 0 when empty.
func (h *Histogram) Mean() time.Duration {
	if h.Count == 0 {
		return 0
	}
	return h.Sum / time.Duration(h.Count)
}

// encode returns the counts as bytes, nil if there are none. Equal histograms have equal bytes.
func (h *Histogram) encode() []byte {
	if h.sketch == nil {
		return nil
	}
	var b []byte
	h.sketch.Encode(&b, true)
	return b
}

func decodeHistogram(counts []byte, count, sum, most int64) (h Histogram, err error) {
	h = Histogram{Count: count, Sum: time.Duration(sum), Max: time.Duration(most)}
	if len(counts) > 0 {
		h.sketch, err = ddsketch.DecodeDDSketch(counts, store.DenseStoreConstructor, buckets)
	}
	return h, err
}
