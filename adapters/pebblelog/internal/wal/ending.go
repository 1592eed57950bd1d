package wal

import (
	"bytes"
	"io"
)

// Ending is how a write-ahead log ends.
type Ending struct {
	// Closed says that the log is valid up to its trailer, as after an orderly end.
	Closed bool
	// Damaged says that the log is provably damaged, and At is where: the first place that is not
	// valid. A later chunk says that the file had been synced beyond that place, or the trailer of
	// an orderly end follows. Without such proof the place is taken for a torn end.
	Damaged bool
	At      int64
}

// endingOf walks over the blocks of the log with the number.
func endingOf(r io.Reader, number uint32) (Ending, error) {
	block := make([]byte, blockSize)
	invalid := int64(-1) // the first place that is not valid
	for start := int64(0); ; start += blockSize {
		n, err := io.ReadFull(r, block)
		if err == io.EOF {
			return Ending{}, nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return Ending{}, err
		}
		at := 0
		if invalid < 0 {
			var closed bool
			if at, closed = skipValid(block[:n], number); closed {
				return Ending{Closed: true}, nil
			}
			if at < 0 {
				continue
			}
			invalid = start + int64(at)
			at++
		}
		if proves(block[at:n], number, invalid) {
			return Ending{Damaged: true, At: invalid}, nil
		}
	}
}

// skipValid returns the offset of the first place in the block that is neither a valid chunk nor
// the padding at a block's end, -1 when there is none, and whether the log's trailer came first.
func skipValid(block []byte, number uint32) (at int, closed bool) {
	for at < len(block) {
		rest := block[at:]
		if isTrailer(rest, number) {
			return -1, true
		}
		size := chunkSize(rest, number)
		if size == 0 {
			if len(block) == blockSize && len(rest) < headerSize && len(bytes.Trim(rest, "\x00")) == 0 {
				return -1, false
			}
			return at, false
		}
		at += size
	}
	return -1, false
}

// proves looks for a chunk, at any offset, that was written after the place had been synced.
func proves(b []byte, number uint32, place int64) bool {
	for ; len(b) >= trailerSize; b = b[1:] {
		if isTrailer(b, number) {
			return true
		}
		if chunkSize(b, number) > 0 && syncedOffset(b) > uint64(place) {
			return true
		}
	}
	return false
}
