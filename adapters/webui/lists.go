package webui

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/lately"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/domain/shape"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga/look"
)

// names returns the names that a person's search may contain.
func (h *handler) names(ctx context.Context, who Person) search.Names {
	var actions []string
	for _, a := range h.cfg.Coordinator.Actions() {
		actions = append(actions, a.Name)
	}
	ask := func(of runs.Of, prefix string) ([]string, error) { return h.cfg.Views.RunNames(ctx, of, prefix) }
	return search.Known(ask, h.sagaNames(who), actions, who.Sagas)
}

// searched reads what a person typed into the search field of a list. bad lists what is wrong with
// it; the page then shows bad and an empty list.
func searched[F any](r *http.Request, h *handler, who Person, v *show.View, text string, read func(string, time.Time, search.Names) (F, error)) (f F, bad []string) {
	f, err := read(text, v.Now, h.names(r.Context(), who))
	var problems search.Error
	if errors.As(err, &problems) {
		for _, p := range problems {
			bad = append(bad, p.String())
		}
	}
	return f, bad
}

// suggest answers with completions for a search field, as options of its datalist.
func (h *handler) suggest(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	v := h.view(r, who, "", "")
	v.D = search.Complete(q.Get("q"), search.List(q.Get("in")), h.names(r.Context(), who))
	h.templates.Render(w, r, http.StatusOK, "suggestions", v)
	return nil
}

// Projections returns the state of the views; a [runner.Runner] implements it.
type Projections interface {
	Status(ctx context.Context) ([]runner.Status, error)
}

// built returns the error of a query. If the view is not built yet, it returns nil: the page then
// says so, and fills by itself.
func built(v *show.View, err error) error {
	if errors.Is(err, projections.ErrNoView) {
		v.Behind = "The lists are being made from the log. This page fills by itself."
		return nil
	}
	return err
}

// ask queries a view for a page of a list. If the cursor belongs to another filter, the list begins
// again.
func ask[F, P any](r *http.Request, view func(context.Context, F) (P, error), f *F, cursor *string) (P, error) {
	page, err := view(r.Context(), *f)
	if errors.Is(err, projections.ErrBadCursor) {
		*cursor = ""
		return view(r.Context(), *f)
	}
	return page, err
}

// caughtUp reads the log position that a list must include, after a form changed something.
func caughtUp(q url.Values) projections.Fresh {
	n, err := strconv.ParseUint(q.Get("seen"), 10, 64)
	if err != nil {
		return projections.Fresh{}
	}
	return projections.Fresh{AtLeast: domain.Position(n), Wait: time.Second}
}

// warn makes the page say that its list is behind, if it is.
func (h *handler) warn(r *http.Request, v *show.View) {
	if v.Behind == "" {
		v.Behind = h.behind(r.Context())
	}
}

// behind returns a warning if the lists lack the newest events, so that nobody takes an old list
// for the truth; otherwise it returns "".
func (h *handler) behind(ctx context.Context) string {
	if h.cfg.Projections == nil {
		return ""
	}
	return h.lag.Get(ctx, h.cfg.Now(), func(ctx context.Context) (string, error) {
		all, err := h.cfg.Projections.Status(ctx)
		if err != nil && !errors.Is(err, context.Canceled) {
			h.cfg.Logger.Warn("could not find out how far the views are behind", "error", err)
		}
		return lately.Behind(all), err
	})
}

// program is the program behind the page, as the person may use it: what stands on empty pages is
// said of it.
func (h *handler) program(r *http.Request, who Person) *empty.Program {
	p := &empty.Program{Name: h.cfg.Program, Server: "http://" + r.Host, MayStart: who.Start}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		p.Server = "https://" + r.Host
	}
	for _, a := range h.cfg.Coordinator.Actions() {
		if p.First == "" && who.sees(a.Name) {
			p.First, p.Input, p.Action = a.Name, fieldsOf(a.InputSchema).Sample(), true
		}
	}
	for _, s := range h.cfg.Coordinator.Sagas() {
		if (p.First == "" || p.Action) && s.Latest && who.sees(s.Name) {
			p.First, p.Input, p.Action = s.Name, fieldsOf(s.InputSchema).Sample(), false
		}
	}
	return p
}

// fieldsOf reads a schema. If the schema can't be read, it returns nil.
func fieldsOf(schema json.RawMessage) *shape.Field {
	f, err := shape.Read(schema)
	if err != nil {
		return &shape.Field{Kind: shape.Any}
	}
	return f
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
			break // without a position the next page does not wait for the views
		}
		return e.Position
	}
	return 0
}

// runLookup finds the saga and the secret fields of runs, and remembers them.
type runLookup struct {
	h     *handler
	known map[domain.RunID]look.Origin
}

func (h *handler) lookup() *runLookup { return &runLookup{h, map[domain.RunID]look.Origin{}} }

// of returns the origin of a run. If the origin can't be read, everything in the run is secret.
func (l *runLookup) of(ctx context.Context, id domain.RunID) look.Origin {
	o, ok := l.known[id]
	if !ok {
		var err error
		if o, err = look.OriginOf(ctx, l.h.cfg.Log, l.h.cfg.Coordinator, id); err != nil {
			o = look.Origin{Secrets: secret.All}
		}
		l.known[id] = o
	}
	return o
}
