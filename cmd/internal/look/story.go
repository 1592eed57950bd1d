package look

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"strconv"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
)

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
