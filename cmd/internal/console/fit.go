package console

import "slices"

// span is a column of a table and the widths that it may have.
type span struct {
	// full is the width of the full text; short that of the short form, or full if there is none.
	full, short int
	// least is the least width to which its text may be cut; full where it is not cut.
	least int
	// rank says which columns are hidden first: the highest. Those of rank 0 are never hidden.
	rank int
}

// gap is the space between two columns.
const gap = 2

// cramped is the width to which texts are cut if the table still does not fit.
const cramped = 10

// fit returns a width for each column so that the table fits into room; 0 hides a column. It first
// uses short forms, then cuts long texts, then hides columns. Columns that can be neither cut nor
// hidden may make the table wider than room.
func fit(room int, columns []span) []int {
	columns = slices.Clone(columns)
	widths := make([]int, len(columns))
	for i, s := range columns {
		widths[i] = s.full
	}
	if total(widths) <= room {
		return widths
	}
	for i, s := range columns {
		widths[i] = min(s.short, s.least)
	}
	for total(widths) > room {
		last := -1
		for i, s := range columns {
			if widths[i] > 0 && s.rank > 0 && (last < 0 || s.rank >= columns[last].rank) {
				last = i
			}
		}
		if last < 0 {
			break
		}
		widths[last] = 0
	}
	if total(widths) > room {
		for i, s := range columns {
			if widths[i] > 0 && s.least < s.full {
				widths[i] = min(widths[i], cramped)
			}
		}
	}
	// The room that is left over goes to the cut texts, then to the short forms.
	for _, cut := range []bool{true, false} {
		for again := true; again; {
			again = false
			for i, s := range columns {
				want := s.full
				if widths[i] == 0 || widths[i] == want || (s.least < s.full) != cut {
					continue
				}
				if !cut { // a short form becomes the full one, or stays
					if left := room - total(widths); left >= want-widths[i] {
						widths[i] = want
					}
				} else if total(widths) < room {
					widths[i]++
					again = true
				}
			}
		}
	}
	return widths
}

// total is the width of a table.
func total(widths []int) int {
	n := 0
	for _, w := range widths {
		if w > 0 {
			n += w + gap
		}
	}
	return max(0, n-gap)
}
