package webui

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

// Errors of the page itself.
var (
	errNoPage  = errors.New("there is no such page")
	errForeign = errors.New("the request came from another site's page: open this page and try again")
	errDenied  = errors.New("your token does not allow this: ask for one with the scope operate")
	errBadForm = errors.New("the form is incomplete")
)

// statusOf maps an error to the status of the answer.
func statusOf(err error) int {
	for _, m := range [...]struct {
		err    error
		status int
	}{
		{errNoPage, http.StatusNotFound}, {saga.ErrNotFound, http.StatusNotFound}, {projections.ErrNotFound, http.StatusNotFound},
		{errForeign, http.StatusForbidden}, {errDenied, http.StatusForbidden}, {errBadForm, http.StatusUnprocessableEntity},
		{saga.ErrBadInput, http.StatusUnprocessableEntity}, {domain.ErrBadPosition, http.StatusBadRequest}, {projections.ErrBadCursor, http.StatusBadRequest},
		{projections.ErrNoView, http.StatusServiceUnavailable}, {projections.ErrBehind, http.StatusServiceUnavailable},
		{saga.ErrNotRunning, http.StatusServiceUnavailable},
		{saga.ErrEnded, http.StatusConflict}, {saga.ErrPastPivot, http.StatusConflict}, {saga.ErrTurnedBack, http.StatusConflict},
		{saga.ErrNoStep, http.StatusConflict}, {saga.ErrNotStuck, http.StatusConflict},
	} {
		if errors.Is(err, m.err) {
			return m.status
		}
	}
	return http.StatusInternalServerError
}

// fail shows an error. What went wrong inside is logged, and not shown.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, who Person, err error) {
	status := statusOf(err)
	text := err.Error()
	if status == http.StatusInternalServerError {
		if r.Context().Err() != nil {
			return // the reader has left
		}
		id := uuid.NewString()[:8]
		h.cfg.Logger.Error("page failed", "path", r.URL.Path, "id", id, "error", err)
		text = "Something went wrong here. The server's log has the cause under " + id + "."
	}
	v := h.view(r, who, "", http.StatusText(status))
	v.D = text
	h.templates.Render(w, r, status, "error", v)
}

func (h *handler) view(r *http.Request, who Person, nav, title string) *show.View {
	v := &show.View{Base: h.cfg.Base, Assets: h.assets, Version: h.cfg.Version, Person: show.Reader{Name: who.Name, Operate: who.Operate, Open: who.Open}, Nav: nav, Title: title,
		Self: r.URL.RequestURI(), Now: h.cfg.Now(), Refresh: h.cfg.Refresh.Milliseconds()}
	// Nobody's link puts words into this page's mouth.
	if from := r.Header.Get("Sec-Fetch-Site"); from == "" || from == "same-origin" {
		v.Note = r.URL.Query().Get("note")
	}
	if len(who.Sagas) == 0 && who.Name != "" {
		v.Stuck = h.cfg.Coordinator.RunStates()[domain.RunIsStuck]
	}
	return v
}
