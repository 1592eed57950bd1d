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

// TestAnInputHasWhatItsSchemaRequires and so has a signal whose await has a type.
func TestAnInputHasWhatItsSchemaRequires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	for _, path := range []string{"/sagas/signup/runs", "/actions/charge/invoke"} {
		for body, want := range map[string]string{"null": "with email, and none was given", "{}": "the input lacks email", `{"fail":"x"}`: "the input lacks email", `{"email":null}`: "the input lacks email"} {
			require.Contains(t, string(w.do("POST", path, body).problem(422, wire.ProblemBadInput).body), want, "%s %s", path, body)
		}
	}
	var run wire.Result
	w.do("POST", "/sagas/approval/runs", `{"email":""}`).is(202).into(&run)
	for _, body := range []string{`{"name":"approve"}`, `{"name":"approve","payload":null}`} {
		a := w.do("POST", "/runs/"+run.Run.String()+"/signal", body).problem(422, wire.ProblemBadInput)
		require.Contains(t, string(a.body), "the payload must be of the type string (text), and none was given")
	}
	w.do("POST", "/runs/"+run.Run.String()+"/signal", `{"name":"approve","payload":""}`).is(204)
	var ended wire.Result
	w.do("POST", "/sagas/signup/runs?wait=10s", form{Email: "ada"}).is(200).into(&ended)
	require.Contains(t, string(w.do("POST", "/runs/"+ended.Run.String()+"/start-again", `{"input":{}}`).problem(422, wire.ProblemBadInput).body), "the input lacks email")
}
