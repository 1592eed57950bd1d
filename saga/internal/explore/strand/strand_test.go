package strand

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOneOfThemMoves(t *testing.T) {
	t.Parallel()
	var said []string
	var a, b Strand
	a.Start(func() {
		said = append(said, "a begins")
		a.Aside()
		said = append(said, "a ends")
	})
	b.Start(func() {
		said = append(said, "b begins")
		a.Resume()
		b.Aside()
		said = append(said, "b ends")
	})
	said = append(said, "between")
	b.Resume()
	require.Equal(t, []string{"a begins", "b begins", "a ends", "between", "b ends"}, said)
}

func TestACallThatExitsEndsItsCaller(t *testing.T) {
	t.Parallel()
	done := make(chan bool)
	go func() {
		defer close(done)
		var s Strand
		s.Start(func() { s.Aside(); runtime.Goexit() })
		s.Resume()
		done <- true
	}()
	require.False(t, <-done, "it goes on")
}
