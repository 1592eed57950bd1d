package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/live"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/look"
	"github.com/atonehq/atone/saga/rejected"
)

type bodyOutput struct{ Body func(huma.Context) }

func (s *Server) eventOperations() {
	type eventsInput struct {
		params.Run
		params.Request
		From   uint64 `query:"from" maximum:"9223372036854775807" doc:"The revision of the first event wanted."`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"The most events in a page; a stream has no limit."`
		Last   string `header:"Last-Event-ID" maxLength:"20" doc:"For a stream: the revision of the last event seen; the stream goes on after it."`
		Accept string `header:"Accept" maxLength:"1000" doc:"text/event-stream for a live stream."`
	}
	o := readRun("get-events", "/runs/{id}/events", "A run's events, as a page or as a live stream (Accept: text/event-stream)")
	o.long = true
	documented := answers(s, map[string]typeOf{"application/json": typeOfEvents, live.ContentType: nil})
	o.adjust = func(op *huma.Operation) {
		documented(op)
		op.Responses["204"] = &huma.Response{Description: "The stream is over: the run has ended and the client has seen its end."}
	}
	register(s, o, func(ctx context.Context, in *eventsInput) (*bodyOutput, error) {
		if err := s.allowRun(ctx, in.ID); err != nil {
			return nil, err
		}
		fields, err := s.secretsOfRun(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(in.Accept, live.ContentType) {
			return s.eventPage(ctx, in.ID, in.From, in.Limit, fields)
		}
		from := in.From
		if in.Last != "" {
			last, err := strconv.ParseUint(in.Last, 10, 63)
			if err != nil {
				return nil, fmt.Errorf("%w: Last-Event-ID %q is not a revision", errBadQuery, in.Last)
			}
			from = last + 1
		}
		r, _ := humago.Unwrap(in.Context)
		release, err := s.streams.Take(clientOf(r))
		if err != nil {
			return nil, err
		}
		return &bodyOutput{func(hc huma.Context) {
			defer release()
			s.streamRun(hc, in.ID, from, fields)
		}}, nil
	})

	type emitInput struct{ Body wire.Emit }
	type emitOutput struct{ Body saga.Emitted }
	register(s, operation{id: "emit-event", method: http.MethodPost, path: "/events", tag: "events", summary: "Append a domain event to a stream",
		scopes: []auth.Scope{auth.Start}, errors: [][]int{bodyErrors, conflict}, status: http.StatusCreated},
		func(ctx context.Context, in *emitInput) (*emitOutput, error) {
			if err := allowAll(ctx, "an event"); err != nil {
				return nil, err
			}
			if err := s.ready(); err != nil {
				return nil, err
			}
			e := in.Body
			at, err := s.cfg.Coordinator.EmitEvent(ctx, e.Stream, e.Type, e.Payload, saga.EmitOptions{ID: e.ID, Correlation: e.Correlation})
			return &emitOutput{at}, err
		})

	type browseInput struct {
		params.Events
		params.Follow
	}
	register(s, operation{id: "list-events", method: http.MethodGet, path: "/events", tag: "events", summary: "Domain events, newest first; with ?follow as a live stream of new ones",
		scopes: []auth.Scope{auth.Read}, long: true, adjust: followed[wire.Event](s)},
		func(ctx context.Context, in *browseInput) (*bodyOutput, error) {
			if err := allowAll(ctx, "the list of events"); err != nil {
				return nil, err
			}
			if in.Follow.Wants() {
				return s.followEvents(ctx, &in.Follow, in.Filter())
			}
			bounded, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
			defer cancel()
			page, err := s.browse(bounded, &in.Events)
			return &bodyOutput{jsonBody(page)}, err
		})
}

// rejectedOperations list the events that could not start their runs, and retry or dismiss them.
func (s *Server) rejectedOperations() {
	type rejectedInput struct {
		State     string   `query:"state" enum:"open,started,dismissed,all" default:"open" doc:"Where they stand."`
		IDs       []string `query:"id,explode" maxItems:"1000" doc:"Only these, by the ids of the rejections or of the events."`
		Sagas     []string `query:"saga,explode" maxItems:"100" doc:"Only those that should have started one of these sagas."`
		Type      string   `query:"type" maxLength:"250" doc:"Only events of this type."`
		Ascending bool     `query:"ascending" doc:"Oldest first."`
		Limit     int      `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"The size of the page."`
		Cursor    string   `query:"cursor" maxLength:"100" doc:"Continues after an earlier page: its next."`
	}
	type rejectedOutput struct{ Body wire.RejectedEvents }
	register(s, operation{id: "list-rejected-events", method: http.MethodGet, path: "/rejected-events", tag: "events", scopes: []auth.Scope{auth.Read},
		summary: "Domain events that could not start their runs, newest first"}, func(ctx context.Context, in *rejectedInput) (*rejectedOutput, error) {
		f := rejected.Filter{State: rejected.State(in.State), IDs: in.IDs, Type: in.Type, Ascending: in.Ascending, Limit: in.Limit, Cursor: in.Cursor}
		if in.State == "all" {
			f.State = ""
		}
		var err error
		if f.Sagas, err = boundTo(ctx, in.Sagas); err != nil {
			return nil, err
		}
		if err := s.exist(ctx, in.Sagas, nil); err != nil {
			return nil, err
		}
		page, err := s.cfg.Coordinator.Rejected().List(ctx, f)
		return &rejectedOutput{wire.RejectedEventsOf(&page)}, err
	})
	type actInput struct{ Body wire.RejectedAct }
	type actOutput struct{ Body wire.RejectedReport }
	register(s, operation{id: "act-on-rejected-events", method: http.MethodPost, path: "/rejected-events", tag: "events", scopes: []auth.Scope{auth.Operate},
		summary: "Retry rejected events, or dismiss them", errors: [][]int{bodyErrors}, long: true}, func(ctx context.Context, in *actInput) (*actOutput, error) {
		if err := s.ready(); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, s.cfg.MaxWait)
		defer cancel()
		req := in.Body.Request()
		req.Within = caller(ctx).Sagas
		report, err := s.cfg.Coordinator.Rejected().Do(ctx, &req)
		return &actOutput{wire.RejectedReportOf(&report)}, err
	})
}

// secretsOfRun returns the secret fields of the run's plan.
func (s *Server) secretsOfRun(ctx context.Context, id domain.RunID) (secret.Fields, error) {
	origin, err := look.OriginOf(ctx, s.cfg.Log, s.cfg.Coordinator, id)
	return origin.Secrets, err
}

// eventPage returns a page of a run's events, oldest first.
func (s *Server) eventPage(ctx context.Context, id domain.RunID, from uint64, limit int, fields secret.Fields) (*bodyOutput, error) {
	page := wire.Page[wire.Event]{Items: []wire.Event{}}
	cloak, begin := secret.NewCloak(fields), from
	if len(fields) > 0 {
		begin = 0 // for the secret values of the events before
	}
	for r, err := range s.cfg.Log.ReadStream(ctx, domain.RunStream(id), begin) {
		if err != nil {
			return nil, err
		}
		if r.Revision < from {
			cloak.Pass(&r)
			continue
		}
		if len(page.Items) == limit {
			page.Next = strconv.FormatUint(r.Revision, 10)
			break
		}
		page.Items = append(page.Items, eventOf(&r, cloak))
		page.Position = r.Position
	}
	return &bodyOutput{jsonBody(page)}, nil
}

// streamRun sends a run's events as they come, until the run has ended, the client leaves or the
// server stops. A client that reconnects after the end gets 204, which makes browsers stop.
func (s *Server) streamRun(hc huma.Context, id domain.RunID, from uint64, fields secret.Fields) {
	r, w := humago.Unwrap(hc)
	ctx, cancel := s.untilDrain(r.Context())
	defer cancel()
	stream := live.New(w, s.cfg.KeepAlive, func() bool { return s.mayStream(r, id) })
	name := domain.RunStream(id)
	var after domain.Position
	begin := from
	cloak := secret.NewCloak(fields)
	if len(fields) > 0 {
		begin = 0 // for the secret values of the events before
	} else if begin > 0 {
		begin-- // the event before it has the position to subscribe after
	}
	ended := false
	for { // once, or again from the beginning if the client asks for events past the end
		for e, err := range s.cfg.Log.ReadStream(ctx, name, begin) {
			if err != nil {
				s.streamFailed(ctx, id, err)
				return
			}
			after, ended = e.Position, endsRun(&e, ended)
			if e.Revision < from {
				cloak.Pass(&e)
			} else if stream.Event(e.Revision, e.Type, eventOf(&e, cloak)) != nil {
				return
			}
		}
		if after > 0 || begin == 0 {
			break
		}
		begin = 0
	}
	if ended {
		if !stream.Begun() {
			w.WriteHeader(http.StatusNoContent)
		}
		return
	}
	stream.Begin()
	defer stream.KeepAlive(cancel)()
	for d, err := range s.cfg.Log.Subscribe(ctx, after, domain.Filter{Prefixes: []string{name}}) {
		if err != nil {
			s.streamFailed(ctx, id, err)
			return
		}
		if d.Event == nil || d.Event.Stream != name || d.Event.Revision < from {
			continue
		}
		if stream.Event(d.Event.Revision, d.Event.Type, eventOf(d.Event, cloak)) != nil || endsRun(d.Event, false) {
			return
		}
	}
}

// mayStream reports whether the caller may still see the run: the token may have ended since the
// stream began.
func (s *Server) mayStream(r *http.Request, id domain.RunID) bool {
	who, err := s.guard.Authenticate(r)
	return err == nil && who.Has(auth.Read) && s.allowRun(auth.WithIdentity(r.Context(), who), id) == nil
}

func (s *Server) streamFailed(ctx context.Context, id domain.RunID, err error) {
	if ctx.Err() == nil {
		s.cfg.Logger.Warn("live stream ended early: the client will come back", "run", id, "error", err)
	}
}

// endsRun reports whether the run has ended once the event has happened. ended says whether it had
// ended before.
func endsRun(e *domain.Recorded, ended bool) bool {
	switch e.Type {
	case "run.completed.v1", "run.compensated.v1", "run.cancelled.v1", "run.abandoned.v1":
		return true
	case "run.turned_back.v1": // a parent undoes a child that had ended
		return false
	}
	return ended
}

// browse returns a page of domain events. Of one that the log does not have any more, or can't
// read, there is what the view knows.
func (s *Server) browse(ctx context.Context, in *params.Events) (page wire.Page[wire.Event], err error) {
	f := in.Filter()
	f.Fresh = s.fresh(in.Fresh)
	end := func() (domain.Position, error) { return s.lastPosition(ctx, domain.Filter{}) }
	found, err := params.Latest(&in.Fresh, &f.Fresh, end, func() (events.Page, error) { return s.cfg.Views.Events(ctx, f) })
	if err != nil {
		return page, err
	}
	list, err := events.Read(ctx, s.cfg.Log, found.Rows)
	items := make([]wire.Event, len(list))
	for i := range list {
		if r := list[i].Recorded; r != nil {
			items[i] = s.appEvent(ctx, r)
		} else {
			items[i] = wire.MissingEvent(&list[i])
		}
	}
	return wire.PageOf(items, found.Next, &found.As), err
}

// appEvent turns a domain event into a body, without its secrets.
func (s *Server) appEvent(ctx context.Context, r *domain.Recorded) wire.Event {
	fields := secret.Fields(s.cfg.Coordinator.SecretFields(r.Type))
	if id, ok := domain.RunOfStream(r.Stream); ok {
		of, err := s.secretsOfRun(ctx, id)
		if err != nil {
			of = secret.All // nobody knows what is not
		}
		fields = append(fields, of...)
	}
	return eventOf(r, secret.NewCloak(fields))
}

// eventOf turns a recorded event into a body, without its secrets.
func eventOf(r *domain.Recorded, cloak *secret.Cloak) wire.Event {
	e := wire.Event{Stream: r.Stream, Revision: r.Revision, Position: r.Position, ID: r.ID, Type: r.Type, Created: r.Created}
	if m, err := domain.DecodeMeta(r.Metadata); err == nil {
		e.At, e.Actor, e.Correlation, e.Causation = m.At, m.Actor, m.CorrelationID, m.CausationID
	}
	if r.Binary || !json.Valid(r.Data) {
		e.Binary = r.Data
	} else {
		e.Data = cloak.Event(r)
	}
	return e
}
