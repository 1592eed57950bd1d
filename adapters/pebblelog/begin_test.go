package pebblelog_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// Appends that were begun one after the other are written in that order, may be larger than every
// log has to take them, and are all there after the log was opened again.
func TestAppendsThatAreBegunKeepTheirOrderAndTheirSize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := pebblelog.Open(dir, pebblelog.Config{MemTableBytes: 1 << 20})
	require.NoError(t, err)
	const limit = 6 << 20
	large := bytes.Repeat([]byte("x"), 5<<20)
	event := func(data []byte) domain.NewEvent {
		return domain.NewEvent{ID: uuid.New(), Type: "T", Data: data, Binary: true}
	}
	var waits []func() (domain.Appended, error)
	for i := range 100 {
		waits = append(waits, log.BeginAppend(t.Context(), limit, "s", domain.Expected(i-1), event(fmt.Append(nil, i))))
	}
	waits = append(waits, log.BeginAppend(t.Context(), limit, "s", 99, event(large)))
	for i, wait := range waits {
		done, err := wait()
		require.NoError(t, err)
		require.EqualValues(t, i, done.Revision)
	}
	_, err = log.BeginAppend(t.Context(), limit, "s", domain.AnyRevision, event(append(large, large...)))()
	require.ErrorIs(t, err, domain.ErrTooLarge)
	_, err = log.Append(t.Context(), "s", domain.AnyRevision, event(large))
	require.ErrorIs(t, err, domain.ErrTooLarge, "the port's own limit stays")
	require.NoError(t, log.Close())

	log, err = pebblelog.Open(dir, pebblelog.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	n := 0
	for e, err := range log.ReadStream(t.Context(), "s", 0) {
		require.NoError(t, err)
		if n == 100 {
			require.Equal(t, large, e.Data)
		} else {
			require.Equal(t, fmt.Sprint(n), string(e.Data))
		}
		n++
	}
	require.Equal(t, 101, n)
}
