package httpapi

import (
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/document"
	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// routes builds the handler: the operations, and the middleware around them.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("atone", s.cfg.Version)
	// This switches off pages that load scripts from elsewhere, and $schema members.
	cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", nil
	cfg.RejectUnknownQueryParameters = true
	cfg.Formats, cfg.DefaultFormat = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}, "application/json"
	cfg.Transformers = []huma.Transformer{asProblem}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token."},
		"session": {Type: "apiKey", In: "cookie", Name: auth.CookieName, Description: "A login of the web page."},
	}
	document.Start(cfg.OpenAPI)
	s.api = humago.New(mux, cfg)
	s.startOperations()
	s.runOperations()
	s.historyOperations()
	s.eventOperations()
	s.rejectedOperations()
	s.controlOperations()
	s.listOperations()
	s.incidentOperations()
	s.definitionOperations()
	s.adminOperations()
	s.sessionOperations()
	s.healthOperations()
	document.Complete(s.api.OpenAPI())
	mux.HandleFunc("GET /metrics", s.metrics)
	s.otherPaths(mux)
	h := s.guard.Middleware(s.withDocument(smallFromStrangers(s.namedRuns(mux))))
	h = s.cors(h)
	h = s.outer(h)
	if s.cfg.Middleware != nil {
		h = s.cfg.Middleware(h)
	}
	return h
}

// outer sets the common headers, bounds slow readers, and turns a panic into a problem.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		rc := http.NewResponseController(w)
		// Not every writer supports deadlines.
		_ = rc.SetWriteDeadline(time.Now().Add(s.cfg.MaxWait + s.cfg.RequestTimeout))
		if r.Body != nil && r.Body != http.NoBody {
			var ended func()
			r, ended = s.boundBody(rc, r)
			defer ended()
		}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares so, too
					panic(p)
				}
				s.cfg.Logger.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				writeProblem(w, problem(http.StatusInternalServerError, wire.ProblemInternal, "something went wrong: the server's log says what"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// cors allows pages of the configured origins to call with a token. It never allows cookies.
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
			h.Set("Access-Control-Expose-Headers", "Location, Retry-After, "+wire.PositionHeader)
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
