package stats

import (
	"fmt"

	"github.com/atonehq/atone/projections"
)

// encode returns the row of the table.
func (s *state) encode(k key) projections.Row {
	return projections.Row{
		columnSaga: k.saga, columnAction: k.action, columnDirection: string(k.direction), columnUnit: k.unit, columnBucket: k.bucket,
		columnStarted: s.Started, columnSucceeded: s.Succeeded, columnFailed: s.Failed, columnRetried: s.Retried, columnTimedOut: s.TimedOut,
		columnLost: s.Lost, columnCancelled: s.Cancelled, columnAbandoned: s.Abandoned, columnStuck: s.Stuck, columnStuckMore: s.StuckMore, columnWaitingMore: s.WaitingMore,
		columnLatencies: s.latency.Count, columnLatencySum: int64(s.latency.Sum), columnLatencyMax: int64(s.latency.Max),
		columnHistogram: s.latency.encode(),
	}
}

// decodeState reads the numbers of a row of the table.
func decodeState(r projections.Row) (*state, error) {
	h, err := decodeHistogram(r.Bytes(columnHistogram), r.Int(columnLatencies), r.Int(columnLatencySum), r.Int(columnLatencyMax))
	if err != nil {
		return nil, fmt.Errorf("read a histogram of the stats view: %w", err)
	}
	return &state{latency: h, Counts: Counts{
		Started: r.Int(columnStarted), Succeeded: r.Int(columnSucceeded), Failed: r.Int(columnFailed), Retried: r.Int(columnRetried),
		TimedOut: r.Int(columnTimedOut), Lost: r.Int(columnLost), Cancelled: r.Int(columnCancelled), Abandoned: r.Int(columnAbandoned),
		Stuck: r.Int(columnStuck), StuckMore: r.Int(columnStuckMore), WaitingMore: r.Int(columnWaitingMore),
	}}, nil
}
