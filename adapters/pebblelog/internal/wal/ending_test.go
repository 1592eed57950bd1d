package wal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
)

// chunk is a whole record, written when the file had been synced up to the offset.
func chunk(number uint32, synced uint64, payload string) []byte {
	b := make([]byte, headerSize, headerSize+len(payload))
	binary.LittleEndian.PutUint16(b[4:], uint16(len(payload)))
	b[6] = firstType
	binary.LittleEndian.PutUint32(b[7:], number)
	binary.LittleEndian.PutUint64(b[11:], synced)
	b = append(b, payload...)
	crc := crc32.Checksum(b[6:], castagnoli)
	binary.LittleEndian.PutUint32(b, (crc>>15|crc<<17)+0xa282ead8)
	return b
}

func trailer(number uint32) []byte {
	b := make([]byte, trailerSize)
	b[6] = trailerType
	binary.LittleEndian.PutUint32(b[7:], number+1)
	return b
}

func TestAnEndingIsClosedTornOrDamaged(t *testing.T) {
	t.Parallel()
	first, second := chunk(7, 0, "first"), chunk(7, 24, "second")
	spoiled := bytes.Clone(first)
	spoiled[len(spoiled)-1] ^= 1
	for name, c := range map[string]struct {
		content []byte
		want    Ending
	}{
		"empty":                                    {nil, Ending{}},
		"a log that ended in order":                {bytes.Join([][]byte{first, second, trailer(7)}, nil), Ending{Closed: true}},
		"a log that stopped between records":       {bytes.Join([][]byte{first, second}, nil), Ending{}},
		"a torn record at the end":                 {bytes.Join([][]byte{first, second[:10]}, nil), Ending{}},
		"damage that a later record proves":        {bytes.Join([][]byte{spoiled, second}, nil), Ending{Damaged: true}},
		"damage that the trailer proves":           {bytes.Join([][]byte{first, second[:10], trailer(7)}, nil), Ending{Damaged: true, At: int64(len(first))}},
		"damage that no later record was to prove": {bytes.Join([][]byte{spoiled, chunk(7, 0, "second")}, nil), Ending{}},
		"a record of an earlier log":               {bytes.Join([][]byte{first, chunk(6, 99, "old")}, nil), Ending{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := endingOf(bytes.NewReader(c.content), 7)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func FuzzEnding(f *testing.F) {
	f.Add(append(chunk(1, 0, "a"), trailer(1)...))
	f.Add(append(chunk(1, 0, "a")[:5], chunk(1, 20, "b")...))
	f.Fuzz(func(t *testing.T, content []byte) {
		ending, err := endingOf(bytes.NewReader(content), 1)
		require.NoError(t, err)
		require.False(t, ending.Closed && ending.Damaged)
		require.Less(t, ending.At, int64(len(content)+1))
	})
}
