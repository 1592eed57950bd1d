package lists

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// BlockRows is how many rows one [Block] is about. BlocksInSet blocks are about the rows of one
// [Set].
const (
	BlockRows   = 1024
	BlocksInSet = SetRows / BlockRows
)

// Has says of the rows of a block which have a number.
type Has [BlockRows / 64]uint64

// Block has the numbers of 1,024 consecutive rows in one column.
type Block struct {
	Has     Has
	Numbers [BlockRows]int64
}

// Set gives a row its number, or takes it from it. It reports whether that is a change.
func (b *Block) Set(row int, number int64, has bool) bool {
	had := b.Has[row>>6]>>(row&63)&1 == 1
	if had == has && (!has || b.Numbers[row] == number) {
		return false
	}
	if has {
		b.Has[row>>6] |= 1 << (row & 63)
		b.Numbers[row] = number
	} else {
		b.Has[row>>6] &^= 1 << (row & 63)
	}
	return true
}

// Bounds returns the smallest and the largest number; ok is false where there is none.
func (b *Block) Bounds() (lo, hi int64, ok bool) {
	lo, hi = math.MaxInt64, math.MinInt64
	for row := range b.Has.All() {
		lo, hi, ok = min(lo, b.Numbers[row]), max(hi, b.Numbers[row]), true
	}
	return lo, hi, ok
}

// Len is how many rows have a number.
func (h *Has) Len() int {
	n := 0
	for _, w := range h {
		n += bits.OnesCount64(w)
	}
	return n
}

// All yields the rows in their order.
func (h *Has) All() func(func(int) bool) {
	return func(yield func(int) bool) {
		for at, w := range h {
			for ; w != 0; w &= w - 1 {
				if !yield(at<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Remove takes a row out.
func (h *Has) Remove(row int) { h[row>>6] &^= 1 << (row & 63) }

// Within takes out the rows that are not in the set, of which the block is the n-th quarter. It
// reports whether any are left.
func (h *Has) Within(s *Set, n int) bool {
	left := uint64(0)
	for i := range h {
		h[i] &= s[n*len(h)+i]
		left |= h[i]
	}
	return left != 0
}

// last returns the last of the rows, -1 if there are none.
func (h *Has) last() int {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i] != 0 {
			return i<<6 + bits.Len64(h[i]) - 1
		}
	}
	return -1
}

// Bytes returns the stored form: a bit for each row.
func (h *Has) Bytes() []byte {
	b := make([]byte, 0, BlockRows/8)
	for _, w := range h {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// ReadHas reads what [Has.Bytes] returned.
func ReadHas(b []byte) (h Has, err error) {
	if len(b) != BlockRows/8 {
		return h, fmt.Errorf("a block whose rows are told in %d bytes", len(b))
	}
	for i := range h {
		h[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return h, nil
}

// Bytes returns the stored form of the numbers: the smallest (8 bytes), a width (1 byte), and for
// each row, up to the last that has a number, how much larger its number is, in that many bytes.
func (b *Block) Bytes() []byte {
	lo, hi, _ := b.Bounds()
	width := (bits.Len64(uint64(hi)-uint64(lo)) + 7) / 8
	last := b.Has.last()
	out := make([]byte, 9+(last+1)*width)
	binary.LittleEndian.PutUint64(out, uint64(lo))
	out[8] = byte(width)
	for row := range b.Has.All() {
		d := uint64(b.Numbers[row]) - uint64(lo)
		for i := range width {
			out[9+row*width+i] = byte(d >> (8 * i))
		}
	}
	return out
}

// Numbers are those of a block in their stored form.
type Numbers []byte

// At returns the number of a row that has one.
func (n Numbers) At(row int) int64 {
	width := int(n[8])
	var d uint64
	for i := range width {
		d |= uint64(n[9+row*width+i]) << (8 * i)
	}
	return int64(binary.LittleEndian.Uint64(n) + d)
}

// ReadNumbers checks the stored form of the numbers; has says which rows have one.
func ReadNumbers(has *Has, b []byte) (Numbers, error) {
	last := has.last()
	if len(b) < 9 || b[8] > 8 || len(b) < 9+(last+1)*int(b[8]) {
		return nil, fmt.Errorf("a block of %d numbers in %d bytes", last+1, len(b))
	}
	return b, nil
}

// ReadBlock reads a block from the stored form of its two parts.
func ReadBlock(has, numbers []byte) (b Block, err error) {
	if b.Has, err = ReadHas(has); err != nil {
		return b, err
	}
	n, err := ReadNumbers(&b.Has, numbers)
	if err != nil {
		return b, err
	}
	for row := range b.Has.All() {
		b.Numbers[row] = n.At(row)
	}
	return b, nil
}
