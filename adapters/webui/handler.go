package webui

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/klauspost/compress/gzhttp"

	"github.com/atonehq/atone/adapters/webui/internal/acts"
	"github.com/atonehq/atone/adapters/webui/internal/choice"
	"github.com/atonehq/atone/adapters/webui/internal/lately"
	"github.com/atonehq/atone/adapters/webui/internal/once"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
)

// policy lets the page load only files that this server embeds.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is the largest body of a posted form, in bytes: an output to substitute may be as large
// as an event.
const maxForm = domain.MaxAppendSize + 64<<10

// handler serves the page.
type handler struct {
	cfg       Config
	templates *show.Templates
	assets    string // where the scripts and styles are
	origins   *http.CrossOriginProtection
	// lag says how far the views are behind, and below how many runs have a stuck one below them.
	lag   lately.Answer[string]
	below lately.Answer[int]
	acts  *acts.Book
	forms once.Book
}

// New returns the page. It starts nothing and is safe for concurrent use.
//
// Forms are safe from other sites' pages: a request that changes something is refused unless it
// comes from the page's own origin (by Sec-Fetch-Site, or Origin for old browsers).
func New(cfg Config) (http.Handler, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &handler{cfg: cfg, origins: http.NewCrossOriginProtection()}
	h.acts = acts.New(h.waitFor, cfg.Now)
	assets, files, err := show.Assets(cfg.Base)
	if err != nil {
		return nil, err
	}
	h.assets = assets
	if h.templates, err = show.New(cfg.Logger); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	base := cfg.Base
	mux.HandleFunc("GET /{$}", h.toRuns)
	mux.HandleFunc("GET "+base+"/{$}", h.toRuns)
	mux.Handle("GET "+assets+"/", files)
	mux.HandleFunc("GET "+base+"/login", h.loginPage)
	mux.HandleFunc("POST "+base+"/login", h.login)
	mux.HandleFunc("POST "+base+"/logout", h.logout)
	for pattern, f := range map[string]page{
		"GET /runs":                   h.runs,
		"GET /runs/{run}":             h.run,
		"GET /runs/{run}/step":        h.step,
		"GET /runs/{run}/lever/{act}": h.leverForm,
		"GET /incidents":              h.incidents,
		"GET /incidents/{incident}":   h.incident,
		"GET /audit":                  h.trail,
		"GET /sagas":                  h.sagas,
		"GET /sagas/{saga}":           h.saga,
		"GET /stats":                  h.stats,
		"GET /search":                 h.suggest,
		"GET /start":                  h.startChoice,
		"GET /sagas/{saga}/start":     h.startForm,
		"GET /actions/{action}/start": h.startForm,
		"GET /events":                 h.events,
		"GET /rejected":               h.rejected,
		"POST /rejected":              h.settleRejected,

		"POST /runs/{run}/lever/{act}": h.lever,
		"POST /incidents":              h.settle,
		"POST /bulk":                   h.many,
		"GET /actions/{action}/hold":   h.holdForm,
		"POST /actions/{action}/hold":  h.hold,
		"GET /runs/{run}/again":        h.againForm,
		"POST /runs/{run}/again":       h.again,
		"GET /acts/{act}":              h.act,
		"POST /acts/{act}/dismiss":     h.dismiss,
		"POST /sagas/{saga}/start":     h.start,
		"POST /actions/{action}/start": h.start,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+base+path, h.guarded(f))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		who, _ := cfg.Sessions.Who(r) // a stranger is told no more than that
		h.fail(w, r, who, fmt.Errorf("%w: %.200s", errNoPage, r.URL.Path))
	})
	// Compression is safe: no page holds a secret that the size of an answer could reveal.
	compress, err := gzhttp.NewWrapper(gzhttp.EnableZstd(true), gzhttp.PreferZstd(true))
	if err != nil {
		return nil, err
	}
	return h.secured(compress(mux)), nil
}

// page handles the request of a person.
type page func(w http.ResponseWriter, r *http.Request, who Person) error

// secured sets the headers of every answer and refuses requests from other sites' pages.
func (h *handler) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "same-origin")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")
		head.Set("Vary", "HX-Request")
		if err := h.origins.Check(r); err != nil {
			h.fail(w, r, Person{}, errForeign)
			return
		}
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		next.ServeHTTP(w, r)
	})
}

// guarded admits only logged-in people, and shows the errors of pages. It reads forms, each of
// which is carried out once.
func (h *handler) guarded(f page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := h.cfg.Sessions.Who(r)
		if !ok {
			h.askLogin(w, r)
			return
		}
		serve := func(w http.ResponseWriter, r *http.Request) {
			err := h.exists(r, who)
			if err == nil {
				err = f(w, r, who)
			}
			if err != nil {
				h.fail(w, r, who, err)
			}
		}
		if r.Method != http.MethodPost {
			serve(w, r)
		} else if err := r.ParseForm(); err != nil {
			h.fail(w, r, who, fmt.Errorf("%w: %w", errBadForm, err))
		} else {
			h.forms.Serve(who.key(), w, r, serve)
		}
	})
}

// exists refuses an address whose saga, state or any other condition does not exist, as a search
// does.
func (h *handler) exists(r *http.Request, who Person) error {
	q := r.URL.Query()
	err := choice.Check(strings.TrimPrefix(r.URL.Path, h.cfg.Base), q.Get("state"))
	if page, ok := strings.CutPrefix(r.Pattern, http.MethodGet+" "+h.cfg.Base); ok && err == nil {
		err = choice.Params(page, q)
	}
	if saga := q.Get("saga"); saga != "" && err == nil {
		err = h.names(r.Context(), who).CheckSagas(saga)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	return nil
}

func (h *handler) toRuns(w http.ResponseWriter, r *http.Request) {
	to := url.URL{Path: h.cfg.Base + "/runs", RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, to.String(), http.StatusFound)
}
