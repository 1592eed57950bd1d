package eventstoredb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest/badnet"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// roundTrip is what the way to a slow server takes, both ways.
const roundTrip = 2 * time.Millisecond

// slowServer serves the log in a directory, behind a proxy that adds roundTrip, prints its address
// and ends with its standard input.
func slowServer(args []string) error {
	log, err := pebblelog.Open(args[0], pebblelog.Config{Logger: silent})
	if err != nil {
		return err
	}
	server, err := esdbtest.Serve(esdbserver.Config{Log: log, Reserved: []string{}})
	if err != nil {
		return err
	}
	proxy, err := badnet.Start(badnet.Config{Target: server.Addr, Delay: roundTrip})
	if err != nil {
		return err
	}
	fmt.Println(proxy.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	proxy.Stop()
	return errors.Join(server.Stop(), log.Close())
}

// startSlow starts a server in a process of its own, so that the time of this one is the client's,
// and returns its connection string.
func startSlow(b *testing.B) string {
	b.Helper()
	server := killtest.Start(b, "slow", filepath.Join(b.TempDir(), "log"))
	b.Cleanup(func() { server.End(b) })
	address, err := server.Line()
	require.NoError(b, err, server.Stderr())
	return "esdb://" + address + "?tls=false"
}

// three is a run of three steps: four appends.
func three() *saga.Saga[job, job] {
	act := func(name string) *saga.Action[job, job] {
		return &saga.Action[job, job]{Name: name,
			Do:   func(_ context.Context, in job) (job, error) { return in, nil },
			Undo: func(context.Context, saga.Did[job, job]) error { return nil }}
	}
	a, b, c := act("one"), act("two"), act("three")
	return saga.Define("three", 1, func(f *saga.Flow, in saga.Ref[job]) saga.Ref[job] {
		saga.Do(f, a, in.In)
		saga.Do(f, b, in.In)
		return saga.Do(f, c, in.In)
	})
}

// sampled keeps the appends of one run, for those who do the same without a coordinator.
type sampled struct {
	domain.Log
	wanted atomic.Bool
	mu     sync.Mutex
	stream string
	sample [][]domain.NewEvent
}

// Append implements [domain.Log].
func (s *sampled) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	s.mu.Lock()
	if expected == domain.NoStream && s.wanted.CompareAndSwap(true, false) {
		s.stream = stream
	}
	if s.stream == stream {
		s.sample = append(s.sample, events)
	}
	s.mu.Unlock()
	return s.Log.Append(ctx, stream, expected, events...)
}

// withNewIDs returns the events as others.
func withNewIDs(batch []domain.NewEvent) []domain.NewEvent {
	events := append([]domain.NewEvent(nil), batch...)
	for i := range events {
		events[i].ID = uuid.New()
	}
	return events
}

func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// share has the callers do n things and reports how many a second, and the time that they cost this
// process.
func share(b *testing.B, callers, n int, one func() error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	began, cpu := time.Now(), processTime()
	for range callers {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := one(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "runs/s")
	b.ReportMetric((processTime()-cpu).Seconds()*1000/float64(n), "cpu-s/1000-runs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRuns measures runs of three steps on a server that is 2 ms away, and the same appends
// through the same client alone, which is their ceiling. Run it with -benchtime of a number of
// runs: 6000x.
func BenchmarkRuns(b *testing.B) {
	for _, callers := range []int{64, 256} {
		var sample [][]domain.NewEvent
		b.Run(fmt.Sprintf("coordinator/callers=%d", callers), func(b *testing.B) {
			log, err := eventstoredb.Open(eventstoredb.Config{Connection: startSlow(b), Logger: silent})
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, log.Close()) })
			s := &sampled{Log: log}
			c, err := saga.New(saga.Config{Log: s, Node: "bench", Shared: true, Logger: silent})
			require.NoError(b, err)
			def := three()
			require.NoError(b, c.Register(def))
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			<-c.Ready()
			one := func() error {
				r, err := saga.Start(ctx, c, def, job{N: 1, ID: "an order of some length, so that it is like others"})
				if err == nil {
					_, err = r.Wait(ctx)
				}
				return err
			}
			require.NoError(b, one())
			s.wanted.Store(true)
			require.NoError(b, one())
			s.mu.Lock()
			sample = s.sample
			s.mu.Unlock()
			share(b, callers, b.N, one)
			cancel()
			require.NoError(b, <-ended)
		})
		for name, unary := range map[string]bool{"batches": false, "calls": true} {
			b.Run(fmt.Sprintf("appends/%s/callers=%d", name, callers), func(b *testing.B) {
				log, err := eventstoredb.Open(eventstoredb.Config{Connection: startSlow(b), Logger: silent, UnaryAppends: unary})
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, log.Close()) })
				share(b, callers, b.N, func() error {
					return repeatAppends(context.Background(), log, sample)
				})
			})
		}
	}
}
