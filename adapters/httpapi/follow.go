package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/live"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/projections/runs"
)

// The names of a followed list's events. Their ids are log positions.
const (
	listEvent = "list" // the list as it is
	runEvent  = "run"  // a run of the list that is new or has changed
	goneEvent = "gone" // a run that is no longer in the list
	actEvent  = "act"  // an act or outcome
)

const (
	// gather is how long changes are collected before they are sent together.
	gather = 100 * time.Millisecond
	// mostChanged is how many changed runs are sent one by one. If more have changed at once, the
	// whole list is sent again. It also bounds how many runs of a list a stream remembers in order
	// to say which are gone.
	mostChanged = 1_000
	// mostMissed is how many acts a client that comes back may have missed.
	mostMissed = 10_000
	// behind is how long a view may take to catch up with the log.
	behind = 30 * time.Second
)

// startOf returns the log position after which a stream begins: that of the last event that the
// client has seen or, for a new client, of the last event that the filter selects.
func (s *Server) startOf(ctx context.Context, in *params.Follow, filter domain.Filter) (domain.Position, error) {
	if in.Last == "" {
		return s.lastPosition(ctx, filter)
	}
	at, err := strconv.ParseUint(in.Last, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: Last-Event-ID %q is not a log position", errBadQuery, in.Last)
	}
	return domain.Position(at), nil
}

// stream returns an answer that writes a live stream. It calls may again and again with the
// caller's current identity, because a token may end while the stream goes on.
func (s *Server) stream(in *params.Follow, may func(auth.Identity) bool, write func(context.Context, *live.Stream) error) (*bodyOutput, error) {
	r, _ := humago.Unwrap(in.Context)
	release, err := s.streams.Take(clientOf(r))
	if err != nil {
		return nil, err
	}
	return &bodyOutput{func(hc huma.Context) {
		defer release()
		r, w := humago.Unwrap(hc)
		ctx, cancel := s.untilDrain(r.Context())
		defer cancel()
		stream := live.New(w, s.cfg.KeepAlive, func() bool {
			who, err := s.guard.Authenticate(r)
			return err == nil && who.Has(auth.Read) && may(who)
		})
		stream.Begin()
		defer stream.KeepAlive(cancel)()
		if err := write(ctx, stream); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("live stream ended early: the client will come back", "path", r.URL.Path, "error", err)
		}
	}}, nil
}

// changed collects runs that have changed since the last call of take.
type changed struct {
	mu   sync.Mutex
	runs map[domain.RunID]bool
	at   domain.Position
	err  error
	wake chan struct{} // has an element if there is something to take
}

// watch collects changes of runs after the position until ctx ends.
func (s *Server) watch(ctx context.Context, after domain.Position) (c *changed, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	c = &changed{runs: map[domain.RunID]bool{}, wake: make(chan struct{}, 1)}
	var running sync.WaitGroup
	running.Go(func() {
		for d, err := range s.cfg.Log.Subscribe(ctx, after, ofRuns) {
			if err == nil && d.Event == nil {
				continue
			}
			c.note(d.Event, err)
			if err != nil {
				return
			}
		}
	})
	return c, func() { cancel(); running.Wait() }
}

func (c *changed) note(e *domain.Recorded, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err = err; err == nil {
		if id, ok := domain.RunOfStream(e.Stream); ok && len(c.runs) <= mostChanged {
			c.runs[id] = true
		}
		c.at = e.Position
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take waits for changes and returns them all.
func (c *changed) take(ctx context.Context) (ids []domain.RunID, at domain.Position, err error) {
	select {
	case <-c.wake:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	select {
	case <-time.After(gather):
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.runs {
		ids = append(ids, id)
	}
	clear(c.runs)
	return ids, c.at, c.err
}

// followRuns streams a list of runs: first the list, then each of its runs that is new, has changed
// or is gone. A client that comes back gets the list again.
func (s *Server) followRuns(ctx context.Context, in *params.Follow, f runs.Filter) (*bodyOutput, error) {
	at, err := s.lastPosition(ctx, ofRuns)
	if err != nil {
		return nil, err
	}
	f.Cursor, f.Fresh = "", projections.Fresh{AtLeast: at, Wait: behind}
	first, err := s.cfg.Views.Runs(ctx, f)
	if err != nil {
		return nil, err
	}
	bound := caller(ctx).Sagas
	return s.stream(in, func(who auth.Identity) bool { return slices.Equal(who.Sagas, bound) }, func(ctx context.Context, stream *live.Stream) error {
		told, err := s.tellList(ctx, stream, first, at)
		c, stop := s.watch(ctx, at)
		defer stop()
		for err == nil {
			var ids []domain.RunID
			if ids, at, err = c.take(ctx); err != nil {
				return err
			}
			f.Fresh.AtLeast = at
			if len(ids) > mostChanged || len(told) > mostChanged {
				if first, err = s.cfg.Views.Runs(ctx, f); err == nil {
					told, err = s.tellList(ctx, stream, first, at)
				}
				continue
			}
			err = s.tellRuns(ctx, stream, f, ids, told)
		}
		return err
	})
}

func (s *Server) tellList(ctx context.Context, stream *live.Stream, page runs.Page, at domain.Position) (told map[domain.RunID]bool, err error) {
	// up: a followed list has the bodies of a list
	item, err := s.runItems(ctx, page.Rows)
	if err != nil {
		return nil, err
	}
	body := wire.RowsOf(page, item)
	told = make(map[domain.RunID]bool, len(page.Rows))
	for i := range page.Rows {
		told[page.Rows[i].ID] = true
	}
	return told, stream.Event(uint64(at), listEvent, body)
}

// tellRuns sends the changed runs that are in the list, and says which have left it.
func (s *Server) tellRuns(ctx context.Context, stream *live.Stream, f runs.Filter, ids []domain.RunID, told map[domain.RunID]bool) error {
	if len(ids) == 0 {
		return nil
	}
	at := uint64(f.AtLeast)
	f.IDs, f.Limit, f.Ascending = ids, len(ids), true
	page, err := s.cfg.Views.Runs(ctx, f)
	if err != nil {
		return err
	}
	item, err := s.runItems(ctx, page.Rows) // up: as above
	if err != nil {
		return err
	}
	in := map[domain.RunID]bool{}
	for i := range page.Rows {
		r := &page.Rows[i]
		in[r.ID], told[r.ID] = true, true
		if err := stream.Event(at, runEvent, item(r)); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if !told[id] || in[id] {
			continue
		}
		delete(told, id)
		if err := stream.Event(at, goneEvent, wire.Gone{Run: id}); err != nil {
			return err
		}
	}
	return nil
}

// followAudit streams acts and outcomes across runs: new ones from now on or, for a client that
// comes back, those after the last that it has seen.
func (s *Server) followAudit(ctx context.Context, in *params.Follow, f audit.Filter) (*bodyOutput, error) {
	last, err := s.startOf(ctx, in, ofRuns)
	if err != nil {
		return nil, err
	}
	end, err := s.lastPosition(ctx, ofRuns)
	if err != nil {
		return nil, err
	}
	f.ByLog, f.Ascending, f.Limit = true, false, mostChanged
	missed, err := s.acts(ctx, f, last, end)
	if err != nil {
		return nil, err
	}
	bound := caller(ctx).Sagas
	return s.stream(in, func(who auth.Identity) bool { return slices.Equal(who.Sagas, bound) }, func(ctx context.Context, stream *live.Stream) error {
		rows, at := missed, end
		c, stop := s.watch(ctx, end)
		defer stop()
		for {
			for i := range rows {
				if err := stream.Event(uint64(rows[i].Position), actEvent, wire.AuditRowOf(&rows[i])); err != nil {
					return err
				}
			}
			last = max(last, at)
			var err error
			if _, at, err = c.take(ctx); err != nil {
				return err
			}
			if rows, err = s.acts(ctx, f, last, at); err != nil {
				return err
			}
		}
	})
}

// acts returns the acts that the filter selects after one position and at least up to another,
// oldest first.
func (s *Server) acts(ctx context.Context, f audit.Filter, after, upTo domain.Position) (rows []audit.Row, err error) {
	f.Cursor, f.Fresh = "", projections.Fresh{AtLeast: upTo, Wait: behind}
	for {
		page, err := s.cfg.Views.Audit(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page.Rows {
			switch p := page.Rows[i].Position; {
			case p <= after:
				slices.Reverse(rows)
				return rows, nil
			case p <= upTo:
				rows = append(rows, page.Rows[i])
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			slices.Reverse(rows)
			return rows, nil
		}
		if len(rows) > mostMissed {
			return nil, fmt.Errorf("%w: more than %d acts follow position %d: read the list first, then follow from its end", errBadQuery, mostMissed, after)
		}
	}
}

// followEvents streams domain events: new ones from now on or, for a client that comes back, those
// after the last that it has seen.
func (s *Server) followEvents(ctx context.Context, in *params.Follow, f events.Filter) (*bodyOutput, error) {
	after, err := s.startOf(ctx, in, domain.Filter{})
	if err != nil {
		return nil, err
	}
	var filter domain.Filter
	if begins := cmp.Or(f.Stream, f.StreamBegins); begins != "" {
		filter.Prefixes = []string{begins}
	}
	return s.stream(in, func(who auth.Identity) bool { return !who.Bound() }, func(ctx context.Context, stream *live.Stream) error {
		for d, err := range s.cfg.Log.Subscribe(ctx, after, filter) {
			if err != nil {
				return err
			}
			if d.Event == nil || !f.Accepts(d.Event) {
				continue
			}
			// up: a followed event has the same body as a listed one
			if err := stream.Event(uint64(d.Event.Position), d.Event.Type, s.appEvent(ctx, d.Event)); err != nil {
				return err
			}
		}
		return nil
	})
}
