package projections

import "encoding/binary"

// beginPart is how many bytes of a text are compared as one number.
const beginPart = 8

// Beginning returns the first and the next 8 bytes of a text as numbers that sort as the bytes do;
// nil for what a shorter text does not have. Two columns of Ranges that hold them find texts by
// their beginnings, see [BeginsBy]: blocks of numbers that are alike take little room.
func Beginning(text string) (first, second any) {
	if text != "" {
		first, _ = beginNumbers(text)
	}
	if len(text) > beginPart {
		second, _ = beginNumbers(text[beginPart:])
	}
	return first, second
}

// BeginsBy returns the conditions that the text in the column begins with the prefix, where first
// and second have its [Beginning]. Of a longer prefix than these tell, the column is asked.
func BeginsBy(first, second, column, prefix string) (out []Cond) {
	rest := prefix
	for _, c := range []string{first, second} {
		from, to := beginNumbers(rest)
		out = append(out, Ge(c, from), Le(c, to))
		if len(rest) <= beginPart {
			return out
		}
		rest = rest[beginPart:]
	}
	return append(out, Begins(column, prefix))
}

// beginNumbers returns the smallest and the largest number of texts that begin with the prefix.
func beginNumbers(prefix string) (from, to int64) {
	lo, hi := [beginPart]byte{}, [beginPart]byte{}
	for i := range hi {
		hi[i] = 0xff
	}
	copy(lo[:], prefix)
	copy(hi[:], prefix)
	number := func(b [beginPart]byte) int64 { // in the order of the bytes
		return int64(binary.BigEndian.Uint64(b[:]) ^ 1<<63)
	}
	return number(lo), number(hi)
}
