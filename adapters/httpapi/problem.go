package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// problem is an error as the API answers it (RFC 9457).
func problem(status int, kind, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Type: wire.ProblemPrefix + kind, Title: http.StatusText(status), Status: status, Detail: detail}
}

// problems maps what callers may run into to statuses. The first that matches counts.
var problems = []struct {
	err    error
	status int
	kind   string
}{
	{saga.ErrKeyConflict, http.StatusConflict, wire.ProblemKeyConflict},
	{saga.ErrUnreadable, http.StatusConflict, wire.ProblemUnreadable},
	{saga.ErrNotFound, http.StatusNotFound, wire.ProblemNotFound},
	{projections.ErrNotFound, http.StatusNotFound, wire.ProblemNotFound},
	{runner.ErrUnknownView, http.StatusNotFound, wire.ProblemUnknownView},
	{auth.ErrNoToken, http.StatusNotFound, wire.ProblemNoToken},
	{saga.ErrUnknownSaga, http.StatusNotFound, wire.ProblemUnknownSaga},
	{saga.ErrUnknownAction, http.StatusNotFound, wire.ProblemUnknownAction},
	{saga.ErrNoStep, http.StatusNotFound, wire.ProblemNoStep},
	{saga.ErrEnded, http.StatusConflict, wire.ProblemEnded},
	{saga.ErrPastPivot, http.StatusConflict, wire.ProblemPastPivot},
	{saga.ErrTurnedBack, http.StatusConflict, wire.ProblemTurnedBack},
	{saga.ErrNotStuck, http.StatusConflict, wire.ProblemNotStuck},
	{auth.ErrNameTaken, http.StatusConflict, wire.ProblemNameTaken},
	{domain.ErrTooLarge, http.StatusRequestEntityTooLarge, wire.ProblemTooLarge},
	{saga.ErrBadInput, http.StatusUnprocessableEntity, wire.ProblemBadInput},
	{machine.ErrNoOutput, http.StatusUnprocessableEntity, wire.ProblemBadInput},
	{machine.ErrBadOutput, http.StatusUnprocessableEntity, wire.ProblemBadInput},
	{domain.ErrBadPosition, http.StatusUnprocessableEntity, wire.ProblemBadInput},
	{projections.ErrBadCursor, http.StatusUnprocessableEntity, wire.ProblemBadInput},
	{auth.ErrBadToken, http.StatusUnprocessableEntity, wire.ProblemBadInput},
	{errBadQuery, http.StatusUnprocessableEntity, wire.ProblemBadInput},
	{auth.ErrNoCredentials, http.StatusUnauthorized, wire.ProblemUnauthorized},
	{auth.ErrDenied, http.StatusUnauthorized, wire.ProblemUnauthorized},
	{auth.ErrTooMany, http.StatusTooManyRequests, wire.ProblemTooMany},
	{auth.ErrCrossOrigin, http.StatusForbidden, wire.ProblemForbidden},
	{auth.ErrForeignHost, http.StatusForbidden, wire.ProblemForbidden},
	{errForbidden, http.StatusForbidden, wire.ProblemForbidden},
	{saga.ErrNotRunning, http.StatusServiceUnavailable, wire.ProblemNotRunning},
	{domain.ErrClosed, http.StatusServiceUnavailable, wire.ProblemNotRunning},
	{projections.ErrBehind, http.StatusServiceUnavailable, wire.ProblemBehind},
	{projections.ErrNoView, http.StatusServiceUnavailable, wire.ProblemNoView},
	{errOwnStreams, http.StatusTooManyRequests, wire.ProblemBusy},
	{errStreams, http.StatusServiceUnavailable, wire.ProblemBusy},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, wire.ProblemBusy},
	{context.Canceled, http.StatusServiceUnavailable, wire.ProblemBusy}, // the server is stopping, or nobody listens any more
}

// Errors of the API itself.
var (
	errForbidden = errors.New("the token does not allow this")
	errBadQuery  = errors.New("bad query")
	errStreams   = errors.New("too many live streams are open: close some, or try again later")
	// errOwnStreams is for a client that has its share of them.
	errOwnStreams = errors.New("you have as many live streams open as one client may: close some")
)

// problemOf turns an error into what the caller is told.
func problemOf(err error) (*huma.ErrorModel, bool) {
	var model *huma.ErrorModel
	if errors.As(err, &model) {
		return model, true
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return problem(p.status, p.kind, err.Error()), true
		}
	}
	return problem(http.StatusInternalServerError, wire.ProblemInternal, "something went wrong: the server's log says what"), false
}

// answer turns a handler's error into a problem; one that nobody expects is logged and not told.
func (s *Server) answer(ctx context.Context, op string, err error) error {
	model, known := problemOf(err)
	if !known {
		if s.cfg.InProcess {
			return problem(http.StatusInternalServerError, wire.ProblemInternal, err.Error())
		}
		s.cfg.Logger.ErrorContext(ctx, "request failed", "operation", op, "error", err)
	}
	return withHeaders(model)
}

// withHeaders adds the headers that belong to a status.
func withHeaders(p *huma.ErrorModel) error {
	switch p.Status {
	case http.StatusServiceUnavailable:
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {"1"}})
	case http.StatusTooManyRequests:
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {"60"}})
	case http.StatusUnauthorized:
		return huma.ErrorWithHeaders(p, http.Header{"Www-Authenticate": {`Bearer realm="atone"`}})
	}
	return p
}

// asProblem bounds every problem, and gives those that huma finds in a request itself a type, as
// all others have one.
func asProblem(_ huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	typed := bounded(p)
	if p.Type != "" {
		return typed, nil
	}
	switch p.Status {
	case http.StatusRequestEntityTooLarge:
		typed.Type = wire.ProblemPrefix + wire.ProblemTooLarge
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusUnsupportedMediaType:
		typed.Type = wire.ProblemPrefix + wire.ProblemBadBody
	case http.StatusUnprocessableEntity:
		typed.Type = wire.ProblemPrefix + wire.ProblemBadInput
	}
	return typed, nil
}

// writeProblem answers outside of an operation.
func writeProblem(w http.ResponseWriter, p *huma.ErrorModel) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	var he huma.HeadersError
	if errors.As(withHeaders(p), &he) {
		for k, v := range he.GetHeaders() {
			h[k] = v
		}
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(bounded(p)) // the client may be gone
}
