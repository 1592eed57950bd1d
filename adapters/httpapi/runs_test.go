package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
)

func TestAStartedRunIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	var res wire.Result
	a := w.do("POST", "/sagas/signup/runs?wait=10s&label=tenant=acme", form{Email: "ann"}).is(200).into(&res)
	require.Equal(t, domain.RunIsCompleted, res.State)
	require.JSONEq(t, `{"id":"c-ann"}`, string(res.Output))
	require.Equal(t, "/runs/"+res.Run.String(), a.header.Get("Location"))

	var run wire.Run
	w.do("GET", "/runs/"+res.Run.String(), nil).is(200).into(&run)
	require.Equal(t, "acme", run.Labels["tenant"])
	require.Equal(t, "local", run.Actor)

	var page wire.Page[wire.RunItem]
	w.do("GET", fmt.Sprintf("/runs?label=tenant=acme&state=completed&at_least=%d", w.position()), nil).is(200).into(&page)
	require.Len(t, page.Items, 1)
	require.Equal(t, res.Run, page.Items[0].ID)
}
