package demo

import (
	"context"
	"io"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// tellStory writes a run's whole audit trail as a timeline.
func tellStory(ctx context.Context, w io.Writer, log *pebblelog.Log, run domain.RunID) error {
	s, err := projections.TellStory(ctx, log, run)
	if err != nil {
		return err
	}
	for i := range s.Rows {
		if err := story.Print(w, tty.PaletteFor(w), &s.Rows[i]); err != nil {
			return err
		}
	}
	return nil
}
