package httpapi

import (
	"context"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// routes builds the handler: the operations, and what is around all of them.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("atone", s.cfg.Version)
	cfg.Info.Description = "Event-sourced sagas: start runs, wait for them, look at them, steer them."
	cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", nil // no pages that load scripts from elsewhere, no $schema members
	cfg.RejectUnknownQueryParameters = true
	cfg.Formats, cfg.DefaultFormat = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}, "application/json"
	cfg.Transformers = []huma.Transformer{asProblem}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token."},
		"session": {Type: "apiKey", In: "cookie", Name: auth.CookieName, Description: "A login of the web page."},
	}
	s.api = humago.New(mux, cfg)
	s.startOperations()
	s.runOperations()
	s.historyOperations()
	s.eventOperations()
	s.controlOperations()
	s.listOperations()
	s.definitionOperations()
	s.adminOperations()
	s.sessionOperations()
	s.healthOperations()
	mux.HandleFunc("GET /metrics", s.metrics)
	s.otherPaths(mux)
	h := s.guard.Middleware(smallFromStrangers(mux))
	h = s.cors(h)
	h = s.outer(h)
	if s.cfg.Middleware != nil {
		h = s.cfg.Middleware(h)
	}
	return h
}

// outer sets what all answers have, bounds slow readers, and turns a panic into a problem.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		rc := http.NewResponseController(w)
		_ = rc.SetWriteDeadline(time.Now().Add(s.cfg.MaxWait + s.cfg.RequestTimeout)) // not every writer can
		if r.Body != nil && r.Body != http.NoBody {
			var ended func()
			r, ended = s.boundBody(rc, r)
			defer ended()
		}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.cfg.Logger.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				writeProblem(w, problem(http.StatusInternalServerError, wire.ProblemInternal, "something went wrong: the server's log says what"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// cors lets the pages of the configured origins call with a token; cookies are never allowed.
func (s *Server) cors(next http.Handler) http.Handler {
	if len(s.cfg.Origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		w.Header().Add("Vary", "Origin")
		if origin != "" && slices.Contains(s.cfg.Origins, origin) {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "Location, Retry-After")
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
				h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Traceparent")
				h.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// The errors that several kinds of operation can have.
var (
	// anyErrors is what every operation can answer: its parameters may be wrong.
	anyErrors = []int{http.StatusUnprocessableEntity}
	// authErrors are those of all that need a scope; 503 where the tokens can't be read.
	authErrors = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	bodyErrors = []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}
	notFound   = []int{http.StatusNotFound}
	conflict   = []int{http.StatusConflict}
)

// operation describes an operation.
type operation struct {
	id, method, path, summary, tag string
	// scopes lists scopes of which the caller needs one; none means that everybody may.
	scopes []auth.Scope
	// errors lists the statuses of its problems, besides anyErrors and authErrors.
	errors [][]int
	// status is that of success; 0 means 200, or 204 without a body.
	status int
	// adjust changes what is documented; may be nil.
	adjust func(*huma.Operation)
	// maxBody bounds its body in bytes; 0 means [Config.MaxBody].
	maxBody int64
	// long means that it may take longer than the request timeout: it waits, or streams.
	long bool
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

// document removes the errors that huma lists on its own but this operation does not have.
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

// admit checks the caller's scopes before anything of the request is read.
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
					"token "+id.Name+" has not the scope: "+ctx.Operation().Description))
				return
			}
			ctx = huma.WithContext(ctx, saga.WithActor(ctx.Context(), id.Name))
		}
		if fault := faultOf(ctx); fault != "" {
			_, w := humago.Unwrap(ctx)
			writeProblem(w, problem(http.StatusUnprocessableEntity, wire.ProblemBadInput, fault))
			return
		}
		next(ctx)
	}
}

// faultOf says what makes a request unreadable, whatever the operation: a parameter or header that is
// given twice where one value can count, or text that is not valid UTF-8. Empty means nothing.
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
			return twice + p.Name + " is given more than once: only one of them could count"
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

// caller returns who makes the request.
func caller(ctx context.Context) auth.Identity {
	id, _ := auth.IdentityOf(ctx)
	return id
}

// allow checks that the caller's token is good for the saga.
func allow(ctx context.Context, name string) error {
	if id := caller(ctx); !id.Covers(name) {
		return problem(http.StatusForbidden, wire.ProblemForbidden, "token "+id.Name+" is not good for "+name)
	}
	return nil
}

// allowRun checks that the caller's token is good for the run's saga.
func (s *Server) allowRun(ctx context.Context, id domain.RunID) error {
	if !caller(ctx).Bound() {
		return nil
	}
	name, err := s.cfg.Coordinator.SagaOf(ctx, id)
	if err != nil {
		return err
	}
	return allow(ctx, name)
}

// allowAll checks that the caller's token is not bound to some sagas.
func allowAll(ctx context.Context, what string) error {
	if id := caller(ctx); id.Bound() {
		return problem(http.StatusForbidden, wire.ProblemForbidden, "token "+id.Name+" is bound to some sagas: "+what+" is about all of them")
	}
	return nil
}

// ready refuses what needs a running coordinator while there is none.
func (s *Server) ready() error {
	select {
	case <-s.cfg.Coordinator.Ready():
		return nil
	default:
		return saga.ErrNotRunning
	}
}

// wait bounds how long a caller may wait.
func (s *Server) wait(d params.Duration) time.Duration {
	return min(max(d.Duration, 0), s.cfg.MaxWait)
}
