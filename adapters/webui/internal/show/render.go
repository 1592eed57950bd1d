package show

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain/visible"
)

//go:embed templates
var templateFiles embed.FS

// Templates makes the answers of the page. It is safe for concurrent use.
type Templates struct {
	// all has a template NAME for the content of each page and, for pages that refresh themselves,
	// a template NAME-live for the part that is refreshed.
	all    *template.Template
	logger *slog.Logger
}

// New reads the embedded templates. The logger gets the errors of templates that fail.
func New(logger *slog.Logger) (*Templates, error) {
	all, err := template.New("").Funcs(functions).ParseFS(templateFiles, "templates/*.html")
	return &Templates{all, logger}, err
}

// liveKey is the header in which a page sends the key of what it shows, so that the server sends
// nothing if nothing changed.
const liveKey = "X-Live-Key"

// Render answers with a page, or with the part of it that a script asked for. It sends nothing
// before the whole page is made.
func (t *Templates) Render(w http.ResponseWriter, r *http.Request, status int, name string, v *View) {
	v.Name = name
	part := r.Header.Get("HX-Request") != "" && r.Header.Get("HX-History-Restore-Request") == ""
	if part && r.Header.Get("HX-Target") == "live" && t.all.Lookup(name+"-live") != nil {
		name += "-live"
	}
	var buf bytes.Buffer
	err := t.all.ExecuteTemplate(&buf, name, v)
	upright(&buf)
	if err == nil {
		key := keyOf(buf.Bytes())
		if part {
			w.Header().Set(liveKey, key)
			w.Header().Set("X-Title", url.PathEscape(v.Title))
			w.Header().Set("X-Stuck", v.Badge())
			w.Header().Set("X-Rejected", strconv.Itoa(v.Rejected))
			if r.Header.Get(liveKey) == key {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		} else {
			v.Content = template.HTML(buf.String()) //nolint:gosec // our template escaped it
			buf.Reset()
			err = t.all.ExecuteTemplate(&buf, "layout", v)
		}
	}
	if err != nil {
		t.logger.Error("page could not be made", "template", name, "path", r.URL.Path, "error", err)
		http.Error(w, "The page could not be made. The server's log has the cause.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // the reader may be gone
}

// upright replaces hidden characters, and characters that reverse text, by visible escapes, so that
// the text of an error can't change how the sentence around it reads.
func upright(page *bytes.Buffer) {
	shown := visible.Text(page.String())
	page.Reset()
	page.WriteString(shown)
}

// keyOf returns a key that changes with the content of a part of a page.
func keyOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// GoTo sends the browser to another page after a form.
func GoTo(w http.ResponseWriter, r *http.Request, path, note string) {
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
