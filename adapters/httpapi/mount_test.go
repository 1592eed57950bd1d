package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
)

func TestMetricsNeedTheScopeReadAndThePageLearnsWhoAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true, adjust: func(c *httpapi.Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "atone_ready 1") })
		c.Page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, ok := auth.IdentityOf(r.Context())
			fmt.Fprint(w, id.Name, ok)
		})
	}})
	require.Equal(t, "atone_ready 1", string(w.do("GET", "/metrics", nil).is(200).body))
	w.as("").do("GET", "/metrics", nil).problem(401, wire.ProblemUnauthorized)
	w.as(w.token("shop", []auth.Scope{auth.Start})).do("GET", "/metrics", nil).problem(403, wire.ProblemForbidden)
	require.Equal(t, "roottrue", string(w.do("GET", "/ui/runs", nil).is(200).body))
	require.Equal(t, "false", string(w.as("").do("GET", "/", nil).is(200).body))
	bare := newWorld(t, worldConfig{})
	bare.do("GET", "/metrics", nil).problem(404, wire.ProblemNotFound)
	bare.do("GET", "/nothing/here", nil).problem(404, wire.ProblemNotFound)
}

func TestAPanicIsAProblemAndIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{adjust: func(c *httpapi.Config) {
		c.Page = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("card number 4242") })
	}})
	a := w.do("GET", "/ui", nil).problem(500, wire.ProblemInternal)
	require.NotContains(t, string(a.body), "4242")
}
