package pebblelog_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// appendUntilKilled appends from several goroutines, and prints each append after it was
// acknowledged: stream, last revision, position, and the id of the last event.
func appendUntilKilled(args []string) error {
	l, err := pebblelog.Open(args[0], quiet())
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				stream, expected := "run-"+uuid.NewString(), domain.NoStream
				for range 20 {
					events := eventsOf(3, 200)
					at, err := l.Append(context.Background(), stream, expected, events...)
					if err != nil {
						failed <- err
						return
					}
					expected = domain.Expected(at.Revision)
					fmt.Printf("%s %d %d %s\n", stream, at.Revision, at.Position, events[2].ID)
				}
			}
		}()
	}
	return <-failed
}

func TestKilledProcessLosesNothingThatItAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	type ack struct {
		stream   string
		revision uint64
		position domain.Position
		id       string
	}
	var acked []ack
	for round := range 6 {
		child := killtest.Start(t, "append", dir)
		for n := 0; ; n++ {
			line, err := child.Line()
			if err != nil && n > 300+200*round {
				break // it was killed
			}
			require.NoError(t, err, child.Stderr())
			var a ack
			_, err = fmt.Sscan(line, &a.stream, &a.revision, &a.position, &a.id)
			require.NoError(t, err, line)
			acked = append(acked, a)
			if n == 300+200*round {
				child.Kill(t)
			}
		}

		l, err := pebblelog.Open(dir, quiet())
		require.NoError(t, err)
		byPosition := make(map[domain.Position]domain.Recorded)
		for e, err := range l.ReadAll(t.Context(), 0, domain.Filter{}) {
			require.NoError(t, err)
			byPosition[e.Position] = e
		}
		for _, a := range acked {
			e := byPosition[a.position]
			stored := ack{e.Stream, e.Revision, e.Position, e.ID.String()}
			require.Equal(t, a, stored)
		}
		require.Zero(t, len(byPosition)%3, "an append is there whole or not at all")
		require.NoError(t, l.Close())
	}
	report, err := pebblelog.Verify(t.Context(), dir)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
}
