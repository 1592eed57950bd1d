package story

import (
	"context"
	"fmt"
	"iter"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	told "github.com/atonehq/atone/projections/story"
)

// Follow yields a run's story from a revision on and continues with new events until the run or ctx
// ends.
func Follow(ctx context.Context, c *client.Client, id domain.RunID, from uint64) iter.Seq2[told.Line, error] {
	return func(yield func(told.Line, error) bool) {
		t := told.NewTeller(id, nil) // the API has redacted what is secret
		for e, err := range c.Follow(ctx, id, 0) {
			var row told.Line
			if err == nil {
				row, err = tell(t, &e)
			}
			if err == nil && e.Revision < from {
				continue // it is only what later lines are told from
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// tell adds an event as the API has it to a story.
func tell(t *told.Teller, e *wire.Event) (told.Line, error) {
	event, err := domain.DecodeEvent(e.Type, e.Data)
	if err != nil {
		return told.Line{}, fmt.Errorf("revision %d of run %s: %w: the server is newer than this program: update it", e.Revision, t.Story.Run, err)
	}
	meta := domain.Meta{At: e.At, Actor: e.Actor, CorrelationID: e.Correlation, CausationID: e.Causation}
	return t.Tell(domain.Fact{Event: event, Meta: meta, ID: e.ID, Revision: e.Revision}), nil
}
