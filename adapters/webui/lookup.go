package webui

import (
	"context"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/look"
)

// runLookup finds what runs are of, each once.
type runLookup struct {
	h     *handler
	known map[domain.RunID]look.Origin
}

func (h *handler) lookup() *runLookup { return &runLookup{h, map[domain.RunID]look.Origin{}} }

// of tells what a run is of. Where that can't be read everything in the run is secret.
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
