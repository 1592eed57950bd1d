package saga

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/inbox"
)

// inboxStream keeps checkpoints of what is awaited, so that a start does not look for it in the log. They may be
// deleted: the index is then made from the log, from the beginning of the oldest unfinished run on.
const inboxStream = domain.SystemPrefix + "inbox"

const inboxCheckpointType = "atone.inbox_checkpoint.v1"

// inboxCheckpoint is a part of an index as it was at a position. It counts when all parts with its id are there: nodes
// that share a log may save at the same time, and at one position.
type inboxCheckpoint struct {
	ID       uuid.UUID       `json:"id"`
	Position domain.Position `json:"position"`
	Part     int             `json:"part"`
	Last     bool            `json:"last,omitempty"`
	inbox.Image
}

// inboxPart is about how many bytes a part has at the most.
const inboxPart = 700 << 10

// saveIndex appends an index as it was at a position.
func (f *feed) saveIndex(ctx context.Context, m *inbox.Image, position domain.Position) error {
	p := struct {
		inboxCheckpoint
		Runs []json.RawMessage `json:"runs,omitempty"`
		Kept []json.RawMessage `json:"kept,omitempty"`
	}{inboxCheckpoint: inboxCheckpoint{ID: uuid.New(), Position: position, Image: inbox.Image{Types: m.Types}}}
	size := 0
	flush := func() error {
		data, err := json.Marshal(p)
		if err == nil {
			_, err = f.c.log.Append(ctx, inboxStream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: inboxCheckpointType, Data: data})
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
		if size += len(raw) + 1; size > inboxPart && size > len(raw)+1 {
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

// loadIndex returns the index of the newest whole checkpoint that knows all awaited types, as far as any does, and its
// position; nil where there is none. What can't be read is passed over.
func (f *feed) loadIndex(ctx context.Context) (*inbox.Index, domain.Position, error) {
	parts := make(map[uuid.UUID][]inboxCheckpoint)
	complained := false
	var best *inbox.Index
	var at domain.Position
	covers, wholes := 0, 0
	for e, err := range f.c.log.ReadStreamBackward(ctx, inboxStream, domain.End) {
		if err != nil {
			return nil, 0, fmt.Errorf("read %s: %w", inboxStream, err)
		}
		var p inboxCheckpoint
		if e.Type != inboxCheckpointType {
			continue
		}
		if err := json.Unmarshal(e.Data, &p); err != nil || p.ID == uuid.Nil {
			if !complained {
				f.c.logger.Error("a checkpoint of what is awaited can't be read: an older one is used, or the log", "stream", inboxStream, "revision", e.Revision, "error", err)
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
		index, known := f.restore(whole)
		if known > covers {
			best, at, covers = index, p.Position, known
		}
		if wholes++; covers == len(f.awaited) || wholes == wholesSearched {
			break
		}
	}
	return best, at, nil
}

// wholesSearched is among how many checkpoints one is looked for that knows all types: nodes of an older program, which
// know fewer, save as well.
const wholesSearched = 10

// restore makes an index of the parts of a checkpoint, the last one first, and tells how many of the types it knew.
func (f *feed) restore(parts []inboxCheckpoint) (index *inbox.Index, known int) {
	index = inbox.New(f.awaited)
	for _, p := range slices.Backward(parts) {
		for _, t := range p.Types {
			if slices.Contains(f.awaited, t.Name) {
				known++
			}
		}
		index.Restore(&p.Image)
	}
	return index, known
}

// beginIndex returns an index without a checkpoint: from where on the log must be read for it, and the unfinished runs
// that began before.
func (f *feed) beginIndex(ctx context.Context) (*inbox.Index, domain.Position, error) {
	index, from := inbox.New(f.awaited), f.begins
	var mu sync.Mutex
	var failed error
	todo, all := make(chan unfinishedRun), sync.WaitGroup{}
	for range f.c.cfg.RecoverConcurrency {
		all.Go(func() {
			for run := range todo {
				start, types, err := f.beginning(ctx, run)
				mu.Lock()
				switch {
				case err != nil:
					failed = err
				case start > 0:
					index.Begin(run.id, start, types)
					from = min(from, start)
				}
				mu.Unlock()
			}
		})
	}
	for _, run := range f.unfinished {
		todo <- run
	}
	close(todo)
	all.Wait()
	return index, from, failed
}

// beginning returns from where on events concern a run and the types that it awaits, 0 where it awaits none or can't be read.
func (f *feed) beginning(ctx context.Context, run unfinishedRun) (domain.Position, []string, error) {
	for r, err := range f.c.log.ReadStream(ctx, domain.RunStream(run.id), 0) {
		if err != nil {
			return 0, nil, fmt.Errorf("read the beginning of run %s: %w", run.id, err)
		}
		var s domain.RunStarted
		if r.Type != s.WireName() || json.Unmarshal(r.Data, &s) != nil {
			return 0, nil, nil // whoever takes the run up says so
		}
		types := f.awaiting[s.Plan]
		if types == nil && !run.waits {
			return 0, nil, nil
		}
		if s.Trigger != nil && s.Trigger.Position > 0 {
			return s.Trigger.Position, types, nil
		}
		return r.Position, types, nil
	}
	return 0, nil, nil
}

// saveSoon has the index saved with the next look.
func (f *feed) saveSoon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events += max(f.c.cfg.CheckpointEvery, 2*len(f.unfinished))
}

// feedSaveEvery is how often it is looked whether something is worth saving.
const feedSaveEvery = 5 * time.Second

// keepSaved saves from time to time, and at the end, how far everything came.
func (f *feed) keepSaved(ctx context.Context) {
	tick := time.NewTicker(feedSaveEvery)
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
		if err := f.save(saving, last); err != nil {
			f.c.logger.Warn("how far domain events were handled was not saved: the next start reads more", "error", err)
		}
		cancel()
	}
}

// save saves where the triggers are, if anything has happened, and the index, if it has cost less to read what is new
// since it was saved than to save it again.
func (f *feed) save(ctx context.Context, last bool) error {
	if err := f.saveTriggers(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	size := f.index.Kept() + f.index.Known()
	due := f.live && len(f.awaited) > 0 && f.events >= max(f.c.cfg.CheckpointEvery/4, 2*size)
	if last {
		due = f.live && len(f.awaited) > 0 && f.events >= max(1_000, size/4)
	}
	if !due {
		f.mu.Unlock()
		return nil
	}
	m, position := f.index.Image(), f.seen
	f.events = 0
	f.mu.Unlock()
	if err := f.saveIndex(ctx, m, position); err != nil {
		return fmt.Errorf("save what is awaited: %w", err)
	}
	return nil
}
