package lists

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
)

// Part has rows of one chunk: of the [SetRows] rows from number Chunk × [SetRows] on.
type Part struct {
	Chunk int64
	Set
}

// Rows is a set of rows, in the order of their chunks; no part is empty.
type Rows []Part

// Split returns the chunk that a row is in, and which of the chunk's rows it is.
func Split(row int64) (chunk int64, at int) { return row / SetRows, int(row % SetRows) }

// Of returns the rows with those numbers.
func Of(numbers ...int64) (r Rows) {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	for _, n := range numbers {
		chunk, at := Split(n)
		if len(r) == 0 || r[len(r)-1].Chunk != chunk {
			r = append(r, Part{Chunk: chunk})
		}
		r[len(r)-1].Add(at)
	}
	return r
}

// And returns the rows that are in both.
func (r Rows) And(o Rows) Rows {
	out := make(Rows, 0, min(len(r), len(o)))
	for i, j := 0, 0; i < len(r) && j < len(o); {
		switch {
		case r[i].Chunk < o[j].Chunk:
			i++
		case r[i].Chunk > o[j].Chunk:
			j++
		default:
			p, some := Part{Chunk: r[i].Chunk}, uint64(0)
			for w := range p.Set {
				p.Set[w] = r[i].Set[w] & o[j].Set[w]
				some |= p.Set[w]
			}
			if some != 0 {
				out = append(out, p)
			}
			i, j = i+1, j+1
		}
	}
	return out
}

// Or returns the rows that are in one of the sets.
func (r Rows) Or(o Rows) Rows {
	both := slices.Concat(r, o)
	slices.SortFunc(both, func(a, b Part) int { return cmp.Compare(a.Chunk, b.Chunk) })
	return both.Merged()
}

// Without returns the rows that are not in the other set.
func (r Rows) Without(o Rows) Rows {
	out := make(Rows, 0, len(r))
	for i, j := 0, 0; i < len(r); i++ {
		for j < len(o) && o[j].Chunk < r[i].Chunk {
			j++
		}
		p, some := r[i], uint64(0)
		for w := range p.Set {
			if j < len(o) && o[j].Chunk == p.Chunk {
				p.Set[w] &^= o[j].Set[w]
			}
			some |= p.Set[w]
		}
		if some != 0 {
			out = append(out, p)
		}
	}
	return out
}

// All yields the numbers of the rows in their order.
func (r Rows) All() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i := range r {
			for at, w := range r[i].Set {
				for ; w != 0; w &= w - 1 {
					if !yield(r[i].Chunk*SetRows + int64(at<<6+bits.TrailingZeros64(w))) {
						return
					}
				}
			}
		}
	}
}

// Backward yields the numbers of the rows, the largest first.
func (r Rows) Backward() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i := len(r) - 1; i >= 0; i-- {
			for at := len(r[i].Set) - 1; at >= 0; at-- {
				for w := r[i].Set[at]; w != 0; {
					bit := bits.Len64(w) - 1
					if !yield(r[i].Chunk*SetRows + int64(at<<6+bit)) {
						return
					}
					w &^= 1 << bit
				}
			}
		}
	}
}

// With appends the rows of a block; see [Rows.Merged].
func (r Rows) With(block int64, has *Has) Rows {
	p := Part{Chunk: block / BlocksInSet}
	copy(p.Set[int(block%BlocksInSet)*len(has):], has[:])
	return append(r, p)
}

// Merged joins neighbouring parts of the same chunk and drops empty ones.
func (r Rows) Merged() (out Rows) {
	for i := range r {
		if r[i].Set == (Set{}) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Chunk == r[i].Chunk {
			for w := range r[i].Set {
				out[n-1].Set[w] |= r[i].Set[w]
			}
			continue
		}
		out = append(out, r[i])
	}
	return out
}
