package webui

import (
	"net/http"

	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/search"
)

// trailPage is the audit trail across runs.
type trailPage struct {
	Query, Sort, Failed string
	Rows                []audit.Row
	Next                string
	First               bool
	Bad                 []string
	// Empty stands in the place of the rows where there are none.
	Empty *empty.Page
}

// trail lists acts and outcomes in all runs, newest first.
func (h *handler) trail(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	v := h.view(r, who, "audit", "Audit")
	d := &trailPage{Query: q.Get("q"), Sort: q.Get("sort"), Failed: q.Get("failed"), First: q.Get("cursor") == ""}
	f, bad := searched(r, h, who, v, d.Query, search.Audit)
	d.Bad = bad
	f.HasError, f.Ascending, f.Cursor, f.Limit = d.Failed != "", d.Sort == "oldest", q.Get("cursor"), h.cfg.PageSize
	if len(bad) == 0 && who.narrow(&f.Sagas) {
		page, err := ask(r, h.cfg.Views.Audit, &f, &f.Cursor)
		if err = built(v, err); err != nil {
			return err
		}
		d.Rows, d.Next = page.Rows, page.Next
	}
	h.warn(r, v)
	if len(d.Rows) == 0 {
		d.Empty = h.program(r, who).Audit(empty.Asked{Query: d.Query, State: d.Failed, Bad: d.Bad, Behind: v.Behind})
	}
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "trail", v)
	return nil
}
