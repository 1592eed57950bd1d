package stats

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// Histogram counts durations in buckets that grow by a fourth of an octave (19%): a quantile read
// from it is at most that much too high. The zero value is empty.
type Histogram struct {
	// Counts has, for each bucket that is not empty, the number of durations in it.
	Counts map[int]int64
	// Count, Sum and Max are those of all durations.
	Count    int64
	Sum, Max time.Duration
}

// perOctave is how many buckets a doubling has; the first bucket holds everything up to 1 µs.
const perOctave = 4

// Add counts a duration; a negative one, from clocks that disagree, counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	if h.Counts == nil {
		h.Counts = make(map[int]int64)
	}
	b := 0
	if d > time.Microsecond {
		b = int(math.Ceil(perOctave * math.Log2(float64(d)/float64(time.Microsecond))))
	}
	h.Counts[b]++
	h.Count++
	h.Sum += d
	h.Max = max(h.Max, d)
}

// Merge adds another histogram to this one.
func (h *Histogram) Merge(o Histogram) {
	if h.Counts == nil {
		h.Counts = make(map[int]int64, len(o.Counts))
	}
	for b, n := range o.Counts {
		h.Counts[b] += n
	}
	h.Count += o.Count
	h.Sum += o.Sum
	h.Max = max(h.Max, o.Max)
}

// Bound returns the upper bound (inclusive) of a bucket.
func (h *Histogram) Bound(bucket int) time.Duration {
	return time.Duration(float64(time.Microsecond) * math.Exp2(float64(bucket)/perOctave))
}

// Buckets returns the numbers of the buckets that are not empty, in order.
func (h *Histogram) Buckets() []int {
	out := make([]int, 0, len(h.Counts))
	for b := range h.Counts {
		out = append(out, b)
	}
	slices.Sort(out)
	return out
}

// Quantile returns a duration that the given share of all durations (0 to 1) doesn't exceed; 0 when
// empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(h.Count)))
	for _, b := range h.Buckets() {
		if rank -= h.Counts[b]; rank <= 0 {
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

// encode writes the counts: "" where there are none. Keys are sorted, so equal histograms encode
// alike.
func (h *Histogram) encode() string {
	if len(h.Counts) == 0 {
		return ""
	}
	b, err := json.Marshal(h.Counts)
	if err != nil {
		panic("a map of numbers always marshals: " + err.Error())
	}
	return string(b)
}

func decodeHistogram(counts string, count, sum, most int64) (Histogram, error) {
	h := Histogram{Count: count, Sum: time.Duration(sum), Max: time.Duration(most)}
	if counts == "" {
		return h, nil
	}
	return h, json.Unmarshal([]byte(counts), &h.Counts)
}
