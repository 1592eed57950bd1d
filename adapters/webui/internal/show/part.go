package show

// PartSize bounds the rows of a tab besides the timeline.
const PartSize = 250

// Part says which of many rows are shown: from First, counted from 0, up to Last.
type Part struct {
	First, Last, Total int
	More               bool
}

// PartOf cuts out the rows that are shown; the part is nil where these are all.
func PartOf[T any](rows []T, from int) ([]T, *Part) {
	if len(rows) <= PartSize {
		return rows, nil
	}
	from = min(from, len(rows)-1)
	to := min(from+PartSize, len(rows))
	return rows[from:to], &Part{First: from, Last: to, Total: len(rows), More: to < len(rows)}
}
