package lists

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// SetRows is how many rows one [Set] is about.
const SetRows = 4096

// Set says of 4,096 rows, which have consecutive numbers, which are in it. The zero value is empty.
type Set [SetRows / 64]uint64

// Add puts a row in; it is below [SetRows].
func (s *Set) Add(row int) { s[row>>6] |= 1 << (row & 63) }

// Remove takes a row out.
func (s *Set) Remove(row int) { s[row>>6] &^= 1 << (row & 63) }

// And takes out the rows that are not in the other set; nil has none.
func (s *Set) And(o *Set) {
	if o == nil {
		*s = Set{}
		return
	}
	for i := range s {
		s[i] &= o[i]
	}
}

// Len is how many rows are in it.
func (s *Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Bytes returns the set in its stored form: up to 255 rows as two bytes each, more as a bit for
// each of the 4,096.
func (s *Set) Bytes() []byte {
	if n := s.Len(); n < SetRows/16 {
		b := make([]byte, 0, 2*n)
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				b = binary.LittleEndian.AppendUint16(b, uint16(i<<6+bits.TrailingZeros64(w)))
			}
		}
		return b
	}
	b := make([]byte, 0, SetRows/8)
	for _, w := range s {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// Unite puts in the rows of a set in its stored form.
func (s *Set) Unite(b []byte) error {
	if len(b) == SetRows/8 {
		for i := range s {
			s[i] |= binary.LittleEndian.Uint64(b[8*i:])
		}
		return nil
	}
	if len(b) > SetRows/8 || len(b)%2 != 0 {
		return fmt.Errorf("a set of %d bytes", len(b))
	}
	for ; len(b) > 0; b = b[2:] {
		row := int(binary.LittleEndian.Uint16(b))
		if row >= SetRows {
			return fmt.Errorf("row %d in a set of %d", row, SetRows)
		}
		s.Add(row)
	}
	return nil
}
