package httpapi

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// PageBase is where [Config.Page] is served, besides /.
const PageBase = "/ui"

// otherPaths serves the page, and problems at every address without an operation. It comes after
// the operations.
func (s *Server) otherPaths(mux *http.ServeMux) {
	for path, item := range s.api.OpenAPI().Paths {
		mux.HandleFunc(path, notAllowed(methodsOf(item)))
	}
	mux.HandleFunc("/metrics", notAllowed("GET, HEAD"))
	mux.HandleFunc("/openapi.json", notAllowed("GET, HEAD"))
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
		writeProblem(w, problem(http.StatusNotFound, wire.ProblemNotFound, "nothing is at "+r.URL.Path+": see /openapi.json"))
	})
}

// methodsOf lists the methods of a path, as the header Allow has them.
func methodsOf(item *huma.PathItem) string {
	var list []string
	if item.Delete != nil {
		list = append(list, http.MethodDelete)
	}
	if item.Get != nil {
		list = append(list, http.MethodGet, http.MethodHead)
	}
	if item.Post != nil {
		list = append(list, http.MethodPost)
	}
	return strings.Join(list, ", ")
}

func notAllowed(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		writeProblem(w, problem(http.StatusMethodNotAllowed, wire.ProblemMethod, r.Method+" is not for "+r.URL.Path+": use "+allow))
	}
}

// noTokens answers where tokens would be looked after, were there any.
func noTokens(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, problem(http.StatusNotFound, wire.ProblemNoTokens,
		"this server asks for no tokens: stop it, make the first one on its data directory (token create NAME --scope admin --data DIR), and start it again"))
}
