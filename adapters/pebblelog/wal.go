package pebblelog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble's write-ahead log is blocks of 32 KiB, filled with chunks that do not cross
// blocks (github.com/cockroachdb/pebble/v2/record):
//
//	crc(4) size(2) type(1) log number(4) synced offset(8) payload
//
// all little-endian. The synced offset is up to where the file was synced when the chunk
// was written. A closed log ends with a trailer: crc 0, size 0, type 5, log number + 1.
const (
	walBlock       = 32 << 10
	walHeader      = 19
	walFirstType   = 9 // walSyncFullChunk; the types of first, middle and last chunk follow
	walLastType    = 12
	walShortHeader = 11
	walTrailerType = 5
)

// checkWAL finds damage in the newest write-ahead log that Pebble would take for the torn
// end that a power cut leaves, and would drop, with the acknowledged appends behind it. (In
// older logs, and where whole blocks follow the damage, Pebble refuses to open by itself.)
//
// At the first chunk that is not valid it looks on: a later chunk that says the file had
// been synced beyond that place, or the trailer of an orderly end, proves that the place
// was once whole.
func checkWAL(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	newest, number := newestWAL(names)
	if newest == "" {
		return nil
	}
	f, err := fs.Open(fs.PathJoin(dir, newest), vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	defer f.Close()
	offset, damaged, err := walDamage(f, uint32(number))
	if err != nil || !damaged {
		return err
	}
	return &CorruptionError{File: filepath.Base(newest), Offset: offset,
		Err: errors.New("a part of the write-ahead log that had been synced is not valid any more")}
}

// newestWAL returns the newest write-ahead log of these files, "" when there is none, and its number.
func newestWAL(names []string) (newest string, number uint64) {
	for _, name := range names {
		digits, isLog := strings.CutSuffix(name, ".log")
		if n, err := strconv.ParseUint(digits, 10, 64); isLog && err == nil && n >= number {
			newest, number = name, n
		}
	}
	return newest, number
}

// walDamage reports where the log is damaged, if it provably is.
func walDamage(r io.Reader, number uint32) (int64, bool, error) {
	block := make([]byte, walBlock)
	invalid := int64(-1) // the first place that is not valid
	for start := int64(0); ; start += walBlock {
		n, err := io.ReadFull(r, block)
		if err == io.EOF {
			return 0, false, nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return 0, false, err
		}
		at := 0
		if invalid < 0 {
			var ended bool
			if at, ended = walSkipValid(block[:n], number); ended {
				return 0, false, nil
			}
			if at < 0 {
				continue
			}
			invalid = start + int64(at)
			at++
		}
		if walProves(block[at:n], number, invalid) {
			return invalid, true, nil
		}
	}
}

// walSkipValid returns the offset of the first place in the block that is neither a valid
// chunk nor the padding at a block's end, -1 when there is none, and whether the log's
// trailer came first.
func walSkipValid(block []byte, number uint32) (at int, ended bool) {
	for at < len(block) {
		rest := block[at:]
		if walIsTrailer(rest, number) {
			return -1, true
		}
		size := walChunk(rest, number)
		if size == 0 {
			if len(block) == walBlock && len(rest) < walHeader && len(bytes.Trim(rest, "\x00")) == 0 {
				return -1, false
			}
			return at, false
		}
		at += size
	}
	return -1, false
}

// walProves looks for a chunk, at any offset, that was written after the place had been
// synced.
func walProves(b []byte, number uint32, place int64) bool {
	for ; len(b) >= walShortHeader; b = b[1:] {
		if walIsTrailer(b, number) {
			return true
		}
		if walChunk(b, number) > 0 && binary.LittleEndian.Uint64(b[11:]) > uint64(place) {
			return true
		}
	}
	return false
}

// walChunk returns the length of the valid chunk that b begins with, 0 when there is none.
func walChunk(b []byte, number uint32) int {
	if len(b) < walHeader || b[6] < walFirstType || b[6] > walLastType || binary.LittleEndian.Uint32(b[7:]) != number {
		return 0
	}
	size := walHeader + int(binary.LittleEndian.Uint16(b[4:]))
	if size > len(b) {
		return 0
	}
	crc := crc32.Checksum(b[6:size], castagnoli)
	if (crc>>15|crc<<17)+0xa282ead8 != binary.LittleEndian.Uint32(b) { // masked, as LevelDB does
		return 0
	}
	return size
}

func walIsTrailer(b []byte, number uint32) bool {
	return len(b) >= walShortHeader && b[6] == walTrailerType && binary.LittleEndian.Uint32(b[7:]) == number+1 &&
		binary.LittleEndian.Uint32(b) == 0 && binary.LittleEndian.Uint16(b[4:]) == 0
}
