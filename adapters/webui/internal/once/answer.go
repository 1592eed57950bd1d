package once

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"net/url"
)

// Already is the note of an answer that is given again.
const Already = "This was done already, as you first sent it. Nothing was done twice."

// answer is an answer that is kept. It is an [http.ResponseWriter].
type answer struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.head }

func (a *answer) WriteHeader(status int) { a.status = cmp.Or(a.status, status) }

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// send sends the answer.
func (a *answer) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.head)
	w.WriteHeader(cmp.Or(a.status, http.StatusOK))
	_, _ = w.Write(a.body.Bytes()) // the reader may be gone
}

// leads are the headers with which a form that was carried out leads to another page.
var leads = []string{"Location", "HX-Redirect"}

// done reports whether the form was carried out: then it leads to another page.
func (a *answer) done() bool {
	return a.status < http.StatusBadRequest && a.head.Get(leads[0])+a.head.Get(leads[1]) != ""
}

// told reports whether it is known what became of the form.
func (a *answer) told() bool { return a.status < http.StatusInternalServerError }

// again is the answer to a form that is sent again: the page that it leads to says so.
func (a *answer) again() *answer {
	out := &answer{head: a.head.Clone(), status: a.status}
	out.body.Write(a.body.Bytes())
	for _, name := range leads {
		to, err := url.Parse(out.head.Get(name))
		if err != nil || to.Path == "" {
			continue
		}
		q := to.Query()
		q.Set("note", Already)
		to.RawQuery = q.Encode()
		out.head.Set(name, to.String())
	}
	return out
}
