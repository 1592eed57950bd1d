package lately

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// counted answers with how often it was asked.
func counted(n *int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { *n++; return *n, nil }
}

func TestAQuestionIsAskedOnceInAWhile(t *testing.T) {
	t.Parallel()
	var a Answer[int]
	var n int
	now := time.Now()
	require.Equal(t, 1, a.Get(t.Context(), now, counted(&n)))
	require.Equal(t, 1, a.Get(t.Context(), now.Add(every-1), counted(&n)))
	require.Equal(t, 2, a.Get(t.Context(), now.Add(every), counted(&n)))
	fails := func(context.Context) (int, error) { n++; return 99, errors.New("no view") }
	require.Equal(t, 2, a.Get(t.Context(), now.Add(2*every), fails))
	require.Equal(t, 2, a.Get(t.Context(), now.Add(3*every-1), counted(&n)), "the error counts as asked")
	require.Equal(t, 3, n)
	require.Panics(t, func() { a.Get(t.Context(), now.Add(4*every), func(context.Context) (int, error) { panic("a view") }) })
	require.Equal(t, 4, a.Get(t.Context(), now.Add(5*every), counted(&n)), "a panic ends the question")
	left, leave := context.WithCancel(t.Context())
	a.Get(left, now.Add(6*every), func(ctx context.Context) (int, error) { leave(); return 0, ctx.Err() })
	require.Equal(t, 5, a.Get(t.Context(), now.Add(6*every), counted(&n)), "a reader who leaves asks for nobody")
}

// TestNobodyWaitsForAQuestionThatHangs but the page that asks, and that for a second.
func TestNobodyWaitsForAQuestionThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a Answer[int]
		var n int
		require.Equal(t, 1, a.Get(t.Context(), time.Now(), counted(&n)))
		time.Sleep(every)
		begun, asker := time.Now(), make(chan int)
		go func() {
			asker <- a.Get(t.Context(), time.Now(), func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		}()
		synctest.Wait()
		require.Equal(t, 1, a.Get(t.Context(), time.Now(), counted(&n)))
		require.Zero(t, time.Since(begun))
		require.Equal(t, 1, <-asker)
		require.Equal(t, patience, time.Since(begun))
		require.Equal(t, 1, n, "the others did not ask")
	})
}
