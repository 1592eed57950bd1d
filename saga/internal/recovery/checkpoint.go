package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// stream holds checkpoints of the list of unfinished runs, so that a start need not read the whole
// log. They may be deleted: the list is then built from the log.
const stream = domain.SystemPrefix + "recovery"

const checkpointType = "atone.recovery_checkpoint.v1"

// checkpoint is the data of a checkpoint's event. A checkpoint is written in parts and counts when
// its last part is there. Several nodes may write at the same time and position, so the parts of a
// checkpoint share an id.
type checkpoint struct {
	// ID is empty in checkpoints of older versions.
	ID       string          `json:"id,omitempty"`
	Position domain.Position `json:"position"`
	Part     int             `json:"part"`
	Last     bool            `json:"last"`
	Runs     []listed        `json:"runs"`
}

// listed is a run of a checkpoint.
type listed struct {
	Run  domain.RunID `json:"run"`
	Wake domain.Wake  `json:"wake"`
}

// checkpoints yields the completely saved lists, the newest first, and finally an empty one. It
// skips unreadable ones.
func (r *Recovery) checkpoints(ctx context.Context) iter.Seq2[*List, error] {
	return func(yield func(*List, error) bool) {
		collected := make(map[string][]checkpoint) // by id, from the last part to the first
		warned := false
		for e, err := range r.Log.ReadStreamBackward(ctx, stream, domain.End) {
			if err != nil {
				yield(nil, fmt.Errorf("read %s: %w", stream, err))
				return
			}
			p, err := r.readPart(&e)
			if err != nil {
				if !warned {
					r.Logger.Warn("a recovery checkpoint is not used, trying an older one", "revision", e.Revision, "error", err)
				}
				warned = true
				continue
			}
			parts := collected[p.ID]
			switch {
			case p.Last:
				parts = nil // the list of the later parts was not finished
			case len(parts) == 0, parts[len(parts)-1].Part != p.Part+1, parts[0].Position != p.Position:
				delete(collected, p.ID)
				continue
			}
			if collected[p.ID] = append(parts, p); p.Part > 0 {
				continue
			}
			list := newList(p.Position)
			for _, p := range collected[p.ID] {
				for _, l := range p.Runs {
					list.runs[l.Run] = l.Wake
				}
			}
			if delete(collected, p.ID); !yield(list, nil) {
				return
			}
		}
		yield(newList(0), nil)
	}
}

// readPart reads a part of a checkpoint, and refuses one that can't be used.
func (r *Recovery) readPart(e *domain.Recorded) (p checkpoint, err error) {
	if e.Type != checkpointType {
		return p, fmt.Errorf("it is a %s", e.Type)
	}
	if err := json.Unmarshal(e.Data, &p); err != nil {
		return p, err
	}
	switch {
	case p.Position >= e.Position:
		err = fmt.Errorf("it is about position %d, and was written at %d", p.Position, e.Position)
	case p.Part < 0:
		err = fmt.Errorf("part %d", p.Part)
	case p.ID == "" && r.Shared && (p.Part > 0 || !p.Last):
		err = errors.New("its parts have no id, so that those of another node may be among them")
	}
	return p, err
}

// perPart is how many runs a part of a checkpoint holds.
const perPart = 5_000

// save appends the list as a checkpoint. If that fails, the next start reads more.
func (r *Recovery) save(ctx context.Context, list *List) {
	position, runs, saved := list.copy()
	defer saved() // after a failure too, so that the next try is not at once
	if err := r.write(ctx, position, runs); err != nil && ctx.Err() == nil && !errors.Is(err, domain.ErrClosed) {
		r.Logger.Warn("recovery checkpoint not saved: the next start reads more", "error", err)
	}
}

func (r *Recovery) write(ctx context.Context, position domain.Position, runs []listed) error {
	id := uuid.NewString()
	for part := 0; ; part++ {
		n := min(perPart, len(runs))
		p := checkpoint{ID: id, Position: position, Part: part, Last: n == len(runs), Runs: runs[:n]}
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		e := domain.NewEvent{ID: uuid.New(), Type: checkpointType, Data: data}
		if _, err := r.Log.Append(ctx, stream, domain.AnyRevision, e); err != nil {
			return fmt.Errorf("save checkpoint: %w", err)
		}
		if runs = runs[n:]; p.Last {
			return nil
		}
	}
}
