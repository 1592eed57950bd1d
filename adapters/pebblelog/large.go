package pebblelog

import (
	"runtime"
	"sync"
	"weak"

	"github.com/atonehq/atone/domain"
)

// largeRecord is from how many events on a record that is read from the store is shared between those
// who read it at the same time.
const largeRecord = 1_000

// largeRecords knows the large records that somebody holds, so that hundreds of slow readers of one
// append hold it once. It keeps none alive.
type largeRecords struct {
	mu   sync.Mutex
	held map[domain.Position]weak.Pointer[record] // by first position
}

// decode is [decoder.decode], shared where the record is large. What it returns must not be changed.
func (l *largeRecords) decode(d *decoder, h recordHead) (*record, error) {
	if h.count < largeRecord {
		return d.decode(h)
	}
	l.mu.Lock() // also while decoding: those who wait want the same record, or one that is as rare
	defer l.mu.Unlock()
	if r := l.held[h.first].Value(); r != nil {
		return r, nil
	}
	r, err := d.decode(h)
	if err != nil {
		return nil, err
	}
	if l.held == nil {
		l.held = make(map[domain.Position]weak.Pointer[record])
	}
	l.held[h.first] = weak.Make(r)
	runtime.AddCleanup(r, l.forget, h.first)
	return r, nil
}

// forget drops what is no longer held.
func (l *largeRecords) forget(first domain.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[first].Value() == nil { // else it was decoded anew meanwhile
		delete(l.held, first)
	}
}
