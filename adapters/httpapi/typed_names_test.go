package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestErrorsNameRunsAsTheirCallerDid asks for runs that do not exist.
func TestErrorsNameRunsAsTheirCallerDid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	a := w.do(http.MethodGet, "/runs/signup:nobody", nil)
	require.Equal(t, http.StatusNotFound, a.status)
	require.Contains(t, string(a.body), "signup:nobody: no such run")
	a = w.do(http.MethodGet, "/runs/zzz", nil)
	require.Equal(t, http.StatusUnprocessableEntity, a.status)
	require.Contains(t, string(a.body), "not the name of a run")
}
