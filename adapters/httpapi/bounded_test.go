package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// unknownMembers is an object of n members that no operation knows.
func unknownMembers(n int) string {
	var b strings.Builder
	b.WriteString(`{"x":1`)
	for i := range n {
		fmt.Fprintf(&b, `,"member-%05d":%d`, i, i)
	}
	return b.String() + "}"
}

func manyParameters(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d=1&", i)
	}
	return b.String()
}

// TestNoRequestIsAnsweredWithManyTimesItsSize lengthens every list of errors that a client can.
func TestNoRequestIsAnsweredWithManyTimesItsSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	long := strings.Repeat("x", 50_000)
	id := w.waiting("approval").String()
	for name, c := range map[string]struct{ method, path, body string }{
		"members of a bulk request":  {"POST", "/bulk", unknownMembers(10_000)},
		"members of a filter":        {"POST", "/bulk", `{"act":"pause","filter":` + unknownMembers(10_000) + `}`},
		"labels of a wrong type":     {"POST", "/bulk", `{"act":"pause","filter":{"labels":` + unknownMembers(10_000) + `}}`},
		"items of a wrong type":      {"POST", "/bulk", `{"act":"pause","filter":{"sagas":[` + strings.Repeat("1,", 10_000) + `1]}}`},
		"runs that are no ids":       {"POST", "/bulk", `{"act":"pause","filter":{"runs":[` + strings.Repeat(`"x",`, 10_000) + `1]}}`},
		"a long name":                {"POST", "/bulk", `{"` + long + `":1}`},
		"a long value":               {"POST", "/bulk", `{"act":"` + long + `","filter":{}}`},
		"a member deep in a payload": {"POST", "/sagas/approval/runs", `{"` + long + `":1}`},
		"no JSON":                    {"POST", "/runs/" + id + "/signal", long},
		"a long step":                {"POST", "/runs/" + id + "/retry", `{"step":"` + long + `"}`},
		"unknown parameters":         {"GET", "/runs?" + manyParameters(5_000), ""},
		"a long parameter":           {"GET", "/runs?state=" + long, ""},
		"a long label":               {"GET", "/runs?label=" + long, ""},
		"a long path":                {"GET", "/" + long, ""},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		a := w.do(c.method, c.path, body)
		require.GreaterOrEqual(t, a.status, 400, name)
		require.Less(t, a.status, 500, name)
		require.Less(t, len(a.body), 16<<10, name)
		var p struct {
			Errors []struct{ Message, Location string }
		}
		a.into(&p)
		require.LessOrEqual(t, len(p.Errors), 11, "%s: ten, and how many there are", name)
		require.NotEqual(t, http.StatusInternalServerError, a.status, name)
	}
}

// TestAStrangersBodyIsTiny sends what took 3 GB of memory to answer.
func TestAStrangersBodyIsTiny(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	stranger := w.as("")
	a := stranger.do("POST", "/session", unknownMembers(5_000)).problem(http.StatusRequestEntityTooLarge, wire.ProblemTooLarge)
	require.Less(t, len(a.body), 1_000)
	a = stranger.do("POST", "/session", unknownMembers(150)).problem(http.StatusUnprocessableEntity, wire.ProblemBadInput)
	require.Less(t, len(a.body), 4_000)
	require.Contains(t, string(a.body), "more errors")
	stranger.do("POST", "/session", wire.Login{Token: w.bearer}).is(200)
}
