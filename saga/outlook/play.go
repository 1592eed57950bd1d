package outlook

import (
	"slices"
)

// play follows one course of events until nothing moves any more, and notes what it has come to.
// On its way it leaves courses behind in which the world answers otherwise.
func (x *search) play(c *course) {
	for {
		x.looked++
		if x.cut == nil && x.looked > x.most {
			x.cut = errMuch
		}
		if err := x.ctx.Err(); x.cut == nil && err != nil {
			x.cut = err
		}
		if x.cut != nil {
			return
		}
		if !x.settle(c) {
			return
		}
		// Once no courses are left behind, to compare states takes longer than it saves.
		if c.s.End == "" && !x.full() && !x.isNew(c) {
			return
		}
		if c.s.End != "" || !x.answered(c) && !x.passes(c) {
			x.note(c)
			return
		}
	}
}

// answered lets the world answer all that is open, and reports whether anything was.
func (x *search) answered(c *course) bool {
	open := x.openIn(c)
	kinds := kindsOf(open)
	for _, o := range kinds {
		for _, other := range o.others(x, c) {
			x.fork(c, 1, other.then, other.Answer)
		}
	}
	// In another order the run may come to another end: where something can't be undone, what is
	// answered before it counts.
	if len(kinds) > 1 && len(kinds) <= maxOrders {
		for _, first := range kinds {
			x.fork(c, 0, func(c *course) bool { return first.usual(x, c) }, first.told()...)
		}
	}
	moved := false
	for i := range open {
		c.answers = append(slices.Clip(c.answers), open[i].told()...)
		moved = open[i].usual(x, c) || moved
	}
	c.moved = c.moved || moved
	return moved
}

// maxOrders is up to how many kinds of open effects are answered in every order.
const maxOrders = 3

// passes lets time pass until something is due, and reports whether anything was.
func (x *search) passes(c *course) bool {
	due := c.s.Wake().Due
	if due.IsZero() {
		return false
	}
	return x.until(c, due)
}
