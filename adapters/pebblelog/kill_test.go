package pebblelog_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// childDirEnv makes the test binary a writer to the log in the directory that it names.
const childDirEnv = "ATONE_TEST_PEBBLELOG_CHILD"

// appendUntilKilled appends from several goroutines, and prints each append after it was
// acknowledged: stream, last revision, position, and the id of the last event.
func appendUntilKilled(dir string) {
	l, err := pebblelog.Open(dir, quiet())
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for range 8 {
		go func() {
			for {
				stream, expected := "run-"+uuid.NewString(), domain.NoStream
				for range 20 {
					events := eventsOf(3, 200)
					at, err := l.Append(context.Background(), stream, expected, events...)
					if err != nil {
						fmt.Println("error", err)
						os.Exit(1)
					}
					expected = domain.Expected(at.Revision)
					fmt.Printf("%s %d %d %s\n", stream, at.Revision, at.Position, events[2].ID)
				}
			}
		}()
	}
	select {} // until killed
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
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDirEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var a ack
			_, err := fmt.Sscan(lines.Text(), &a.stream, &a.revision, &a.position, &a.id)
			require.NoError(t, err, lines.Text())
			acked = append(acked, a)
			if n == 300+200*round {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait(), "the child ended by itself")

		l, err := pebblelog.Open(dir, quiet())
		require.NoError(t, err)
		byPosition := make(map[domain.Position]domain.Recorded)
		for e, err := range l.ReadAll(t.Context(), 0, domain.Filter{}) {
			require.NoError(t, err)
			byPosition[e.Position] = e
		}
		for _, a := range acked {
			e := byPosition[a.position]
			require.Equal(t, a, ack{e.Stream, e.Revision, e.Position, e.ID.String()})
		}
		require.Zero(t, len(byPosition)%3, "an append is there whole or not at all")
		require.NoError(t, l.Close())
	}
	report, err := pebblelog.Verify(t.Context(), dir)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
}
