package nodes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAppendsShareAConnectionUntilItIsFull(t *testing.T) {
	t.Parallel()
	p := &Pool{Open: func() *Link { return &Link{} }, Limit: 2}
	pick := func(attempt int) *Link {
		l, err := p.Pick(attempt)
		require.NoError(t, err)
		return l
	}
	first := pick(0)
	first.Busy.Store(fullLink - 1)
	require.Same(t, first, pick(0))
	first.Busy.Store(fullLink)
	second := pick(0)
	require.NotSame(t, first, second)
	second.Busy.Store(fullLink)
	one, other := pick(0), pick(0)
	require.NotSame(t, one, other, "in turn when all are full")
	require.Len(t, p.links, 2)
	first.Busy.Store(0)
	require.Same(t, first, pick(0))
	require.NotSame(t, pick(1), pick(2), "repeated attempts try others")
}
