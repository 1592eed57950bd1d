package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/live"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
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

// problems maps errors to statuses. The first match counts.
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
	{saga.ErrNotEnded, http.StatusConflict, wire.ProblemNotEnded},
	{saga.ErrHeld, http.StatusConflict, wire.ProblemHeld},
	{saga.ErrNotHeld, http.StatusConflict, wire.ProblemNotHeld},
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
	{live.ErrOwnFull, http.StatusTooManyRequests, wire.ProblemBusy},
	{live.ErrFull, http.StatusServiceUnavailable, wire.ProblemBusy},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, wire.ProblemBusy},
	// The server is stopping, or the client has left.
	{context.Canceled, http.StatusServiceUnavailable, wire.ProblemBusy},
}

// Errors of the API itself.
var (
	errForbidden = errors.New("the token does not allow this")
	errBadQuery  = errors.New("bad query")
)

// problemOf turns an error into a problem.
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

// answer turns a handler's error into a problem. It logs unexpected errors and does not send their
// texts.
func (s *Server) answer(ctx context.Context, op string, err error) error {
	model, known := problemOf(err)
	if !known {
		if s.cfg.InProcess {
			return problem(http.StatusInternalServerError, wire.ProblemInternal, err.Error())
		}
		s.cfg.Logger.ErrorContext(ctx, "request failed", "operation", op, "error", err)
	}
	named := *model
	named.Detail = params.AsTyped(ctx, model.Detail)
	return withHeaders(&named)
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

// asProblem bounds every problem, and gives a type to problems that huma itself reports.
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

// Limits on the parts of a request that an answer repeats, so that no client can cause an answer
// many times as large as its request.
const (
	maxErrors = 10    // errors that one problem lists
	maxEcho   = 200   // bytes of a value that an error repeats
	maxDetail = 2_000 // bytes of a problem's detail
)

// bounded returns the problem with its texts cut and only the first of its errors.
func bounded(p *huma.ErrorModel) *huma.ErrorModel {
	out := *p
	out.Detail = cut(p.Detail, maxDetail)
	if len(p.Errors) == 0 {
		return &out
	}
	out.Errors = make([]*huma.ErrorDetail, 0, maxErrors+1)
	for _, e := range p.Errors[:min(len(p.Errors), maxErrors)] {
		out.Errors = append(out.Errors, &huma.ErrorDetail{Message: cut(e.Message, 2*maxEcho), Location: cut(e.Location, maxEcho), Value: echo(e.Value)})
	}
	if more := len(p.Errors) - maxErrors; more > 0 {
		out.Errors = append(out.Errors, &huma.ErrorDetail{Message: fmt.Sprintf("and %d more errors: fix these first", more)})
	}
	return &out
}

// echo returns the part of a value that an error repeats: a scalar, cut, or the size of a list or
// object.
func echo(v any) any {
	switch v := v.(type) {
	case nil, bool, float64:
		return v
	case string:
		return cut(v, maxEcho)
	case []byte:
		return cut(string(v[:min(len(v), maxEcho+utf8.UTFMax)]), maxEcho)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Map:
		return fmt.Sprintf("an object of %d members", r.Len())
	case reflect.Slice, reflect.Array:
		return fmt.Sprintf("a list of %d values", r.Len())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32:
		return v
	case reflect.String:
		return cut(r.String(), maxEcho)
	}
	return nil
}

// cut shortens a text to at most n bytes and a mark, without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
