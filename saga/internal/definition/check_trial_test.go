package definition

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAFunctionThatHangsIsRefused(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	b := newBuilder("s", 1)
	b.attempts = []attempt{{&step{key: "check"}, func(Scope) { <-hang }}}
	b.tryAll(time.Millisecond)
	require.Len(t, b.errs, 1)
	require.ErrorContains(t, b.errs[0], "check: its function did not return within 1ms")
}
