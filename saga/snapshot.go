package saga

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
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

// snapshotIfDue saves the state of a long run: when its history since the last snapshot is as long
// as all before, so that writing all snapshots of a run costs no more than a constant
// times its events.
func (c *Coordinator) snapshotIfDue(a *actor) {
	every := c.cfg.SnapshotEvery
	if every < 0 || a.sinceSnapshot < every || int64(a.sinceSnapshot)*2 < a.state.Revision || a.state.End != "" {
		return
	}
	a.sinceSnapshot = 0
	if err := c.saveSnapshot(c.life, a); err != nil && c.life.Err() == nil {
		c.logger.Warn("snapshot not saved: the run takes longer to load", "run", a.id, "error", err)
	}
}

func (c *Coordinator) saveSnapshot(ctx context.Context, a *actor) error {
	raw, err := machine.Snapshot(a.state)
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
	stream := domain.SnapshotPrefix + a.id.String()
	for part := 0; ; part++ {
		chunk := packed.Next(snapshotPartSize)
		p := snapshotPart{Revision: a.state.Revision, Hash: a.hash.String(), LastID: a.lastID, Part: part, Last: packed.Len() == 0, Gzip: chunk}
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if _, err := c.log.Append(ctx, stream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: snapshotType, Data: data}); err != nil {
			return err
		}
		if p.Last {
			return nil
		}
	}
}

// loadSnapshot reads the latest whole snapshot and returns the revision from which the run's
// events are to be folded onto it; no snapshot is not an error.
func (c *Coordinator) loadSnapshot(ctx context.Context, id domain.RunID) (l loaded, from uint64, err error) {
	head, packed, err := c.readSnapshot(ctx, id)
	if err != nil || head == nil {
		return loaded{}, 0, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return loaded{}, 0, err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return loaded{}, 0, err
	}
	var start struct {
		Start struct {
			Plan string `json:"plan"`
		} `json:"start"`
	}
	if err := json.Unmarshal(raw, &start); err != nil {
		return loaded{}, 0, err
	}
	plan, err := c.planOf(ctx, start.Start.Plan)
	if err != nil {
		return loaded{}, 0, err
	}
	if l.state, err = machine.Restore(plan, id, raw); err != nil {
		return loaded{}, 0, err
	}
	if l.state.Revision != head.Revision {
		return loaded{}, 0, fmt.Errorf("snapshot says revision %d and holds %d", head.Revision, l.state.Revision)
	}
	if l.hash, err = domain.ParseChainHash(head.Hash); err != nil {
		return loaded{}, 0, err
	}
	l.lastID = head.LastID
	return l, uint64(head.Revision + 1), nil
}

// readSnapshot collects the parts of the latest whole snapshot, newest part first.
func (c *Coordinator) readSnapshot(ctx context.Context, id domain.RunID) (head *snapshotPart, packed []byte, err error) {
	var parts []snapshotPart
	for e, err := range c.log.ReadStreamBackward(ctx, domain.SnapshotPrefix+id.String(), domain.End) {
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
