package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/saga"
)

// Groups of error statuses that several operations share.
var (
	// anyErrors are errors of every operation: invalid parameters.
	anyErrors = []int{http.StatusUnprocessableEntity}
	// authErrors are errors of operations that need a scope. 503 means that the tokens can't be
	// read.
	authErrors = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	bodyErrors = []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}
	notFound   = []int{http.StatusNotFound}
	conflict   = []int{http.StatusConflict}
)

// operation describes an operation.
type operation struct {
	id, method, path, summary, tag string
	// scopes are alternatives: the caller needs one of them. Empty means that anybody may call.
	scopes []auth.Scope
	// errors lists the statuses of its problems, besides anyErrors and authErrors.
	errors [][]int
	// status is the status of success; 0 means 200, or 204 without a body.
	status int
	// adjust changes what is documented; may be nil.
	adjust func(*huma.Operation)
	// maxBody is the largest body in bytes; 0 means [Config.MaxBody].
	maxBody int64
	// long means that the operation may take longer than the request timeout, because it waits or
	// streams.
	long bool
}

// readRun returns the common parts of an operation that reads one run.
func readRun(id, path, summary string) operation {
	return operation{id: id, method: http.MethodGet, path: path, tag: "runs", summary: summary,
		scopes: []auth.Scope{auth.Read}, errors: [][]int{notFound}}
}

// register adds an operation to the API and its document, which names exactly the statuses given.
func register[I, O any](s *Server, o operation, handle func(context.Context, *I) (*O, error)) {
	statuses := slices.Concat(append(o.errors, anyErrors)...)
	op := huma.Operation{OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Tags: []string{o.tag}, DefaultStatus: o.status,
		MaxBodyBytes: orElse(o.maxBody, s.cfg.MaxBody), BodyReadTimeout: s.cfg.BodyTimeout}
	if len(o.scopes) > 0 {
		statuses = append(statuses, authErrors...)
		op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
		names := make([]string, len(o.scopes))
		for i, sc := range o.scopes {
			names[i] = string(sc)
		}
		op.Description = "Needs the scope " + strings.Join(names, " or ") + "."
	}
	slices.Sort(statuses)
	statuses = slices.Compact(statuses)
	op.Errors = slices.Clone(statuses)
	op.Middlewares = huma.Middlewares{s.admit(o)}
	if o.adjust != nil {
		o.adjust(&op)
	}
	for code := range op.Responses { // documented by the operation itself
		if n, err := strconv.Atoi(code); err == nil {
			statuses = append(statuses, n)
		}
	}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		if !o.long {
			bounded, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
			defer cancel()
			ctx = bounded
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.answer(ctx, o.id, err)
		}
		return out, nil
	})
	s.document(o, statuses)
}

// document removes errors that huma lists by default and that the operation can't return.
func (s *Server) document(o operation, statuses []int) {
	item := s.api.OpenAPI().Paths[o.path]
	for _, op := range []*huma.Operation{item.Get, item.Post, item.Delete} {
		if op == nil || op.OperationID != o.id {
			continue
		}
		for code := range op.Responses {
			if n, err := strconv.Atoi(code); err == nil && n >= 400 && !slices.Contains(statuses, n) {
				delete(op.Responses, code)
			}
		}
	}
}

// admit checks the caller's scopes before the request is read.
func (s *Server) admit(o operation) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if len(o.scopes) > 0 {
			_, w := humago.Unwrap(ctx)
			id, ok := auth.IdentityOf(ctx.Context())
			if !ok {
				p, _ := problemOf(auth.ReasonOf(ctx.Context()))
				writeProblem(w, p)
				return
			}
			if !id.Has(o.scopes...) {
				writeProblem(w, problem(http.StatusForbidden, wire.ProblemForbidden,
					"token "+id.Name+" lacks a scope. "+ctx.Operation().Description))
				return
			}
			ctx = huma.WithContext(ctx, saga.WithActor(ctx.Context(), id.Name))
		}
		if fault := faultOf(ctx); fault != "" {
			_, w := humago.Unwrap(ctx)
			writeProblem(w, problem(http.StatusUnprocessableEntity, wire.ProblemBadInput, fault))
			return
		}
		if r, w := humago.Unwrap(ctx); params.Bodiless(ctx.Operation(), r) {
			writeProblem(w, problem(http.StatusUnprocessableEntity, wire.ProblemBadInput, params.BodyMissing))
			return
		}
		next(ctx)
	}
}

// faultOf returns what makes a request invalid whatever the operation: a parameter or header with
// one value that is given twice, or text that is not valid UTF-8. Empty means valid.
func faultOf(ctx huma.Context) string {
	r, _ := humago.Unwrap(ctx)
	query := r.URL.Query()
	for _, p := range ctx.Operation().Parameters {
		twice := ""
		switch {
		case p.In == "query" && p.Schema.Type != huma.TypeArray && len(query[p.Name]) > 1:
			twice = "the parameter "
		case p.In == "header" && p.Name != "Accept" && len(r.Header.Values(p.Name)) > 1:
			twice = "the header "
		}
		if twice != "" {
			return twice + p.Name + " is given more than once: give it once"
		}
		if slices.ContainsFunc(query[p.Name], func(v string) bool { return !utf8.ValidString(v) }) {
			return "the parameter " + p.Name + " is not valid UTF-8"
		}
	}
	if !utf8.ValidString(r.URL.Path) {
		return "the path is not valid UTF-8"
	}
	return ""
}
