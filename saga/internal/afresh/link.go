package afresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Log is what links need of a log. Persevere appends until there is an answer.
type Log interface {
	Persevere(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) error
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// startedAgain is the wire name of the events of a link stream.
const startedAgain = "atone.started_again.v1"

// event is the data of a link.
type event struct {
	Run   domain.RunID `json:"run"`
	Actor string       `json:"actor"`
	At    time.Time    `json:"at"`
}

// tries bounds how often a write is tried again after another process wrote first.
const tries = 50

func streamOf(old domain.RunID) string { return domain.SystemPrefix + "again-" + old.String() }

// Links lists the runs that were started from a run, in that order.
func Links(ctx context.Context, log Log, old domain.RunID) (runs []domain.RunID, err error) {
	runs, _, err = links(ctx, log, old)
	return runs, err
}

func links(ctx context.Context, log Log, old domain.RunID) (runs []domain.RunID, last domain.Expected, err error) {
	last = domain.NoStream
	for r, err := range log.ReadStream(ctx, streamOf(old), 0) {
		if err != nil {
			return nil, last, fmt.Errorf("read which runs were started from run %s: %w", old, err)
		}
		last = domain.Expected(r.Revision)
		var e event
		if r.Type == startedAgain && json.Unmarshal(r.Data, &e) == nil && e.Run != (domain.RunID{}) {
			runs = append(runs, e.Run)
		}
	}
	return runs, last, nil
}

// link notes, once, that a run was started from another one.
func link(ctx context.Context, runs *Runs, old, id domain.RunID) error {
	var err error
	for range tries {
		known, last, rerr := links(ctx, runs.Log, old)
		if rerr != nil || slices.Contains(known, id) {
			return rerr
		}
		data, merr := json.Marshal(event{Run: id, Actor: runs.Actor, At: runs.Now().UTC()})
		if merr != nil {
			return merr
		}
		err = runs.Log.Persevere(ctx, streamOf(old), last, domain.NewEvent{ID: uuid.New(), Type: startedAgain, Data: data})
		if !errors.Is(err, domain.ErrConflict) {
			break
		}
	}
	return err
}
