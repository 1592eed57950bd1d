package groups

import (
	"context"
	"time"
)

// Info is a group as its operators see it.
type Info struct {
	Settings
	// Status is "Live" or "Behind".
	Status string
	// Checkpointed and LastKnown are places in the source, empty where there is none; Start
	// is where the group began.
	Checkpointed, LastKnown, Start       string
	AveragePerSecond                     int32
	Total, SinceLast                     int64
	ReadBuffer, RetryBuffer, Outstanding int32
	InFlight                             int32
	Parked                               int64
	Clients                              []ClientInfo
}

// ClientInfo is a consumer as operators see it.
type ClientInfo struct {
	From, User, Name            string
	AveragePerSecond            int32
	Total, SinceLast            int64
	AvailableSlots, InFlightNow int32
}

// Info describes the group at this moment. Averages are since the last call.
func (g *Group) Info(ctx context.Context) (Info, error) {
	parked, err := g.parkedCount(ctx)
	if err != nil {
		return Info{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	since := now.Sub(g.stats.lastMeasure)
	out := Info{
		Settings: g.settings, Status: "Behind", Start: g.settings.place(g.settings.StartFrom), Parked: parked,
		Total: g.stats.total, SinceLast: g.stats.total - g.stats.lastTotal,
		ReadBuffer: int32(len(g.ready)), RetryBuffer: int32(len(g.retry)), Outstanding: int32(len(g.outstanding)),
	}
	if g.live {
		out.Status = "Live"
	}
	if g.checkpoint.exists {
		out.Checkpointed = g.settings.place(g.checkpoint.at)
	}
	if g.lastRead != g.settings.StartAfter {
		out.LastKnown = g.settings.place(g.lastRead)
	}
	out.AveragePerSecond = perSecond(out.SinceLast, since)
	for _, c := range g.clients {
		info := ClientInfo{
			From: c.from, User: c.user, Name: c.name, Total: c.total, SinceLast: c.total - c.lastTotal,
			AvailableSlots: int32(c.size - len(c.inFlight)), InFlightNow: int32(len(c.inFlight)),
		}
		info.AveragePerSecond = perSecond(info.SinceLast, since)
		c.lastTotal = c.total
		out.InFlight += info.InFlightNow
		out.Clients = append(out.Clients, info)
	}
	g.stats.lastTotal, g.stats.lastMeasure = g.stats.total, now
	return out, nil
}

func perSecond(n int64, d time.Duration) int32 {
	if d <= 0 {
		return 0
	}
	return int32(float64(n) / d.Seconds())
}
