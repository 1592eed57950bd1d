package pebblelog

import (
	"encoding/binary"
	"errors"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

type verdict int

const (
	accepted verdict = iota
	repeated
	conflict
)

// judge applies KurrentDB's rules of expected revisions and repeats (IndexWriter.CheckCommit)
// to an append. For a repeat it also tells where the original's last event stands.
func (c *committer) judge(h *head, r *request) (verdict, domain.Appended, error) {
	current := h.expected()
	switch {
	case r.expected == domain.StreamExists && h.id == 0:
		return conflict, domain.Appended{}, nil
	case r.expected == domain.AnyRevision || r.expected == domain.StreamExists:
		return c.judgeByID(h, r)
	case r.expected == current:
		return accepted, domain.Appended{}, nil
	case r.expected > current || len(r.events) == 0:
		return conflict, domain.Appended{}, nil
	}
	first := uint64(r.expected + 1)
	if first+uint64(len(r.events)) > h.next {
		return conflict, domain.Appended{}, nil
	}
	i := 0
	for stored, err := range c.stored(h, r.stream, first) {
		if err != nil {
			return conflict, domain.Appended{}, err
		}
		if stored.ID != r.events[i].ID {
			return conflict, domain.Appended{}, nil
		}
		if i++; i == len(r.events) {
			return repeated, domain.Appended{Revision: stored.Revision, Position: stored.Position}, nil
		}
	}
	return conflict, domain.Appended{}, c.tooShort(r.stream)
}

// judgeByID decides an append that names no exact revision: new when its first id is new
// to the stream, a repeat when all are known, and a conflict in between.
func (c *committer) judgeByID(h *head, r *request) (verdict, domain.Appended, error) {
	if h.id == 0 || len(r.events) == 0 {
		return accepted, domain.Appended{}, nil
	}
	if err := c.index(h, r.stream); err != nil {
		return conflict, domain.Appended{}, err
	}
	var last uint64
	for i := range r.events {
		revision, known, err := c.find(h, r.events[i].ID)
		switch {
		case err != nil:
			return conflict, domain.Appended{}, err
		case !known && i == 0:
			return accepted, domain.Appended{}, nil
		case !known:
			return conflict, domain.Appended{}, nil
		}
		last = revision
	}
	for stored, err := range c.stored(h, r.stream, last) {
		return repeated, domain.Appended{Revision: stored.Revision, Position: stored.Position}, err
	}
	return conflict, domain.Appended{}, c.tooShort(r.stream)
}

func (c *committer) tooShort(stream string) error {
	return &CorruptionError{Stream: stream, Err: errors.New("the stream ends before its last revision")}
}

// stored yields the stream's events from a revision on: those in the store, synced or not,
// and those of the batch that is being built.
func (c *committer) stored(h *head, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		pending := h.inBatch(c.batchNumber)
		if len(pending) == 0 || from < pending[0].revision {
			for e, err := range c.log.streamEvents(h.id, stream, from) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
		for _, r := range pending {
			for i := range r.events {
				if r.revision+uint64(i) >= from && !yield(r.at(i), nil) {
					return
				}
			}
		}
	}
}

// find looks an id up in the stream, which index prepared. Of several events with the id
// it finds the newest.
func (c *committer) find(h *head, id uuid.UUID) (revision uint64, known bool, err error) {
	for _, r := range slices.Backward(h.inBatch(c.batchNumber)) {
		for i := len(r.events) - 1; i >= 0; i-- {
			if r.events[i].ID == id {
				return r.revision + uint64(i), true, nil
			}
		}
	}
	// The entries hold the revision plus one, so that 0 is "none".
	n, err := c.log.number(appendIDKey(c.scratch[:0], h.id, id))
	return n - 1, n != 0, err
}

// index brings the stream's index by id up to what the store holds. Appends at exact
// revisions leave it behind, so that they need not pay for it; each event is indexed
// once. It is written apart from the batch: it can be derived again, so that a crash
// loses nothing.
func (c *committer) index(h *head, stream string) error {
	end := h.next
	if pending := h.inBatch(c.batchNumber); len(pending) > 0 {
		end = pending[0].revision
	}
	if h.indexed >= end {
		return nil
	}
	batch := c.log.db.NewBatch()
	defer batch.Close()
	next := h.indexed
	for e, err := range c.log.streamEvents(h.id, stream, h.indexed) {
		if err != nil {
			return err
		}
		next = e.Revision + 1
		putNumber(batch, appendIDKey(nil, h.id, e.ID), next)
		if batch.Len() > maxBatchBytes {
			if err := c.log.db.Apply(batch, noSync); err != nil {
				return err
			}
			batch.Reset()
		}
	}
	if next != end {
		return c.tooShort(stream)
	}
	putNumber(batch, appendIndexedKey(nil, h.id), next)
	h.indexed = next
	return c.log.db.Apply(batch, noSync)
}

// putNumber adds an entry whose value is a number.
func putNumber(batch *pebble.Batch, key []byte, n uint64) {
	_ = batch.Set(key, binary.BigEndian.AppendUint64(nil, n), nil) // fails on indexed batches only
}
