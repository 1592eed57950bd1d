package definition_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/internal/definition"
)

// TestSomePayloadsMustBeGiven: those that would otherwise be made up.
func TestSomePayloadsMustBeGiven(t *testing.T) {
	t.Parallel()
	type all struct {
		N int `json:"n,omitempty"`
	}
	type some struct {
		N int `json:"n"`
	}
	require.True(t, definition.PayloadOf[some]().Wanted())
	require.True(t, definition.PayloadOf[string]().Wanted())
	require.True(t, definition.PayloadOf[float64]().Wanted())
	require.False(t, definition.PayloadOf[all]().Wanted())
	require.False(t, definition.PayloadOf[*some]().Wanted())
	require.False(t, definition.PayloadOf[[]string]().Wanted())
	require.False(t, definition.PayloadOf[any]().Wanted())
	require.False(t, definition.PayloadOf[struct{}]().Wanted())
}
