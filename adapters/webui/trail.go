package webui

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/projections"
)

// trailPage is the audit trail across runs.
type trailPage struct {
	Query, Sort, Failed string
	Rows                []projections.AuditRow
	Next                string
	First               bool
	Bad                 []string
}

// trail lists what was done and what came of it, in all runs, newest first.
func (h *handler) trail(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	v := h.view(r, who, "audit", "Audit")
	d := &trailPage{Query: q.Get("q"), Sort: q.Get("sort"), Failed: q.Get("failed"), First: q.Get("cursor") == ""}
	f, bad := parseTrail(d.Query, v.Now)
	d.Bad = bad
	f.Failed, f.Ascending, f.Cursor, f.Limit = d.Failed != "", d.Sort == "oldest", q.Get("cursor"), h.cfg.PageSize
	if who.narrow(&f.Sagas) {
		page, err := h.cfg.Views.Audit(r.Context(), f)
		if errors.Is(err, projections.ErrBadCursor) { // the filter changed under a kept cursor: begin again
			f.Cursor = ""
			page, err = h.cfg.Views.Audit(r.Context(), f)
		}
		if err = built(v, err); err != nil {
			return err
		}
		d.Rows, d.Next = page.Rows, page.Next
	}
	h.warn(r, v)
	v.D = d
	h.render(w, r, http.StatusOK, "trail", v)
	return nil
}

// parseTrail reads what somebody typed: a run's id, words of an error or a payload, and conditions such as
// actor:ada. It returns the conditions that it does not understand.
func parseTrail(text string, now time.Time) (f projections.AuditFilter, bad []string) {
	var words []string
	for _, t := range fields(text) {
		if id, err := uuid.Parse(t); err == nil {
			f.Run = id
			continue
		}
		name, value, _ := strings.Cut(t, ":")
		if value == "" {
			words = append(words, t)
			continue
		}
		switch name {
		case "saga":
			f.Sagas = append(f.Sagas, value)
		case "action":
			f.Actions = append(f.Actions, value)
		case "actor":
			f.Actors = append(f.Actors, value)
		case "what":
			f.Whats = append(f.Whats, value)
		case "step":
			f.Step = value
		case "since", "until":
			at, err := parseTime(value, now)
			switch {
			case err != nil:
				bad = append(bad, t)
			case name == "since":
				f.From = at
			default:
				f.To = at
			}
		default:
			words = append(words, t)
		}
	}
	f.Text = strings.Join(words, " ")
	return f, bad
}

// condition writes a condition for a search, so that a value with spaces stays one.
func condition(name, value string) string {
	value = strings.ReplaceAll(value, `"`, "")
	if strings.Contains(value, " ") {
		value = `"` + value + `"`
	}
	return name + ":" + value
}
