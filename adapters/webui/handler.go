package webui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

//go:embed static
var static embed.FS

// policy lets the page load what this server embeds, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm bounds the body of a posted form, in bytes: an output to substitute may be as large as an event.
const maxForm = domain.MaxAppendSize + 64<<10

// handler serves the page.
type handler struct {
	cfg     Config
	views   *templates
	assets  string // the version of the embedded files, part of their address
	origins *http.CrossOriginProtection
	watch   watch
}

// New returns the page. It starts nothing and is safe for concurrent use.
//
// Forms are safe from other sites' pages: a request that changes something is refused unless it comes
// from the page's own origin (by Sec-Fetch-Site, or Origin for old browsers).
func New(cfg Config) (http.Handler, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &handler{cfg: cfg, origins: http.NewCrossOriginProtection()}
	files, version, err := readAssets()
	if err != nil {
		return nil, err
	}
	h.assets = version
	if h.views, err = parseTemplates(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	base := cfg.Base
	mux.HandleFunc("GET /{$}", h.toRuns)
	mux.HandleFunc("GET "+base+"/{$}", h.toRuns)
	mux.Handle("GET "+base+"/static/"+version+"/", cached(http.StripPrefix(base+"/static/"+version, http.FileServerFS(files))))
	mux.HandleFunc("GET "+base+"/login", h.loginPage)
	mux.HandleFunc("POST "+base+"/login", h.login)
	mux.HandleFunc("POST "+base+"/logout", h.logout)
	for pattern, f := range map[string]page{
		"GET /runs":                   h.runs,
		"GET /runs/{run}":             h.run,
		"GET /runs/{run}/step":        h.step,
		"GET /runs/{run}/lever/{act}": h.leverForm,
		"GET /incidents":              h.incidents,
		"GET /audit":                  h.trail,
		"GET /sagas":                  h.sagas,
		"GET /sagas/{saga}":           h.saga,
		"GET /stats":                  h.stats,
		"GET /events":                 h.events,

		"POST /runs/{run}/lever/{act}": h.lever,
		"POST /incidents":              h.settle,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+base+path, h.guarded(f))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, Person{}, errNoPage) })
	return h.secured(mux), nil
}

// page handles the request of a person.
type page func(w http.ResponseWriter, r *http.Request, who Person) error

// secured sets the headers that every answer has and refuses what other sites' pages send.
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

// guarded lets only people in, and shows the errors of pages.
func (h *handler) guarded(f page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := h.cfg.Sessions.Who(r)
		if !ok {
			h.askLogin(w, r)
			return
		}
		if err := f(w, r, who); err != nil {
			h.fail(w, r, who, err)
		}
	})
}

func (h *handler) toRuns(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, h.cfg.Base+"/runs", http.StatusFound)
}

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
	h.render(w, r, status, "error", v)
}

// runParam reads the run's id from the path.
func runParam(r *http.Request) (domain.RunID, error) {
	id, err := uuid.Parse(r.PathValue("run"))
	if err != nil {
		return id, errNoPage
	}
	return id, nil
}

// readAssets returns the embedded files and a version that changes with their content.
func readAssets() (fs.FS, string, error) {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, "", err
	}
	sum := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		sum.Write(b)
		return err
	})
	return files, hex.EncodeToString(sum.Sum(nil))[:12], err
}

// cached lets browsers keep what has its version in its address.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		next.ServeHTTP(w, r)
	})
}
