package domain

import (
	"context"
	"time"
)

// LastPositioner is implemented by a [Log] that can say where it ends.
type LastPositioner interface {
	// LastPosition returns the position of the newest record of the whole log, of whatever
	// stream, those included that reads leave out; 0 means that the log is empty. In a cluster
	// it is the leader who says so, as a follower may lag. No position that the log ever gave is
	// past it, unless the log was cut or replaced.
	LastPosition(ctx context.Context) (Position, error)
}

// SilenceTeller is implemented by a [Log] that may be out of reach.
type SilenceTeller interface {
	// Silence is for how long appends have waited without that any of them was answered; 0
	// while the log answers and while nobody appends. Reads and open subscriptions say nothing
	// of it: a cluster without a majority goes on serving them. It does not wait.
	Silence() time.Duration
}

// AppendBeginner is implemented by a [Log] that takes appends into line one by one, so that many to
// one stream can be under way and share a sync, and larger ones than every log has to.
type AppendBeginner interface {
	// BeginAppend is [Log.Append] in two parts: it returns when the append is in line, and the function
	// that it returns waits for the result; it must be called, once. Appends that one goroutine began
	// one after the other are judged and written in that order. limit, in bytes by the rule of
	// [NewEvent.Size], stands in the place of [MaxAppendSize]. Coordinators have no use for a higher one:
	// what they write has to fit into every log.
	BeginAppend(ctx context.Context, limit int, stream string, expected Expected, events ...NewEvent) func() (Appended, error)
}
