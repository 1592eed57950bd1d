package webui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/atonehq/atone/domain"
)

//go:embed templates
var templateFiles embed.FS

// templates are all pages; each has a template NAME for the page's content and, where it refreshes
// itself, one NAME-live for the part that does.
type templates struct{ *template.Template }

func parseTemplates() (*templates, error) {
	t, err := template.New("").Funcs(functions).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	return &templates{t}, nil
}

// view is what every template is given.
type view struct {
	Base, Assets, Version string
	Person                Person
	Nav, Title            string
	// Self is the address of the page with its query.
	Self string
	Now  time.Time
	// Refresh is how often the page asks for news, in milliseconds; 0 is never.
	Refresh int64
	// Stuck counts the runs that are stuck, for the badge; 0 for people who may not see all.
	Stuck int
	// Behind says that the lists lack what is newest.
	Behind string
	// Note tells what came of a form.
	Note string
	// D is the page's own data.
	D any
	// Name is the page's template; Content is what it made.
	Name    string
	Content template.HTML
}

func (h *handler) view(r *http.Request, who Person, nav, title string) *view {
	v := &view{Base: h.cfg.Base, Assets: h.cfg.Base + "/static/" + h.assets, Version: h.cfg.Version, Person: who, Nav: nav, Title: title,
		Self: r.URL.RequestURI(), Now: h.cfg.Now(), Refresh: h.cfg.Refresh.Milliseconds()}
	if from := r.Header.Get("Sec-Fetch-Site"); from == "" || from == "same-origin" { // nobody's link puts words into this page's mouth
		v.Note = r.URL.Query().Get("note")
	}
	if len(who.Sagas) == 0 && who.Name != "" {
		v.Stuck = h.cfg.Coordinator.RunStates()[domain.RunIsStuck]
	}
	return v
}

// With returns the view with other data, for templates within templates.
func (v *view) With(d any) *view {
	c := *v
	c.D = d
	return &c
}

// Link returns an address below the base with query parameters, given as name and value in turn; empty values
// are left out.
func (v *view) Link(path string, params ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		if params[i+1] != "" {
			q.Set(params[i], params[i+1])
		}
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return v.Base + path
}

// liveKey is the header by which a page says what it shows, so that nothing is sent when nothing changed.
const liveKey = "X-Live-Key"

// render answers with a page, or with the part of it that a script asked for. Nothing is sent
// before the whole page is made.
func (h *handler) render(w http.ResponseWriter, r *http.Request, status int, name string, v *view) {
	v.Name = name
	part := r.Header.Get("HX-Request") != "" && r.Header.Get("HX-History-Restore-Request") == ""
	if part && r.Header.Get("HX-Target") == "live" && h.views.Lookup(name+"-live") != nil {
		name += "-live"
	}
	var buf bytes.Buffer
	err := h.views.ExecuteTemplate(&buf, name, v)
	upright(&buf)
	if err == nil {
		key := keyOf(buf.Bytes())
		if part {
			w.Header().Set(liveKey, key)
			w.Header().Set("X-Title", url.PathEscape(v.Title))
			w.Header().Set("X-Stuck", strconv.Itoa(v.Stuck))
			if r.Header.Get(liveKey) == key {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		} else {
			v.Content = template.HTML(buf.String()) //nolint:gosec // made by our own template, which escaped it
			buf.Reset()
			err = h.views.ExecuteTemplate(&buf, "layout", v)
		}
	}
	if err != nil {
		h.cfg.Logger.Error("page could not be made", "template", name, "path", r.URL.Path, "error", err)
		http.Error(w, "The page could not be made; the server's log has the cause.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // a reader who left has no use for the error
}

// upright replaces the characters that turn text round (Unicode's bidirectional controls) in a page: an error's
// text must not be able to rewrite the sentence that it stands in.
func upright(page *bytes.Buffer) {
	if !bytes.ContainsFunc(page.Bytes(), turnsText) {
		return
	}
	b := bytes.Map(func(r rune) rune {
		if turnsText(r) {
			return utf8.RuneError
		}
		return r
	}, page.Bytes())
	page.Reset()
	page.Write(b)
}

// turnsText reports whether a character changes the direction of the text around it.
func turnsText(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

// keyOf stands for the content of a part of a page.
func keyOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// goTo sends the browser to another page after a form.
func (h *handler) goTo(w http.ResponseWriter, r *http.Request, path, note string) {
	if note != "" {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "note=" + url.QueryEscape(note)
	}
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", path)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}
