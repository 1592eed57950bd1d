package webui

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
)

// Projections tells how the views fare; a [runner.Runner] does.
type Projections interface {
	Status(ctx context.Context) ([]runner.Status, error)
}

// A list is behind if it lacks events older than behindAfter. The views are asked at most once in
// behindEvery: that reads a little of the log.
const (
	behindAfter = 5 * time.Second
	behindEvery = 3 * time.Second
)

// built returns the error of a view, or nil where the view is not built yet: then the page says so,
// and fills by itself.
func built(v *show.View, err error) error {
	if errors.Is(err, projections.ErrNoView) {
		v.Behind = "The lists are being made from the log. This page fills by itself."
		return nil
	}
	return err
}

// ask asks a view for a page of a list. Where the filter changed under a kept cursor, the list
// begins again.
func ask[F, P any](r *http.Request, view func(context.Context, F) (P, error), f *F, cursor *string) (P, error) {
	page, err := view(r.Context(), *f)
	if errors.Is(err, projections.ErrBadCursor) {
		*cursor = ""
		return view(r.Context(), *f)
	}
	return page, err
}

// caughtUp reads the log position that a list must have reached, after a form changed something.
func caughtUp(q url.Values) projections.Fresh {
	n, err := strconv.ParseUint(q.Get("seen"), 10, 64)
	if err != nil {
		return projections.Fresh{}
	}
	return projections.Fresh{AtLeast: domain.Position(n), Wait: time.Second}
}

// watch remembers how far the views are behind.
type watch struct {
	mu    sync.Mutex
	asked time.Time
	text  string
}

// warn has the page say that its list is behind.
func (h *handler) warn(r *http.Request, v *show.View) {
	if v.Behind == "" {
		v.Behind = h.behind(r.Context())
	}
}

// behind says that the lists lack what is newest, or "". A person must not take an old list for the
// truth.
func (h *handler) behind(ctx context.Context) string {
	if h.cfg.Projections == nil {
		return ""
	}
	w := &h.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	now := h.cfg.Now()
	if !w.asked.IsZero() && now.Sub(w.asked) < behindEvery {
		return w.text
	}
	all, err := h.cfg.Projections.Status(ctx)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			h.cfg.Logger.Warn("how far the views are behind is not known", "error", err)
		}
		return w.text
	}
	w.asked, w.text = now, ""
	var lag time.Duration
	var events string
	for _, s := range all {
		if s.Live != nil && s.Live.Old {
			w.text = "These lists are old: they were made from another log, or from events that the log has lost. They are being rebuilt. A run's own page tells what the log has."
			return w.text
		}
		if s.Lag > lag {
			lag, events = s.Lag, format.Plural(int(s.LagEvents), "event", "events")
			if s.LagMore {
				events = "more than " + events
			}
		}
	}
	if lag > behindAfter {
		w.text = "The lists are " + format.Took(lag) + " behind (" + events + "). A run's own page is always up to date."
	}
	return w.text
}

// sagaNames lists the sagas that the person may see.
func (h *handler) sagaNames(who Person) []string {
	var names []string
	for _, s := range h.cfg.Coordinator.Sagas() {
		if who.sees(s.Name) && (len(names) == 0 || names[len(names)-1] != s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// head returns the position of the run's last event, so that the next page can wait for the views
// to have it.
func (h *handler) head(r *http.Request, id domain.RunID) domain.Position {
	for e, err := range h.cfg.Log.ReadStreamBackward(r.Context(), domain.RunStream(id), domain.End) {
		if err != nil {
			break // the next page is then as fresh as the views are
		}
		return e.Position
	}
	return 0
}
