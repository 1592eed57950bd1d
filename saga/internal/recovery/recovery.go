package recovery

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/atonehq/atone/domain"
)

// Log is the part of the log that recovery uses.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error]
}

// Config configures [New]. All fields are required.
type Config struct {
	Log    Log
	Logger *slog.Logger
	// Own are this coordinator's own appends.
	Own *Own
	// CheckpointEvery is the number of events of runs after which the list is saved.
	CheckpointEvery int
	// Width is how many runs are taken up at once.
	Width int
	// Shared means that other coordinators use the log at the same time.
	Shared bool
	// Rank is this node's place among those that share the log, for a key; the first one saves.
	Rank func(key domain.RunID) int
	// LogFailed reports whether the log takes no more appends.
	LogFailed func() bool
	// TakeUp continues a run whose coordinator died. heard means that another node reported the run
	// as blocked there.
	TakeUp func(ctx context.Context, run domain.RunID, heard bool) error
	// Go runs f in the background until the coordinator ends.
	Go func(f func(ctx context.Context)) bool
}

// Recovery takes up unfinished runs and keeps the list of them.
type Recovery struct{ Config }

// New returns a Recovery. It starts nothing.
func New(cfg Config) *Recovery { return &Recovery{Config: cfg} }

// Watch begins to watch this coordinator's appends. Call it before the first append to a run.
func (r *Recovery) Watch() {
	if !r.Shared {
		r.Own.begin()
	}
}

// Start reads which runs are unfinished. From then on the list follows what this coordinator
// appends. Call it once, after [Recovery.Watch].
func (r *Recovery) Start(ctx context.Context) (*List, error) {
	list, err := r.Scan(ctx)
	if err != nil {
		return nil, err
	}
	r.Own.follow(list)
	return list, nil
}

// Arm calls set for every run on the list, and returns the runs that owe more than a timer and that
// no other living node continues. Call it before requests are accepted: what they set is newer.
func Arm(list *List, elsewhere func(node string) bool, set func(run domain.RunID, w domain.Wake)) (owed []domain.RunID) {
	list.Each(func(run domain.RunID, w domain.Wake) {
		if w.Busy && !elsewhere(w.Node) {
			w.Due = time.Time{}
			owed = append(owed, run)
		}
		set(run, w)
	})
	return owed
}
