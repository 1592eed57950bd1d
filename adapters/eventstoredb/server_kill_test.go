package eventstoredb_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// killedServer serves a log on disk, on the listener that it inherits, until it is killed.
func killedServer(args []string) error {
	log, err := pebblelog.Open(args[0], pebblelog.Config{Logger: silent})
	if err != nil {
		return err
	}
	server, err := esdbserver.New(esdbserver.Config{Log: log, Reserved: []string{}, Logger: silent})
	if err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	return server.Serve(context.Background(), listener)
}

// startServer starts a process that serves on the listener, which stays ours: nobody else gets its
// port between a kill and the next start.
func startServer(t *testing.T, dir string, listener *os.File) *killtest.Child {
	t.Helper()
	return killtest.StartWith(t, []*os.File{listener}, "server", dir)
}

// TestTheServerIsKilled kills a server process with -9 under eight writers and a subscriber. No
// caller sees an error, each acknowledged append is there once and where it was acknowledged,
// nothing else is there, and the subscriber gets everything once.
func TestTheServerIsKilled(t *testing.T) {
	t.Parallel()
	const writers, kills = 8, 8
	dir := filepath.Join(t.TempDir(), "log")
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer lis.Close()
	listener, err := lis.(*net.TCPListener).File()
	require.NoError(t, err)
	defer listener.Close()
	server := startServer(t, dir, listener)
	log := openLog(t, "esdb://"+lis.Addr().String()+"?tls=false")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	var acknowledged atomic.Int64
	appended := make([][]uuid.UUID, writers)
	failed := make(chan error, writers)
	enough := make(chan struct{})
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			expected := domain.NoStream
			for {
				select {
				case <-enough:
					return
				default:
				}
				e := domain.NewEvent{ID: uuid.New(), Type: "T", Data: []byte(`{}`)}
				done, err := log.Append(ctx, fmt.Sprintf("w-%d", w), expected, e)
				if err != nil {
					failed <- err
					return
				}
				expected = domain.Expected(done.Revision)
				appended[w] = append(appended[w], e.ID)
				acknowledged.Add(1)
			}
		})
	}
	seen := make(chan uuid.UUID, 1<<16)
	go func() {
		defer close(seen)
		for d, err := range log.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{"w-"}}) {
			if err == nil && d.Event != nil {
				seen <- d.Event.ID
			}
		}
	}()
	for range kills {
		enoughFor := acknowledged.Load() + 50
		require.Eventually(t, func() bool { return acknowledged.Load() >= enoughFor }, time.Minute, time.Millisecond, "appends go on")
		server.Kill(t)
		server = startServer(t, dir, listener)
	}
	close(enough)
	running.Wait()
	close(failed)
	require.NoError(t, <-failed)

	missing := map[uuid.UUID]bool{}
	for w, ids := range appended {
		var stored []uuid.UUID
		for e, err := range log.ReadStream(ctx, fmt.Sprintf("w-%d", w), 0) {
			require.NoError(t, err)
			stored = append(stored, e.ID)
			missing[e.ID] = true
		}
		require.Equal(t, ids, stored)
	}
	for len(missing) > 0 {
		id, ok := <-seen
		require.True(t, ok, "the subscription ended with %d events missing", len(missing))
		require.True(t, missing[id], "an event came twice, or is not in its stream")
		delete(missing, id)
	}
	cancel()
}
