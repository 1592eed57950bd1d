package webui

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga"
)

// Errors of the page itself.
var (
	errNoPage  = errors.New("there is no such page")
	errForeign = errors.New("the request came from a page of another site: open this page and try again")
	errDenied  = errors.New("your token does not allow this: ask for a token with the scope operate")
	errUnknown = errors.New("this address can't be shown")
	errBadForm = errors.New("the form is incomplete")
)

const noOperate = "Your token lacks the scope operate."

// statusOf maps an error to the status of the answer.
func statusOf(err error) int {
	for _, m := range [...]struct {
		err    error
		status int
	}{
		{errNoPage, http.StatusNotFound}, {saga.ErrNotFound, http.StatusNotFound}, {projections.ErrNotFound, http.StatusNotFound},
		{runs.ErrAmbiguous, http.StatusUnprocessableEntity}, {errForeign, http.StatusForbidden}, {errDenied, http.StatusForbidden}, {errUnknown, http.StatusUnprocessableEntity}, {errBadForm, http.StatusUnprocessableEntity},
		{saga.ErrBadInput, http.StatusUnprocessableEntity}, {saga.ErrKeyConflict, http.StatusConflict}, {domain.ErrBadPosition, http.StatusBadRequest}, {projections.ErrBadCursor, http.StatusBadRequest},
		{projections.ErrNoView, http.StatusServiceUnavailable}, {projections.ErrBehind, http.StatusServiceUnavailable},
		{saga.ErrNotRunning, http.StatusServiceUnavailable}, {saga.ErrUnreadable, http.StatusConflict},
		{saga.ErrEnded, http.StatusConflict}, {saga.ErrPastPivot, http.StatusConflict}, {saga.ErrTurnedBack, http.StatusConflict},
		{saga.ErrHeld, http.StatusConflict}, {saga.ErrNotHeld, http.StatusConflict}, {saga.ErrNotEnded, http.StatusConflict}, {saga.ErrUnknownSaga, http.StatusNotFound}, {saga.ErrUnknownAction, http.StatusNotFound},
		{saga.ErrNoStep, http.StatusConflict}, {saga.ErrNotStuck, http.StatusConflict},
	} {
		if errors.Is(err, m.err) {
			return m.status
		}
	}
	return http.StatusInternalServerError
}

// fail shows an error. Internal errors are logged and not shown.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, who Person, err error) {
	status := statusOf(err)
	text := err.Error()
	if status == http.StatusInternalServerError {
		if r.Context().Err() != nil {
			return // the reader has left
		}
		id := uuid.NewString()[:8]
		h.cfg.Logger.Error("page failed", "path", r.URL.Path, "id", id, "error", err)
		text = "Something went wrong. The server's log has the cause under " + id + "."
	}
	v := h.view(r, who, "", http.StatusText(status))
	v.Refresh, v.D = 0, empty.Error(text)
	if name := r.PathValue("run"); name != "" && errors.Is(err, saga.ErrNotFound) {
		v.D = empty.NoRun(name)
	}
	h.templates.Render(w, r, status, "error", v)
}

func (h *handler) view(r *http.Request, who Person, nav, title string) *show.View {
	v := &show.View{Base: h.cfg.Base, Assets: h.assets, Version: h.cfg.Version, Person: show.Reader{Name: who.Name, Operate: who.Operate, Start: who.Start, Hold: who.Operate && len(who.Sagas) == 0, Open: who.Open}, Nav: nav, Title: title,
		Self: r.URL.RequestURI(), Now: h.cfg.Now(), Refresh: h.cfg.Refresh.Milliseconds()}
	// Show the note of an address only if this page made the address, not a link from elsewhere.
	if from := r.Header.Get("Sec-Fetch-Site"); from == "" || from == "same-origin" {
		v.Note = r.URL.Query().Get("note")
	}
	if who.Name != "" {
		v.Acts = h.acts.Of(who.key())
	}
	if who.Name != "" {
		for of, n := range h.cfg.Coordinator.Rejected().Open() {
			if who.sees(of.Saga) {
				v.Rejected += n
			}
		}
	}
	if len(who.Sagas) == 0 && who.Name != "" {
		if v.Stuck = h.cfg.Coordinator.RunStates()[domain.RunIsStuck]; v.Stuck > 0 {
			v.Below = h.stuckBelow(r.Context())
		}
	}
	return v
}

// safeNext returns where a login leads: next, if that is a page of this server.
func (h *handler) safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, h.cfg.Base+"/") || strings.ContainsAny(next, "\\\r\n") {
		return h.cfg.Base + "/runs"
	}
	return next
}

// backTo is the page from which a form was opened: as the form says, else as the browser does.
func (h *handler) backTo(r *http.Request) string {
	from, err := url.Parse(cmp.Or(r.PostForm.Get("from"), r.Header.Get("HX-Current-URL"), r.Referer()))
	if err != nil {
		return h.cfg.Base + "/runs"
	}
	return h.safeNext(from.RequestURI())
}

// stuckBelow counts the runs that have a stuck one below them. Where they can't be counted, it
// returns the last count.
func (h *handler) stuckBelow(ctx context.Context) int {
	return h.below.Get(ctx, h.cfg.Now(), func(ctx context.Context) (int, error) {
		counts, err := h.cfg.Views.RunCounts(ctx, runs.Filter{})
		return counts[runs.StateStuckBelow], err
	})
}
