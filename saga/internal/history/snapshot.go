package history

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/machine"
)

// snapshotPart is the data of an atone.snapshot.v1 event in a stream snapshot-<run>. A snapshot is
// written in parts, one append each; it counts when its last part is there. Snapshots are a
// cache: they may be deleted, and one that can't be read is passed over.
type snapshotPart struct {
	Revision int64     `json:"revision"`
	Hash     string    `json:"hash"`
	LastID   uuid.UUID `json:"last_id"`
	Part     int       `json:"part"`
	Last     bool      `json:"last"`
	// Gzip is a part of the compressed JSON that machine.Snapshot wrote.
	Gzip []byte `json:"gzip"`
}

const snapshotType = "atone.snapshot.v1"

// snapshotPartSize is how many compressed bytes a part has at the most; base64 adds a third.
const snapshotPartSize = 512 << 10

// Due reports whether a long run's state is to be saved, after every events at the earliest: when
// its history since the last snapshot is as long as all before, so that writing all snapshots of a
// run costs no more than a constant times its events. A negative every means never.
func (f *Folded) Due(every int) bool {
	return every >= 0 && f.Since >= every && int64(f.Since)*2 >= f.State.Revision && f.State.End == ""
}

// Save writes a snapshot of the run.
func (r *Runs) Save(ctx context.Context, f *Folded) error {
	raw, err := machine.Snapshot(f.State)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(raw); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	stream := domain.SnapshotPrefix + f.State.Run.String()
	for part := 0; ; part++ {
		chunk := packed.Next(snapshotPartSize)
		p := snapshotPart{Revision: f.State.Revision, Hash: f.Hash.String(), LastID: f.LastID, Part: part, Last: packed.Len() == 0, Gzip: chunk}
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if _, err := r.log.Append(ctx, stream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: snapshotType, Data: data}); err != nil {
			return err
		}
		if p.Last {
			return nil
		}
	}
}

// loadSnapshot reads the latest whole snapshot, onto which the events that follow are folded; no
// snapshot is not an error.
func (r *Runs) loadSnapshot(ctx context.Context, id domain.RunID) (f Folded, err error) {
	defer func() {
		if p := recover(); p != nil { // its JSON may say anything
			f, err = Folded{}, fmt.Errorf("restoring it %w", contain.Panic(p))
		}
	}()
	head, packed, err := r.readSnapshot(ctx, id)
	if err != nil || head == nil {
		return Folded{}, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return Folded{}, err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return Folded{}, err
	}
	var start struct {
		Start struct {
			Plan string `json:"plan"`
		} `json:"start"`
	}
	if err := json.Unmarshal(raw, &start); err != nil {
		return Folded{}, err
	}
	plan, err := r.planOf(ctx, start.Start.Plan)
	if err != nil {
		return Folded{}, err
	}
	if f.State, err = machine.Restore(plan, id, raw); err != nil {
		return Folded{}, err
	}
	if f.State.Revision != head.Revision {
		return Folded{}, fmt.Errorf("snapshot says revision %d and holds %d", head.Revision, f.State.Revision)
	}
	if f.Hash, err = domain.ParseChainHash(head.Hash); err != nil {
		return Folded{}, err
	}
	f.LastID = head.LastID
	return f, nil
}

// readSnapshot collects the parts of the latest whole snapshot, newest part first.
func (r *Runs) readSnapshot(ctx context.Context, id domain.RunID) (head *snapshotPart, packed []byte, err error) {
	var parts []snapshotPart
	for e, err := range r.log.ReadStreamBackward(ctx, domain.SnapshotPrefix+id.String(), domain.End) {
		if err != nil {
			return nil, nil, err
		}
		var p snapshotPart
		if err := json.Unmarshal(e.Data, &p); err != nil {
			return nil, nil, err
		}
		switch {
		case p.Last:
			parts = parts[:0] // what came after it was not finished
		case len(parts) == 0 || parts[len(parts)-1].Revision != p.Revision || parts[len(parts)-1].Part != p.Part+1:
			continue
		}
		if parts = append(parts, p); p.Part > 0 {
			continue
		}
		for i := len(parts) - 1; i >= 0; i-- {
			packed = append(packed, parts[i].Gzip...)
		}
		return &parts[0], packed, nil
	}
	return nil, nil, nil
}
