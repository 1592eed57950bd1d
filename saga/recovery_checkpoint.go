package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// recoveryStream holds checkpoints of the list of unfinished runs, so that a start need
// not read the whole log. They may be deleted: the list is then made from the log.
const recoveryStream = domain.SystemPrefix + "recovery"

const recoveryCheckpointType = "atone.recovery_checkpoint.v1"

// recoveryCheckpoint is the data of a checkpoint's event. A checkpoint is written in parts; it counts when its last
// part is there. Several nodes may write at once, even at one position: parts belong together by their id.
type recoveryCheckpoint struct {
	// ID is missing in what versions wrote that had none.
	ID       string             `json:"id,omitempty"`
	Position domain.Position    `json:"position"`
	Part     int                `json:"part"`
	Last     bool               `json:"last"`
	Runs     []recoveryCheckRun `json:"runs"`
}

type recoveryCheckRun struct {
	Run  domain.RunID `json:"run"`
	Wake domain.Wake  `json:"wake"`
}

// recoveryCheckpoints yields the lists that were saved whole, the newest first, and in the end an empty one. What can't
// be read of them is passed over.
func (c *Coordinator) recoveryCheckpoints(ctx context.Context) iter.Seq2[*unfinished, error] {
	return func(yield func(*unfinished, error) bool) {
		collected := make(map[string][]recoveryCheckpoint) // by id, from the last part to the first
		warned := false
		for e, err := range c.log.ReadStreamBackward(ctx, recoveryStream, domain.End) {
			if err != nil {
				yield(nil, fmt.Errorf("read %s: %w", recoveryStream, err))
				return
			}
			p, err := c.readRecoveryCheckpoint(&e)
			if err != nil {
				if !warned {
					c.logger.Warn("a recovery checkpoint is not used, trying an older one", "revision", e.Revision, "error", err)
				}
				warned = true
				continue
			}
			parts := collected[p.ID]
			switch {
			case p.Last:
				parts = nil // what came after it was not finished
			case len(parts) == 0, parts[len(parts)-1].Part != p.Part+1, parts[0].Position != p.Position:
				delete(collected, p.ID)
				continue
			}
			if collected[p.ID] = append(parts, p); p.Part > 0 {
				continue
			}
			u := newUnfinished()
			u.position = p.Position
			for _, p := range collected[p.ID] {
				for _, r := range p.Runs {
					u.runs[r.Run] = r.Wake
				}
			}
			if delete(collected, p.ID); !yield(u, nil) {
				return
			}
		}
		yield(newUnfinished(), nil)
	}
}

// readRecoveryCheckpoint refuses what is no part of a checkpoint that can be used.
func (c *Coordinator) readRecoveryCheckpoint(e *domain.Recorded) (p recoveryCheckpoint, err error) {
	if e.Type != recoveryCheckpointType {
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
	case p.ID == "" && c.cfg.Shared && (p.Part > 0 || !p.Last):
		err = errors.New("its parts have no id, so that those of another node may be among them")
	}
	return p, err
}

// saveList appends the list as a checkpoint. If that fails, the next start reads more.
func (c *Coordinator) saveList(ctx context.Context, u *unfinished) {
	began := time.Now()
	err := u.save(ctx, c.log)
	u.read, u.savedAt, u.saving = 0, time.Now(), time.Since(began) // if it failed, it is not tried at once
	if err != nil && ctx.Err() == nil {
		c.logger.Warn("recovery checkpoint not saved: the next start reads more", "error", err)
	}
}

func (u *unfinished) save(ctx context.Context, log Log) error {
	const perPart = 5_000
	runs := make([]recoveryCheckRun, 0, len(u.runs))
	for id, w := range u.runs {
		runs = append(runs, recoveryCheckRun{id, w})
	}
	id := uuid.NewString()
	for part := 0; ; part++ {
		n := min(perPart, len(runs))
		p := recoveryCheckpoint{ID: id, Position: u.position, Part: part, Last: n == len(runs), Runs: runs[:n]}
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		e := domain.NewEvent{ID: uuid.New(), Type: recoveryCheckpointType, Data: data}
		if _, err := log.Append(ctx, recoveryStream, domain.AnyRevision, e); err != nil {
			return fmt.Errorf("save checkpoint: %w", err)
		}
		if runs = runs[n:]; p.Last {
			return nil
		}
	}
}

// checkpointNode is what the nodes of a cluster are ranked by for saving the list: one does it for all.
var checkpointNode = uuid.NewSHA1(planSpace, []byte(recoveryStream))

// runCheckpoints saves the list of unfinished runs from time to time, by how many events of runs came to the log,
// and at the end.
func (c *Coordinator) runCheckpoints(u *unfinished) func(context.Context) {
	return func(ctx context.Context) {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		seen := c.runEvents()
		for {
			select {
			case <-ctx.Done():
				c.lastCheckpoint(context.WithoutCancel(ctx), u, c.runEvents()-seen)
				return
			case <-tick.C:
			}
			n := c.runEvents()
			if n-seen < int64(max(c.cfg.CheckpointEvery, 10*len(u.runs))) {
				continue
			}
			seen = n
			if c.cfg.Shared && c.cluster.Rank(checkpointNode, "") > 0 {
				continue // another one does
			}
			if _, err := c.readOn(ctx, u); err == nil {
				c.saveList(ctx, u)
			} else if ctx.Err() == nil {
				c.logger.Warn("recovery checkpoint not saved: the next start reads more", "error", err)
			}
		}
	}
}

// runEvents counts the events of runs that came to the log since the start, from wherever that is known.
func (c *Coordinator) runEvents() int64 { return max(c.appended.Load(), c.heardEvents.Load()) }

// stopPatience bounds what a stop spends on reading the log for a last checkpoint, and on writing it.
const stopPatience = 2 * time.Second

// lastCheckpoint saves the list at an orderly stop, if that is worth its cost. A log that failed takes nothing more.
func (c *Coordinator) lastCheckpoint(ctx context.Context, u *unfinished, came int64) {
	if c.logFailed() || came+int64(u.read) < int64(1+len(u.runs)/10) {
		return
	}
	reading, stop := context.WithTimeout(ctx, stopPatience)
	defer stop()
	if _, err := c.readOn(reading, u); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return // what was read until a deadline is worth saving
	}
	writing, stopWriting := context.WithTimeout(ctx, stopPatience)
	defer stopWriting()
	c.saveList(writing, u)
}
