package saga

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// unfinished is the list of the runs that have not ended, up to a position in the log.
type unfinished struct {
	position domain.Position
	runs     map[domain.RunID]domain.Wake
}

// recoveryStream holds checkpoints of the list of unfinished runs, so that a start need
// not read the whole log. They may be deleted: the list is then made from the log.
const recoveryStream = domain.SystemPrefix + "recovery"

// recoveryCheckpoint is the data of a recovery.checkpoint.v1 event. A checkpoint is written in
// parts; it counts when its last part is there.
type recoveryCheckpoint struct {
	Position domain.Position    `json:"position"`
	Part     int                `json:"part"`
	Last     bool               `json:"last"`
	Runs     []recoveryCheckRun `json:"runs"`
}

type recoveryCheckRun struct {
	Run  domain.RunID `json:"run"`
	Wake domain.Wake  `json:"wake"`
}

const recoveryCheckpointType = "atone.recovery_checkpoint.v1"

// scan reads which runs are unfinished: the last checkpoint, and the log after it.
func (c *Coordinator) scan(ctx context.Context) (*unfinished, error) {
	began := time.Now()
	u := &unfinished{runs: make(map[domain.RunID]domain.Wake)}
	if err := u.load(ctx, c.log); err != nil {
		return nil, err
	}
	n, err := u.advance(ctx, c.log)
	if err != nil {
		return nil, err
	}
	c.logger.Info("log read", "unfinished_runs", len(u.runs), "events", n, "took", time.Since(began))
	return u, nil
}

// load reads the latest whole checkpoint.
func (u *unfinished) load(ctx context.Context, log Log) error {
	var parts []recoveryCheckpoint
	for e, err := range log.ReadStreamBackward(ctx, recoveryStream, domain.End) {
		if err != nil {
			return fmt.Errorf("read %s: %w", recoveryStream, err)
		}
		var p recoveryCheckpoint
		if err := json.Unmarshal(e.Data, &p); err != nil {
			return fmt.Errorf("read %s: %w", recoveryStream, err)
		}
		if p.Last {
			parts = nil // what came after it was not finished
		} else if len(parts) == 0 || parts[len(parts)-1].Position != p.Position {
			continue
		}
		parts = append(parts, p)
		if p.Part > 0 {
			continue
		}
		for _, p := range parts {
			for _, r := range p.Runs {
				u.runs[r.Run] = r.Wake
			}
		}
		u.position = parts[0].Position
		return nil
	}
	return nil
}

// advance brings the list up to the end of the log and returns how many events it read.
func (u *unfinished) advance(ctx context.Context, log Log) (n int, err error) {
	for e, err := range log.ReadAll(ctx, u.position, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return n, fmt.Errorf("read the log after position %d: %w", u.position, err)
		}
		n++
		u.position = e.Position
		id, ok := domain.RunOfStream(e.Stream)
		if !ok {
			continue
		}
		w := wakeOf(e.Metadata)
		if over(w) {
			delete(u.runs, id)
		} else {
			u.runs[id] = w
		}
	}
	return n, nil
}

// wakeOf reads the wake member of an event's metadata. An event without one is in the middle of an
// append, or the last of one that was cut short: the run is to be looked at.
func wakeOf(meta []byte) domain.Wake {
	_, after, found := bytes.Cut(meta, []byte(`"wake":`))
	if !found {
		return domain.Wake{State: domain.RunRunning, Busy: true}
	}
	if end := bytes.LastIndex(after, []byte(`,"hash":"`)); end >= 0 { // as Seal writes it: only the member itself is read
		var w domain.Wake
		if json.Unmarshal(after[:end], &w) == nil {
			return w
		}
	}
	var w struct {
		Wake *domain.Wake `json:"wake"`
	}
	if json.Unmarshal(meta, &w) != nil || w.Wake == nil {
		return domain.Wake{State: domain.RunRunning, Busy: true}
	}
	return *w.Wake
}

// save appends the list as a checkpoint.
func (u *unfinished) save(ctx context.Context, log Log) error {
	const perPart = 5_000
	runs := make([]recoveryCheckRun, 0, len(u.runs))
	for id, w := range u.runs {
		runs = append(runs, recoveryCheckRun{id, w})
	}
	for part := 0; ; part++ {
		n := min(perPart, len(runs))
		p := recoveryCheckpoint{Position: u.position, Part: part, Last: n == len(runs), Runs: runs[:n]}
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

// runCheckpoints saves the list of unfinished runs from time to time and at the end.
func (c *Coordinator) runCheckpoints(u *unfinished) func(context.Context) {
	return func(ctx context.Context) {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		saved := int64(0)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			every := int64(max(c.cfg.CheckpointEvery, 10*len(u.runs)))
			if n := c.appended.Load(); n-saved >= every {
				if _, err := u.advance(ctx, c.log); err == nil {
					err = u.save(ctx, c.log)
					if err != nil && ctx.Err() == nil {
						c.logger.Warn("recovery checkpoint not saved: the next start reads more", "error", err)
					}
				}
				saved = n
			}
		}
	}
}

// arm arms the timers of the unfinished runs and returns those that owe something. It is done before anybody is
// let in, whose word would be newer than the list's.
func (c *Coordinator) arm(u *unfinished) (owed []domain.RunID) {
	for id, w := range u.runs {
		if w.Busy && !c.inOtherHands(w.Node) {
			w.Due = time.Time{}
			owed = append(owed, id)
		}
		c.wakeups.set(id, w, true)
	}
	return owed
}

// takeUpAll goes on with runs, a few at once. Each is loaded, gets on, and may be evicted again: memory
// does not grow with their number.
func (c *Coordinator) takeUpAll(ids []domain.RunID) {
	next := make(chan domain.RunID)
	var all sync.WaitGroup
	for range c.cfg.RecoverConcurrency {
		all.Add(1)
		go func() {
			defer all.Done()
			for id := range next {
				c.takeUp(id)
			}
		}()
	}
	for _, id := range ids {
		select {
		case next <- id:
		case <-c.life.Done():
		}
	}
	close(next)
	all.Wait()
}

// takeUp goes on with a run that was under way when its coordinator died. If it can't, it is tried again
// later: nobody else would find out that its attempts are lost.
func (c *Coordinator) takeUp(id domain.RunID) {
	c.takeUpAs(id, &request{recover: true, ctx: requestContext{actor: c.cfg.Node}})
}

// takeUpAs is takeUp with the request to make.
func (c *Coordinator) takeUpAs(id domain.RunID, req *request) {
	err := c.do(c.life, id, req)
	if err == nil || c.life.Err() != nil || errors.Is(err, ErrUnreadable) {
		return
	}
	c.logger.Error("run can't be taken up: it waits until it can", "run", id, "in", 10*overdueDelay, "error", err)
	if errors.Is(err, ErrNotFound) {
		return
	}
	c.goBackground(func(ctx context.Context) {
		select {
		case <-time.After(10 * overdueDelay):
			c.takeUp(id)
		case <-ctx.Done():
		}
	})
}

// recoverRun marks the attempts that died with another coordinator as lost, and takes care of the
// child runs.
func (t *turnState) recoverRun(heard bool) {
	a := t.a
	var lost []machine.Lost
	a.state.InFlight(func(f machine.Attempt) {
		if f.Node != a.c.incarnation && !a.c.alive(f.Node) {
			lost = append(lost, machine.Lost{Step: f.Step.Path, Direction: f.Direction, Attempt: f.Number,
				Reason: "its worker was gone when the run was taken up"})
		}
	})
	for _, l := range lost {
		if err := t.decide(l); err != nil && !errors.Is(err, machine.ErrStale) {
			a.c.logger.Error("lost attempt not recorded", "run", a.id, "step", l.Step, "error", err)
		}
	}
	a.state.Children(func(st *machine.Step, back bool) {
		if back {
			a.c.turnChildBack(a.childOf(st.Path), domain.Failure{Message: "the parent run turned back"})
		} else {
			ch := a.childOf(st.Path)
			ch.heard = heard
			a.c.startChild(ch)
		}
	})
	if a.state.End != "" {
		a.tellParent()
	}
}
