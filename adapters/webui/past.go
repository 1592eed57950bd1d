package webui

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
)

// past is the moment of a run's history that its page shows in place of now.
type past struct {
	// Revision is the last event that had happened, Last that of the whole stream as it is now.
	Revision, Last uint64
	// Event is that last event.
	Event story.Line
}

// Earlier and Later are the events next to this one, as the page's address takes them.
func (p *past) Earlier() string { return strconv.FormatUint(p.Revision-1, 10) }

// Later is the event after this one.
func (p *past) Later() string { return strconv.FormatUint(p.Revision+1, 10) }

// momentParam reads which event is the last that a page shows: all of them, where the address does
// not say.
func momentParam(r *http.Request) (uint64, error) {
	text := r.URL.Query().Get("at")
	if text == "" {
		return domain.End, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == domain.End {
		return 0, errNoPage
	}
	return n, nil
}

// lookBack tells of the moment that the run was read up to, and how its page gets to others. A
// moment that has not come is not found.
func (h *handler) lookBack(r *http.Request, t *told, until uint64) (*past, error) {
	p := &past{Revision: until}
	for e, err := range h.cfg.Log.ReadStreamBackward(r.Context(), domain.RunStream(t.id), domain.End) {
		if err != nil {
			return nil, fmt.Errorf("read the end of run %s: %w", t.id, err)
		}
		p.Last = e.Revision
		break
	}
	rows := story.Of(t.id, t.facts, t.plan.Secrets()).Lines
	if until > p.Last || len(rows) == 0 {
		return nil, fmt.Errorf("event %d of run %s: %w", until, t.id, errNoPage)
	}
	p.Event = rows[len(rows)-1]
	return p, nil
}
