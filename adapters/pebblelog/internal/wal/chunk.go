package wal

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	blockSize   = 32 << 10
	headerSize  = 19
	firstType   = 9 // a whole record; the types of a record's first, middle and last chunk follow
	lastType    = 12
	trailerSize = 11
	trailerType = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunkSize returns the length of the valid chunk that b begins with, 0 when there is none.
func chunkSize(b []byte, number uint32) int {
	if len(b) < headerSize || b[6] < firstType || b[6] > lastType || binary.LittleEndian.Uint32(b[7:]) != number {
		return 0
	}
	size := headerSize + int(binary.LittleEndian.Uint16(b[4:]))
	if size > len(b) {
		return 0
	}
	crc := crc32.Checksum(b[6:size], castagnoli)
	if (crc>>15|crc<<17)+0xa282ead8 != binary.LittleEndian.Uint32(b) { // masked, as LevelDB does
		return 0
	}
	return size
}

// syncedOffset returns how far the file was synced when the chunk that b begins with was written.
func syncedOffset(b []byte) uint64 { return binary.LittleEndian.Uint64(b[11:]) }

func isTrailer(b []byte, number uint32) bool {
	return len(b) >= trailerSize && b[6] == trailerType && binary.LittleEndian.Uint32(b[7:]) == number+1 &&
		binary.LittleEndian.Uint32(b) == 0 && binary.LittleEndian.Uint16(b[4:]) == 0
}
