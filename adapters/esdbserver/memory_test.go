package esdbserver_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// peakHeap samples how much of the heap is in use until stop is called, which returns the most.
func peakHeap() (stop func() uint64) {
	var peak atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(done)
		<-ended
		return peak.Load()
	}
}

// One append of 100,000 tiny events must not cost every subscription a copy of it: not those whose
// clients do not read, nor those whose filter it does not match.
func TestIdleSubscriptionsCostLittleWhenMuchIsAppendedAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 20 s")
	}
	log, err := pebblelog.Open(t.TempDir(), pebblelog.Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	n := start(t, func(c *esdbserver.Config) { c.Log = log })
	conns := []*grpc.ClientConn{n.raw(), n.raw(), n.raw(), n.raw(), n.raw()}
	const subscribers = 500
	for i := range subscribers {
		option := allFromStart()
		if i%2 == 0 {
			option.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
				Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"none"}}},
				Window: &streams.ReadReq_Options_FilterOptions_Max{Max: 32}, CheckpointIntervalMultiplier: 1}}
		}
		_ = subscribeRaw(within(t), t, conns[i%len(conns)], option) // and never read again
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	stop := peakHeap()
	events := make([]domain.NewEvent, 100_000)
	for i := range events {
		events[i] = domain.NewEvent{ID: uuid.New(), Type: "T"}
	}
	last, err := log.Append(within(t), "much", domain.NoStream, events...)
	require.NoError(t, err)
	// One that reads gets it all, in spite of those that do not.
	reader := subscribeRaw(within(t), t, n.raw(), allFromStart())
	for {
		m, err := reader.Recv()
		require.NoError(t, err)
		if m.GetEvent().GetCommitPosition() == uint64(last.Position) {
			break
		}
	}
	used := stop() - before.HeapInuse
	t.Logf("%d subscriptions: %d MiB at most", subscribers, used>>20)
	require.Less(t, used, uint64(3<<30), "it was 6.6 GiB; the clients are in this process, too, and on a busy machine garbage stays for long")
}
