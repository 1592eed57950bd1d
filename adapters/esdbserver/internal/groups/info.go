package groups

import (
	"context"
	"fmt"
	"slices"
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
	// Measurements are of how long messages were with the consumer, for a group with extra
	// statistics.
	Measurements []Measurement
}

// Measurement is one of the original's extra statistics, in milliseconds.
type Measurement struct {
	Name  string
	Value int64
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
	if g.lastTaken != g.settings.StartAfter {
		out.LastKnown = g.settings.place(g.lastTaken)
	}
	out.AveragePerSecond = perSecond(out.SinceLast, since)
	for _, c := range g.clients {
		info := ClientInfo{
			From: c.from, User: c.user, Name: c.name, Total: c.total, SinceLast: c.total - c.lastTotal,
			AvailableSlots: int32(c.size - len(c.inFlight)), InFlightNow: int32(len(c.inFlight)),
		}
		info.AveragePerSecond = perSecond(info.SinceLast, since)
		info.Measurements = measure(c.latencies)
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

// measure computes the statistics under the names that clients look for.
func measure(latencies []time.Duration) []Measurement {
	n := len(latencies)
	if n == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(latencies))
	var sum time.Duration
	for _, l := range sorted {
		sum += l
	}
	at := func(percent float64) time.Duration { return sorted[min(int(percent/100*float64(n)), n-1)] }
	out := []Measurement{
		{"Mean", (sum / time.Duration(n)).Milliseconds()},
		{"Median", at(50).Milliseconds()},
		{"Fastest", sorted[0].Milliseconds()},
	}
	for i := range 5 {
		out = append(out, Measurement{fmt.Sprintf("Quintile %d", i+1), at(float64(20 * i)).Milliseconds()})
	}
	for _, p := range []float64{90, 95, 99, 99.5, 99.9} {
		out = append(out, Measurement{fmt.Sprintf("%g%%", p), at(p).Milliseconds()})
	}
	return append(out, Measurement{"Highest", sorted[n-1].Milliseconds()})
}
