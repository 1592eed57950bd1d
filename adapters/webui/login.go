package webui

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/show"
)

// loginData is the form for a token. Command makes one.
type loginData struct {
	Next, Error, Command string
}

// askLogin sends a person without a session to the login, which leads back afterwards.
func (h *handler) askLogin(w http.ResponseWriter, r *http.Request) {
	next := h.cfg.Base + "/login"
	if r.Method == http.MethodGet && r.Header.Get("HX-Request") == "" {
		next += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	show.GoTo(w, r, next, "")
}

func (h *handler) loginPage(w http.ResponseWriter, r *http.Request) {
	next := h.safeNext(r.URL.Query().Get("next"))
	if _, ok := h.cfg.Sessions.Who(r); ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	h.showLogin(w, r, http.StatusOK, loginData{Next: next})
}

func (h *handler) showLogin(w http.ResponseWriter, r *http.Request, status int, d loginData) {
	v := h.view(r, Person{}, "", "Log in")
	v.Refresh = 0
	d.Command = h.program(r, Person{}).Token()
	v.D = d
	h.templates.Render(w, r, status, "login", v)
}

// maxLogin is the largest login form in bytes: it holds only a token.
const maxLogin = 4 << 10

// login opens a session. The token is neither logged nor shown again.
func (h *handler) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	next := h.safeNext(r.PostFormValue("next"))
	if err := h.cfg.Sessions.Login(w, r, strings.TrimSpace(r.PostFormValue("token"))); err != nil {
		h.showLogin(w, r, http.StatusForbidden, loginData{Next: next, Error: err.Error()})
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	h.cfg.Sessions.Logout(w, r)
	http.Redirect(w, r, h.cfg.Base+"/login", http.StatusSeeOther)
}
