package webui

import (
	"context"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
)

// runLookup finds what runs are of, each once.
type runLookup struct {
	h     *handler
	known map[domain.RunID]lookedUp
}

type lookedUp struct {
	saga, key string
	fields    secret.Fields
}

// of reads a run's first event. Where that fails everything is secret.
func (l *runLookup) of(ctx context.Context, id domain.RunID) lookedUp {
	if u, ok := l.known[id]; ok {
		return u
	}
	u := lookedUp{fields: secret.All}
	for e, err := range l.h.cfg.Log.ReadStream(ctx, domain.RunStream(id), 0) {
		if err != nil {
			break
		}
		if f, err := domain.DecodeFact(&e); err == nil {
			if s, ok := f.Event.(*domain.RunStarted); ok {
				u.saga, u.key = s.Saga, s.Key
				if plan, err := l.h.cfg.Coordinator.Plan(ctx, s.Plan); err == nil {
					u.fields = plan.Secrets()
				}
			}
		}
		break
	}
	l.known[id] = u
	return u
}
