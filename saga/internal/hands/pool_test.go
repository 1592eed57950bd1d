package hands

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func (p *Pool) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

func TestNoFunctionWaitsForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p Pool
		defer p.Close()
		const n = 1_000
		var all sync.WaitGroup
		all.Add(n)
		for range n { // each returns only when all run
			p.Go(func() { all.Done(); all.Wait() })
		}
		all.Wait()
		synctest.Wait()
		require.Equal(t, maxIdle, p.waiting())
	})
}

func TestGoroutinesAreUsedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p Pool
		defer p.Close()
		for range 10 {
			p.Go(func() {})
			synctest.Wait()
			require.Equal(t, 1, p.waiting())
		}
		p.Go(runtime.Goexit)
		synctest.Wait()
		require.Zero(t, p.waiting(), "a goroutine that has ended takes no more work")
		done := false
		p.Go(func() { done = true })
		synctest.Wait()
		require.True(t, done)
	})
}

func TestNoGoroutineIsLeftAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it fails when goroutines are left at its end
		var p Pool
		release := make(chan struct{})
		for range 3 {
			p.Go(func() {})
			p.Go(func() { <-release })
		}
		synctest.Wait()
		p.Close()
		close(release)
		synctest.Wait()
		require.Zero(t, p.waiting())
		done := false
		p.Go(func() { done = true })
		synctest.Wait()
		require.True(t, done)
	})
}

func deep(n int) int {
	var pad [128]byte
	if n == 0 {
		return int(pad[0])
	}
	return deep(n-1) + int(pad[n%128])
}

// BenchmarkDepth sets a pool against go statements, for work of some depth.
func BenchmarkDepth(b *testing.B) {
	var p Pool
	for name, start := range map[string]func(func()){"pool": p.Go, "go": func(f func()) { go f() }} {
		b.Run(name, func(b *testing.B) {
			done := make(chan int)
			for b.Loop() {
				start(func() { done <- deep(60) })
				<-done
			}
		})
	}
}
