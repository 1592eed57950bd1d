package projections

import "context"

// ValuesQuery asks which values a column with lists has.
type ValuesQuery struct {
	Table, Column string
	// Begins selects the values that begin so. The column is then Text or Texts.
	Begins string
	// Until, if not empty, cuts each value before that text, looked for behind Begins; each cut
	// value comes once.
	Until string
	// Limit bounds the values, which come in the order of their bytes; 0 means 1000.
	Limit int
	// Count counts the rows with each value for which all conditions of Where hold, without Until.
	// Where is for it alone: values without such a row come as well, with 0.
	Count bool
	Where []Cond
}

// Value is a value of a column, as text: numbers in decimal, bytes in hexadecimal digits.
type Value struct {
	Text string
	Rows int // 0 unless rows are counted
}

// Values returns the values of a column of any view. It fails with [ErrNoView] where the view is
// not there yet, and with [ErrNotCounted] where a condition of Where can't be told by lists alone.
func (r *Reader) Values(ctx context.Context, v *View, q ValuesQuery) ([]Value, error) {
	return r.store.Values(ctx, v, q)
}
