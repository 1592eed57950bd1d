package follow

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/internal/signal"
)

const (
	// leastRest is the shortest useful pause.
	leastRest = 5 * time.Millisecond
	// restSlice is how often a pause checks whether it is still needed.
	restSlice = 100 * time.Millisecond
	// quiet is the number of events per restSlice up to which the log counts as idle.
	quiet = 32
)

// pacer limits the live views of a hub to a share of one core. Work adds to a debt, which time pays
// off at the rate of the share; reading continues when the debt is paid.
type pacer struct {
	source projections.Source
	filter domain.Filter
	share  float64 // 1 or more: never rest

	debt    atomic.Int64 // nanoseconds
	waiting atomic.Int64 // queries that wait for a position

	mu      sync.Mutex
	paid    time.Time     // up to when time has paid
	hurried chan struct{} // closed when a query begins to wait
}

func newPacer(source projections.Source, filter domain.Filter, share float64) *pacer {
	return &pacer{source: source, filter: filter, share: share, paid: time.Now(), hurried: make(chan struct{})}
}

// spent adds to the debt.
func (p *pacer) spent(d time.Duration) {
	if p.share < 1 {
		p.debt.Add(int64(d))
	}
}

// hurry ends all rest until the returned function is called.
func (p *pacer) hurry() (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting.Add(1)
	close(p.hurried)
	p.hurried = make(chan struct{})
	return func() { p.waiting.Add(-1) }
}

// due reduces the debt by the time that passed. It returns how long to rest, and a channel that
// ends the rest early.
func (p *pacer) due() (time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	payment := int64(float64(now.Sub(p.paid)) * p.share)
	p.paid = now
	if p.debt.Add(-payment) < 0 {
		p.debt.Store(0)
	}
	if p.waiting.Load() > 0 {
		p.debt.Store(0)
	}
	return time.Duration(float64(p.debt.Load()) / p.share), p.hurried
}

// rest waits until the debt is paid, a query waits for a position, or the log is idle. An idle log
// leaves the core free, so views that are behind can catch up.
func (p *pacer) rest(ctx context.Context) error {
	if p.share >= 1 || float64(p.debt.Load()) < float64(leastRest)*p.share {
		return nil
	}
	var tail domain.Position
	for slices := 0; ; slices++ {
		rest, hurried := p.due()
		if rest < leastRest {
			return nil
		}
		if err := signal.Pause(ctx, hurried, min(rest, restSlice)); err != nil {
			return err
		}
		if rest <= restSlice {
			continue
		}
		newest, calm, err := p.calm(ctx, tail)
		if err != nil {
			return err
		}
		if calm && slices > 0 {
			p.debt.Store(0)
			return nil
		}
		tail = newest
	}
}

// calm returns the log's newest position, and whether few events are newer than the given one.
func (p *pacer) calm(ctx context.Context, than domain.Position) (newest domain.Position, calm bool, err error) {
	n := 0
	for r, err := range p.source.ReadAllBackward(ctx, domain.EndPosition, p.filter) {
		if err != nil {
			return 0, false, err
		}
		newest = max(newest, r.Position)
		if r.Position <= than {
			return newest, true, nil
		}
		if n++; n >= quiet {
			return newest, false, nil
		}
	}
	return newest, true, nil
}
