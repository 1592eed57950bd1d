package pebblelog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// BenchmarkAppend appends 2 events of 280 bytes at exact revisions, 4 times to each stream,
// as a saga's run does, from several writers. It reports the CPU time of the whole process
// for an append, its benchmark code included.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l := open(b, b.TempDir(), pebblelog.Config{})
			benchAppend(b, l, writers)
			s := l.Stats()
			b.ReportMetric(float64(s.Appends)/float64(s.Batches), "appends/batch")
		})
	}
}

// BenchmarkAppendNoSync is the cost of an append without the disk's share.
func BenchmarkAppendNoSync(b *testing.B) {
	l := open(b, b.TempDir(), pebblelog.Config{NoSync: true})
	benchAppend(b, l, 64)
}

func benchAppend(b *testing.B, l *pebblelog.Log, writers int) {
	template := eventsOf(2, 180)
	b.ReportAllocs()
	cpu := cpuTime(b)
	share(b, writers, func(n func() bool) error {
		events := append([]domain.NewEvent(nil), template...)
		stream, expected := "run-"+uuid.NewString(), domain.NoStream
		for n() {
			for i := range events {
				events[i].ID = uuid.New()
			}
			at, err := l.Append(context.Background(), stream, expected, events...)
			if err != nil {
				return err
			}
			if expected = domain.Expected(at.Revision); expected >= 7 {
				stream, expected = "run-"+uuid.NewString(), domain.NoStream
			}
		}
		return nil
	})
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkBaselineFile is the ceiling: the same writers hand 700 bytes each to one
// goroutine, which writes all that wait to a plain file and syncs it.
func BenchmarkBaselineFile(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "log"))
			require.NoError(b, err)
			defer f.Close()
			work := make(chan chan error, writers)
			go func() {
				line := make([]byte, 700)
				var buf []byte
				var waiting []chan error
				for first := range work {
					buf, waiting = append(buf[:0], line...), append(waiting[:0], first)
					for len(work) > 0 {
						buf, waiting = append(buf, line...), append(waiting, <-work)
					}
					_, err := f.Write(buf)
					if err == nil {
						err = syscall.Fdatasync(int(f.Fd()))
					}
					for _, w := range waiting {
						w <- err
					}
				}
			}()
			share(b, writers, func(n func() bool) error {
				done := make(chan error, 1)
				for n() {
					work <- done
					if err := <-done; err != nil {
						return err
					}
				}
				return nil
			})
			close(work)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}

// BenchmarkReadAll reads a log of 200,000 events, an op being an event.
func BenchmarkReadAll(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, 200_000)
	l := open(b, dir, pebblelog.Config{})
	b.ResetTimer()
	for n := 0; n < b.N; {
		for _, err := range l.ReadAll(b.Context(), 0, domain.Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			if n++; n == b.N {
				break
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSubscribe delivers live events to a subscriber, an op being an event.
func BenchmarkSubscribe(b *testing.B) {
	l := open(b, b.TempDir(), pebblelog.Config{NoSync: true})
	ended := make(chan error, 1)
	go func() {
		n := 0
		for d, err := range l.Subscribe(b.Context(), 0, domain.Filter{}) {
			if err != nil {
				ended <- err
				return
			}
			if d.Event != nil {
				n++
			}
			if n == b.N {
				break
			}
		}
		ended <- nil
	}()
	template := eventsOf(10, 180)
	b.ResetTimer()
	for n := 0; n < b.N; n += len(template) {
		for i := range template {
			template[i].ID = uuid.New()
		}
		if _, err := l.Append(b.Context(), "s", domain.Expected(n-1), template...); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, <-ended)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// fill writes a log of n events.
func fill(t testing.TB, dir string, n int) {
	l, err := pebblelog.Open(dir, pebblelog.Config{NoSync: true})
	require.NoError(t, err)
	for done := 0; done < n; done += 8 {
		_, err := l.Append(context.Background(), "run-"+uuid.NewString(), domain.NoStream, eventsOf(8, 180)...)
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
}

// share has the workers do b.N operations between them.
func share(b *testing.B, workers int, work func(next func() bool) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	errs := make([]error, workers)
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range workers {
		wg.Go(func() { errs[w] = work(func() bool { return left.Add(-1) >= 0 }) })
	}
	wg.Wait()
	b.StopTimer()
	for _, err := range errs {
		require.NoError(b, err)
	}
}

// cpuTime is the processor time that the process used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
