package pebblelog

import (
	"sort"
	"strings"
	"sync"

	"github.com/atonehq/atone/domain"
)

// tail holds the newest durable records in memory, bounded in bytes, for live
// subscriptions, and wakes those that wait for more.
type tail struct {
	limit int

	mu      sync.Mutex
	records []*record
	bytes   int
	first   domain.Position // of the records; head+1 when there are none
	head    domain.Position
	waiting map[string]*waiters
}

// waiters are the subscriptions that wait with one filter. Those whose filter does not match sleep
// on, but are woken every checkpointEvery positions.
type waiters struct {
	filter domain.Filter
	since  domain.Position
	wake   chan struct{}
}

func newTail(limit int) *tail { return &tail{limit: limit, waiting: make(map[string]*waiters)} }

// start says at which position the log stands when it is opened.
func (t *tail) start(head domain.Position) { t.head, t.first = head, head+1 }

// publish adds records that became durable, in order.
func (t *tail) publish(records []*record) {
	if len(records) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records = append(t.records, records...)
	for _, r := range records {
		t.bytes += r.cost()
	}
	t.head = records[len(records)-1].last()
	drop := 0
	for ; drop < len(t.records) && t.bytes > t.limit; drop++ {
		t.bytes -= t.records[drop].cost()
		t.first = t.records[drop].last() + 1
		t.records[drop] = nil
	}
	t.records = t.records[drop:]
	for key, w := range t.waiting {
		if t.head-w.since >= checkpointEvery || matches(w.filter, records) {
			close(w.wake)
			delete(t.waiting, key)
		}
	}
}

func matches(f domain.Filter, records []*record) bool {
	for _, r := range records {
		if f.Accepts(r.stream) {
			return true
		}
	}
	return false
}

// after returns up to n records with events after the position; false when the tail does
// not reach back so far.
func (t *tail) after(position domain.Position, n int) ([]*record, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if position >= t.head {
		return nil, true
	}
	if position+1 < t.first {
		return nil, false
	}
	i := sort.Search(len(t.records), func(i int) bool { return t.records[i].last() > position })
	found := t.records[i:]
	return append([]*record(nil), found[:min(n, len(found))]...), true
}

// wait returns a channel that is closed when the log has events after the position that
// the filter selects, or went on by many events; nil when there are some already.
func (t *tail) wait(position domain.Position, filter domain.Filter, key string) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.head > position {
		return nil
	}
	w := t.waiting[key]
	if w == nil {
		w = &waiters{filter: filter, since: t.head, wake: make(chan struct{})}
		t.waiting[key] = w
	}
	return w.wake
}

// filterKey tells filters apart.
func filterKey(f domain.Filter) string { return strings.Join(f.Prefixes, "\x00") }
