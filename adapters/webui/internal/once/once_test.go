package once_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui/internal/once"
	"github.com/atonehq/atone/domain"
)

// sent sends a form to the book and returns the answer.
func sent(ctx context.Context, b *once.Book, person, path, fields string, do func(http.ResponseWriter, *http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(fields))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	b.Serve(person, w, r, do)
	return w
}

func TestAFormIsAnotherByPersonPathAndID(t *testing.T) {
	t.Parallel()
	var b once.Book
	n := 0
	do := func(w http.ResponseWriter, r *http.Request) {
		n++
		http.Redirect(w, r, "/runs/1?tab=plan&note=Started.", http.StatusSeeOther)
	}
	w := sent(t.Context(), &b, "ann", "/start", "once=1&a=1", do)
	require.Equal(t, "/runs/1?tab=plan&note=Started.", w.Header().Get("Location"))
	for _, fields := range []string{"once=1&a=1", "once=1&a=2"} {
		w = sent(t.Context(), &b, "ann", "/start", fields, do)
		to, err := url.Parse(w.Header().Get("Location"))
		require.NoError(t, err)
		require.Equal(t, http.StatusSeeOther, w.Code)
		require.Equal(t, url.Values{"tab": {"plan"}, "note": {once.Already}}, to.Query())
	}
	require.Equal(t, 1, n)
	sent(t.Context(), &b, "bob", "/start", "once=1&a=1", do)
	sent(t.Context(), &b, "ann", "/other", "once=1&a=1", do)
	sent(t.Context(), &b, "ann", "/start", "once=2&a=1", do)
	require.Equal(t, 4, n)
	sent(t.Context(), &b, "ann", "/start", "a=1", do)
	sent(t.Context(), &b, "ann", "/start", "a=1", do)
	require.Equal(t, 6, n, "a form without an id is carried out")
}

func TestAnAnswerIsGivenAgainOnlyWhereItIsKnownWhatBecameOfTheForm(t *testing.T) {
	t.Parallel()
	var b once.Book
	var left error
	n, status := 0, http.StatusInternalServerError
	do := func(w http.ResponseWriter, r *http.Request) {
		n++
		left = r.Context().Err()
		w.WriteHeader(status)
		_, _ = w.Write([]byte("answer"))
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	sent(gone, &b, "ann", "/start", "once=1", do)
	require.NoError(t, left, "it goes on though the browser has left")
	status = http.StatusConflict
	require.Equal(t, http.StatusConflict, sent(t.Context(), &b, "ann", "/start", "once=1", do).Code)
	require.Equal(t, 2, n, "an error tells nothing")
	require.Equal(t, "answer", sent(t.Context(), &b, "ann", "/start", "once=1", do).Body.String())
	require.Equal(t, 2, n, "a refusal of the same is the same")
	sent(t.Context(), &b, "ann", "/start", "once=1&more=1", do)
	require.Equal(t, 3, n, "what was refused can be filled in otherwise")
	require.Panics(t, func() {
		sent(t.Context(), &b, "ann", "/start", "once=2", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
	sent(t.Context(), &b, "ann", "/start", "once=2", do)
	require.Equal(t, 4, n)
}

func TestTheActOfALeverIsFoundInTheHistory(t *testing.T) {
	t.Parallel()
	facts := []domain.Fact{
		{Revision: 3, Meta: domain.Meta{Actor: "ann"}, Event: &domain.StepRetried{Step: "pay", Reason: "back"}},
		{Revision: 4, Meta: domain.Meta{Actor: "ann"}, Event: &domain.StepResolved{Step: "pay", How: domain.ResolveSkip, Reason: "by hand"}},
		{Revision: 5, Meta: domain.Meta{Actor: "bob"}, Event: &domain.RunTurnedBack{Cause: domain.Failure{Message: "called"}}},
		{Revision: 6, Meta: domain.Meta{Actor: "bob"}, Event: &domain.RunPaused{Reason: "look"}},
		{Revision: 7, Meta: domain.Meta{Actor: "bob"}, Event: &domain.RunResumed{Reason: "looked"}},
		{Revision: 8, Meta: domain.Meta{Actor: "bob"}, Event: &domain.RunAbandoned{Reason: "enough"}},
	}
	for _, c := range []struct {
		drawn, person, act, step, reason string
		want                             bool
	}{
		{"2", "ann", "retry", "pay", "back", true}, {"2", "ann", "retry", "", "back", true}, {"3", "ann", "retry", "pay", "back", false},
		{"2", "bob", "retry", "pay", "back", false}, {"2", "ann", "retry", "ship", "back", false}, {"2", "ann", "retry", "pay", "again", false},
		{"2", "ann", "skip", "pay", "by hand", true}, {"2", "ann", "substitute", "pay", "by hand", false}, {"2", "bob", "cancel", "", "called", true},
		{"2", "bob", "pause", "", "look", true}, {"2", "bob", "resume", "", "looked", true}, {"2", "bob", "abandon", "", "enough", true}, {"", "bob", "pause", "", "look", false},
	} {
		require.Equal(t, c.want, once.Pulled(facts, c.drawn, c.person, c.act, c.step, c.reason), "%+v", c)
	}
}
