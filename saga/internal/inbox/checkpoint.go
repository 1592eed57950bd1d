package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// indexStream has checkpoints of the index of awaits, so that a start need not build it from the
// log. They may be deleted: the index is then built from the log, from the beginning of the oldest
// unfinished run on.
const indexStream = domain.SystemPrefix + "inbox"

const indexType = "atone.inbox_checkpoint.v1"

// indexPart is a part of the index at a position. It counts only if all parts with its id are
// there. The id is needed because nodes that share a log may save at the same time and position.
type indexPart struct {
	ID       uuid.UUID       `json:"id"`
	Position domain.Position `json:"position"`
	Part     int             `json:"part"`
	Last     bool            `json:"last,omitempty"`
	Image
}

// partSize is about the largest size of a part, in bytes.
const partSize = 700 << 10

// saveIndex appends the index at a position.
func (in *Inbox) saveIndex(ctx context.Context, m *Image, position domain.Position) error {
	p := struct {
		indexPart
		Runs []json.RawMessage `json:"runs,omitempty"`
		Kept []json.RawMessage `json:"kept,omitempty"`
	}{indexPart: indexPart{ID: uuid.New(), Position: position, Image: Image{Types: m.Types}}}
	size := 0
	flush := func() error {
		data, err := json.Marshal(p)
		if err == nil {
			_, err = in.Log.Append(ctx, indexStream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: indexType, Data: data})
		}
		p.Types, p.Runs, p.Kept, size = nil, nil, nil, 0
		p.Part++
		return err
	}
	add := func(to *[]json.RawMessage, v any) error {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if size += len(raw) + 1; size > partSize && size > len(raw)+1 {
			if err := flush(); err != nil {
				return err
			}
			size = len(raw) + 1
		}
		*to = append(*to, raw)
		return nil
	}
	for i := range m.Kept {
		if err := add(&p.Kept, &m.Kept[i]); err != nil {
			return err
		}
	}
	for i := range m.Runs {
		if err := add(&p.Runs, &m.Runs[i]); err != nil {
			return err
		}
	}
	p.Last = true
	return flush()
}

// loadIndex returns the index of the newest complete checkpoint that has all awaited types, and its
// position. If none has all types, it takes the one with most; if there is no checkpoint, it
// returns nil. It skips unreadable checkpoints.
func (in *Inbox) loadIndex(ctx context.Context) (*Index, domain.Position, error) {
	parts := make(map[uuid.UUID][]indexPart)
	complained := false
	var best *Index
	var at domain.Position
	covers, wholes := 0, 0
	for e, err := range in.Log.ReadStreamBackward(ctx, indexStream, domain.End) {
		if err != nil {
			return nil, 0, fmt.Errorf("read %s: %w", indexStream, err)
		}
		var p indexPart
		if e.Type != indexType {
			continue
		}
		if err := json.Unmarshal(e.Data, &p); err != nil || p.ID == uuid.Nil {
			if !complained {
				in.Logger.Error("a checkpoint of what is awaited can't be read: an older one is used, or the log", "stream", indexStream, "revision", e.Revision, "error", err)
			}
			complained = true
			continue
		}
		if !p.Last && len(parts[p.ID]) == 0 {
			continue // its end is missing
		}
		parts[p.ID] = append(parts[p.ID], p)
		if p.Part > 0 {
			continue
		}
		whole := parts[p.ID]
		delete(parts, p.ID)
		if len(whole) != whole[0].Part+1 {
			continue
		}
		index, known := in.restore(whole)
		if known > covers {
			best, at, covers = index, p.Position, known
		}
		if wholes++; covers == len(in.awaited) || wholes == wholesSearched {
			break
		}
	}
	return best, at, nil
}

// wholesSearched is how many checkpoints are searched for one that has all types. Nodes of an older
// program, which have fewer types, save checkpoints too.
const wholesSearched = 10

// restore builds an index from the parts of a checkpoint, the last one first, and returns how many
// of the types it has.
func (in *Inbox) restore(parts []indexPart) (index *Index, known int) {
	index = NewIndex(in.awaited)
	for _, p := range slices.Backward(parts) {
		for _, t := range p.Types {
			if slices.Contains(in.awaited, t.Name) {
				known++
			}
		}
		index.Restore(&p.Image)
	}
	return index, known
}

// beginIndex returns an index without a checkpoint, the position from which the log must be read
// for it, and the unfinished runs that began before.
func (in *Inbox) beginIndex(ctx context.Context) (*Index, domain.Position, error) {
	index, from := NewIndex(in.awaited), in.begins
	var mu sync.Mutex
	var failed error
	todo, all := make(chan Unfinished), sync.WaitGroup{}
	for range in.Width {
		all.Go(func() {
			for run := range todo {
				start, types, err := in.beginning(ctx, run)
				mu.Lock()
				switch {
				case err != nil:
					failed = err
				case start > 0:
					index.Begin(run.Run, start, types)
					from = min(from, start)
				}
				mu.Unlock()
			}
		})
	}
	for _, run := range in.unfinished {
		todo <- run
	}
	close(todo)
	all.Wait()
	return index, from, failed
}

// beginning returns the position after which events concern a run, and the types that it awaits.
// The position is 0 if it awaits none or can't be read.
func (in *Inbox) beginning(ctx context.Context, run Unfinished) (domain.Position, []string, error) {
	for r, err := range in.Log.ReadStream(ctx, domain.RunStream(run.Run), 0) {
		if err != nil {
			return 0, nil, fmt.Errorf("read the beginning of run %s: %w", run.Run, err)
		}
		var s domain.RunStarted
		if r.Type != s.WireName() || json.Unmarshal(r.Data, &s) != nil {
			return 0, nil, nil // taking the run up will report that
		}
		types := in.Awaiting[s.Plan]
		if types == nil && !run.Waits {
			return 0, nil, nil
		}
		if s.Trigger != nil && s.Trigger.Position > 0 {
			return s.Trigger.Position, types, nil
		}
		return r.Position, types, nil
	}
	return 0, nil, nil
}

// saveSoon makes the next look save the index.
func (in *Inbox) saveSoon() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.events += max(in.CheckpointEvery, 2*len(in.unfinished))
}

// saveEvery is how often the inbox checks whether something should be saved.
const saveEvery = 5 * time.Second

// keepSaved saves all progress from time to time and at the end.
func (in *Inbox) keepSaved(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	last := false
	for !last {
		select {
		case <-tick.C:
		case <-ctx.Done():
			last = true
		}
		saving, cancel := context.WithCancel(context.WithoutCancel(ctx))
		if last {
			saving, cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		}
		if err := in.save(saving, last); err != nil {
			in.Logger.Warn("how far domain events were handled was not saved: the next start reads more", "error", err)
		}
		cancel()
	}
}

// save saves the triggers' positions, if anything has happened, and the index, if enough new events
// were read since it was last saved to be worth the cost.
func (in *Inbox) save(ctx context.Context, last bool) error {
	if err := in.saveTriggers(ctx); err != nil {
		return err
	}
	in.mu.Lock()
	size := in.index.Kept() + in.index.Known()
	due := in.live && len(in.awaited) > 0 && in.events >= max(in.CheckpointEvery/4, 2*size)
	if last {
		due = in.live && len(in.awaited) > 0 && in.events >= max(1_000, size/4)
	}
	if !due {
		in.mu.Unlock()
		return nil
	}
	m, position := in.index.Image(), in.seen
	in.events = 0
	in.mu.Unlock()
	if err := in.saveIndex(ctx, m, position); err != nil {
		return fmt.Errorf("save what is awaited: %w", err)
	}
	return nil
}
