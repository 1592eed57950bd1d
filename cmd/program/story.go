package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
)

// followRun yields a run's story from its beginning, then what happens, until the run ends or ctx does.
func followRun(ctx context.Context, c *client.Client, id domain.RunID) iter.Seq2[story.Line, error] {
	return func(yield func(story.Line, error) bool) {
		t := story.NewTeller(id, nil) // the API has redacted what is secret
		for e, err := range c.Follow(ctx, id, 0) {
			var row story.Line
			if err == nil {
				row, err = tell(t, &e)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// tell adds an event as the API has it to a story.
func tell(t *story.Teller, e *wire.Event) (story.Line, error) {
	event, err := domain.DecodeEvent(e.Type, e.Data)
	if err != nil {
		return story.Line{}, fmt.Errorf("revision %d of run %s: %w: the server is newer than this program: update it", e.Revision, t.Story.Run, err)
	}
	meta := domain.Meta{At: e.At, Actor: e.Actor, CorrelationID: e.Correlation, CausationID: e.Causation}
	return t.Tell(domain.Fact{Event: event, Meta: meta, ID: e.ID, Revision: e.Revision}), nil
}

// storyOf returns everything that happened to a run.
func storyOf(ctx context.Context, c *client.Client, id domain.RunID) (*story.Story, error) {
	s, err := c.Story(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range s.Lines { // the answer was indented, and so are the payloads in it
		r := &s.Lines[i]
		r.Input, r.Output = compact(r.Input), compact(r.Output)
	}
	return s, nil
}

// compact drops the white space of a JSON value.
func compact(raw json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return raw
	}
	return out.Bytes()
}

// eventsAtOnce is how many events one request asks for.
const eventsAtOnce = 1000

// eventsOf yields a run's events, oldest first.
func eventsOf(ctx context.Context, c *client.Client, id domain.RunID) iter.Seq2[wire.Event, error] {
	return func(yield func(wire.Event, error) bool) {
		for from := uint64(0); ; {
			page, err := c.Events(ctx, id, from, eventsAtOnce)
			if err != nil {
				yield(wire.Event{}, err)
				return
			}
			for i := range page.Items {
				if !yield(page.Items[i], nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			if from, err = strconv.ParseUint(page.Next, 10, 64); err != nil {
				yield(wire.Event{}, err)
				return
			}
		}
	}
}
