package runner

import (
	"context"
	"fmt"
	"sync"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// lagCounted is how many events one call counts at most.
const lagCounted = 10_000

// lag counts the events that a view is behind. It must count, because positions have gaps. It
// remembers the count, and the next call continues from there.
type lag struct {
	mu         sync.Mutex
	generation int
	at         domain.Position // the log was counted up to here
	events     int64           // the count, of events that the view's filter selects
}

// measure fills in how far the generation is behind the log.
func (l *lag) measure(ctx context.Context, k *keeper, g *projections.Generation, s *Status) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.generation != g.Number || l.at < g.Position {
		l.generation, l.at, l.events = g.Number, g.Position, g.Events
	}
	counted := 0
	for r, err := range k.cfg.Source.ReadAll(ctx, l.at, k.view.Selects()) {
		if err != nil {
			return fmt.Errorf("lag of %s: %w", k.view.Name, err)
		}
		if s.LagMore = counted == lagCounted; s.LagMore {
			break
		}
		counted++
		l.at, l.events = r.Position, l.events+1
	}
	s.LagEvents = l.events - g.Events
	if s.LagEvents == 0 {
		return nil
	}
	for r, err := range k.cfg.Source.ReadAll(ctx, g.Position, k.view.Selects()) {
		if err != nil {
			return fmt.Errorf("lag of %s: %w", k.view.Name, err)
		}
		s.Lag = max(0, k.cfg.Now().Sub(r.Created))
		break
	}
	return nil
}
