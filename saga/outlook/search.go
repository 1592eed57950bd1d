package outlook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
)

// search looks at everything that may follow from one act. Courses of events wait by how many
// surprises they have: so each end is found with the fewest. A state that was reached before is not
// looked at again.
type search struct {
	ctx  context.Context
	q    *Question
	act  Act
	most int
	// looked is how much was looked at, and states how many states that were.
	looked, states int
	waiting        [][]*course
	copied         int // steps of the states that wait
	seen           map[[sha256.Size]byte]bool
	ends           map[string]bool
	tokens         tokens
	buf            []byte
	// cut is why the search stopped early, and missed why it left something out.
	cut, missed error
}

func newSearch(ctx context.Context, q *Question, most int) *search {
	return &search{ctx: ctx, q: q, most: most, seen: make(map[[sha256.Size]byte]bool), ends: make(map[string]bool), tokens: newTokens(q.State)}
}

// from looks at what follows from an act.
func (x *search) from(a doable) {
	x.act = a.Act
	c := &course{s: x.q.State.Clone(), now: x.q.Now}
	if a.in != nil && !x.decide(c, a.in(&x.tokens)) {
		return
	}
	x.wait(c, 0)
	for n := 0; n < len(x.waiting); n++ {
		for len(x.waiting[n]) > 0 {
			c := x.waiting[n][0]
			x.waiting[n][0] = nil
			x.waiting[n] = x.waiting[n][1:]
			x.copied -= size(c.s)
			if x.cut != nil {
				continue
			}
			if c.then == nil || c.then(c) {
				x.play(c)
			}
		}
	}
	x.missed = cmp.Or(x.cut, x.missed)
	x.act.Cut = x.missed != nil
	slices.SortStableFunc(x.act.Ends, func(a, b End) int { return a.rank() - b.rank() })
	if ends := x.act.Ends; len(ends) == 1 && ends[0].If != "" && !x.act.Cut {
		ends[0].If = "whatever happens"
	}
}
