package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/document"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/projections/runs"
)

// PageBase is where [Config.Page] is served, besides /.
const PageBase = "/ui"

// otherPaths serves the page, and answers requests for addresses without an operation with a
// problem. Call it after the operations are registered.
func (s *Server) otherPaths(mux *http.ServeMux) {
	for path, item := range s.api.OpenAPI().Paths {
		mux.HandleFunc(path, notAllowed(document.MethodsOf(item)))
	}
	mux.HandleFunc("/metrics", notAllowed("GET, HEAD"))
	mux.HandleFunc(documentPath, notAllowed("GET, HEAD"))
	if s.cfg.Tokens == nil {
		mux.HandleFunc("/tokens", noTokens)
		mux.HandleFunc("/tokens/", noTokens)
	}
	if s.cfg.Page != nil {
		for _, path := range []string{"/{$}", PageBase, PageBase + "/"} {
			mux.Handle(path, s.cfg.Page)
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, problem(http.StatusNotFound, wire.ProblemNotFound, document.NothingAt(s.api.OpenAPI(), r.URL.Path)))
	})
}

func notAllowed(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		writeProblem(w, problem(http.StatusMethodNotAllowed, wire.ProblemMethod, r.Method+" is not for "+r.URL.Path+": use "+allow))
	}
}

// noTokens answers requests about tokens on a server without tokens.
func noTokens(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, problem(http.StatusNotFound, wire.ProblemNoTokens,
		"this server asks for no tokens: stop it, make the first one on its data directory (token create NAME --scope admin --data DIR), and start it again"))
}

// namedRuns lets addresses name a run by SAGA:KEY, or by the last 6 or more digits of its id:
// operations get the id. It passes other texts on unchanged; the operations refuse them.
func (s *Server) namedRuns(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/runs/")
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		written, rest, more := strings.Cut(rest, "/")
		name, err := url.PathUnescape(written)
		who, known := auth.IdentityOf(r.Context())
		if _, bad := uuid.Parse(name); err != nil || bad == nil || name == "" || !known {
			next.ServeHTTP(w, r)
			return
		}
		find := s.cfg.Views.Runs
		if !who.Has(auth.Read) { // looking up a name reads the view
			find = func(context.Context, runs.Filter) (runs.Page, error) { return runs.Page{}, nil }
		}
		id, err := runs.Named(r.Context(), name, who.Sagas, find)
		switch {
		case errors.Is(err, runs.ErrNoName), errors.Is(err, runs.ErrAmbiguous):
			writeProblem(w, problem(http.StatusUnprocessableEntity, wire.ProblemBadInput, err.Error()))
			return
		case err != nil:
			p, _ := problemOf(err)
			writeProblem(w, p)
			return
		}
		if who.Has(auth.Read) {
			if err := s.names(r.Context()).CheckRun(name); err != nil {
				writeProblem(w, problem(http.StatusNotFound, wire.ProblemUnknownSaga, err.Error()))
				return
			}
		}
		path := "/runs/" + id.String()
		if more {
			path += "/" + rest
		}
		u := *r.URL
		u.Path, u.RawPath = path, ""
		if plain, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = plain, path
		}
		named := *r.WithContext(params.WithTyped(r.Context(), id.String(), name))
		named.URL = &u
		next.ServeHTTP(w, &named)
	})
}
