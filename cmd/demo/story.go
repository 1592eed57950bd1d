package demo

import (
	"context"
	"io"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	told "github.com/atonehq/atone/projections/story"
)

// tellStory writes a run's whole audit trail as a timeline.
func tellStory(ctx context.Context, w io.Writer, log *pebblelog.Log, run domain.RunID) error {
	s, err := told.Tell(ctx, log, run)
	if err != nil {
		return err
	}
	for i := range s.Lines {
		if err := story.Print(w, tty.PaletteFor(w), &s.Lines[i]); err != nil {
			return err
		}
	}
	return nil
}
