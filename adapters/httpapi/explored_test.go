package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/saga/evidence"
)

// exploration is a result of version 1 of a saga in which nothing is broken.
func exploration(plan string) string {
	return fmt.Sprintf(`{"version":1,"plan":%q,"build":{"revision":"0123"},"schedules":[1,9,40],"of":[9,40],"invariants":["<b>money</b> is conserved"]}`, plan)
}

// TestWhatExplorationsFoundIsToldOfTheSaga: to those who see it, and only a caller with all rights
// may say so.
func TestWhatExplorationsFoundIsToldOfTheSaga(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	info, err := w.c.Saga("signup", 0)
	require.NoError(t, err)
	told := func() wire.Saga {
		var s wire.Saga
		w.do("GET", "/sagas/signup", nil).is(http.StatusOK).into(&s)
		return s
	}
	require.Equal(t, "never explored", told().Explored.Text)

	path := "/sagas/signup/explorations"
	w.as(w.token("kim", []auth.Scope{auth.Operate})).do("POST", path, exploration(info.Hash)).is(http.StatusForbidden)
	bound := w.token("bo", []auth.Scope{auth.Admin, auth.Read}, "approval")
	require.GreaterOrEqual(t, w.as(bound).do("POST", path, exploration(info.Hash)).status, 400)
	w.do("POST", path, exploration("5f0c")).problem(http.StatusUnprocessableEntity, wire.ProblemBadInput)
	w.do("POST", path, `{"version":1,"plan":"`+info.Hash+`","build":{"revision":"0123","dirty":true},"schedules":[1,9,40],"of":[9,40]}`).problem(http.StatusUnprocessableEntity, wire.ProblemBadInput)
	w.do("POST", "/sagas/nobody/explorations", exploration(info.Hash)).problem(http.StatusNotFound, wire.ProblemUnknownSaga)
	require.Equal(t, "never explored", told().Explored.Text, "what was refused is not recorded")

	var done evidence.Explored
	w.do("POST", path, exploration(info.Hash)).is(http.StatusOK).into(&done)
	require.Equal(t, "root", done.By)
	require.Equal(t, "signup", done.Saga)
	s := told()
	require.Equal(t, "explored: 50 schedules, 0 broken, with build 0123", s.Explored.Text)
	require.Equal(t, []string{"<b>money</b> is conserved"}, s.Explored.Latest.Invariants)
	var all []wire.Saga
	w.do("GET", "/sagas", nil).is(http.StatusOK).into(&all)
	require.NotEmpty(t, all)
	for _, x := range all {
		require.NotNil(t, x.Explored, x.Name)
	}
}

func TestAServerWithoutEvidenceSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{adjust: func(c *httpapi.Config) { c.Evidence = nil }})
	var s wire.Saga
	w.do("GET", "/sagas/signup", nil).is(http.StatusOK).into(&s)
	require.Nil(t, s.Explored)
	w.do("POST", "/sagas/signup/explorations", exploration("aa")).is(http.StatusNotFound)
}
