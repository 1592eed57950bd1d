package rejected

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Filter selects rejected events; all conditions that are set must hold.
type Filter struct {
	// State is empty for any.
	State State
	// Sagas are those that the events should have started; empty means all.
	Sagas []string
	Type  string
	// IDs are ids of rejections or of events; empty means all.
	IDs []string
	// Ascending lists the oldest first.
	Ascending bool
	// Limit is the size of the page; 0 means 50. Cursor continues after an earlier page: its next.
	Limit  int
	Cursor string
}

// Page is a page of rejected events, the newest first.
type Page struct {
	Rows []Event
	// Next is the cursor of the following page; empty on the last one.
	Next string
	// Matched counts what the filter selects, on all pages.
	Matched int
}

// List returns a page of rejected events. It reads what was added to the stream since the last
// call, by any process. Errors: [domain.ErrBadInput], and those of the log.
func (b *Book) List(ctx context.Context, f Filter) (Page, error) {
	after, named, err := f.read()
	if err != nil {
		return Page{}, fmt.Errorf("list rejected events: %w: %w", domain.ErrBadInput, err)
	}
	if err := b.Load(ctx); err != nil {
		return Page{}, err
	}
	found, page := b.find(&f, after, named)
	if limit := f.limit(); len(found) > limit {
		page.Next = strconv.FormatUint(found[limit-1].rejected, 10)
		found = found[:limit]
	}
	page.Rows, err = b.rows(ctx, found)
	return page, err
}

func (f *Filter) limit() int {
	if f.Limit == 0 {
		return 50
	}
	return f.Limit
}

// read returns the revision after which the page begins, -1 for the first page, and the ids.
func (f *Filter) read() (after int64, named map[uuid.UUID]bool, err error) {
	named = make(map[uuid.UUID]bool, len(f.IDs))
	for _, text := range f.IDs {
		id, err := uuid.Parse(text)
		if err != nil {
			return 0, nil, fmt.Errorf("%.50q is not the id of an event", text)
		}
		named[id] = true
	}
	if f.Cursor == "" {
		return -1, named, nil
	}
	if after, err = strconv.ParseInt(f.Cursor, 10, 64); err != nil || after < 0 {
		return 0, nil, fmt.Errorf("%.50q is not the cursor of a page", f.Cursor)
	}
	return after, named, nil
}

// find returns what the filter selects after a revision, one more than a page has, and counts all
// that it selects.
func (b *Book) find(f *Filter, after int64, named map[uuid.UUID]bool) (found []entry, page Page) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.all {
		if !f.Ascending {
			i = len(b.all) - 1 - i
		}
		e := &b.all[i]
		if !f.matches(e, named) {
			continue
		}
		page.Matched++
		beyond := after < 0 || f.Ascending && int64(e.rejected) > after || !f.Ascending && int64(e.rejected) < after
		if beyond && len(found) <= f.limit() {
			found = append(found, *e)
		}
	}
	return found, page
}

// rows reads what the stream says of the entries.
func (b *Book) rows(ctx context.Context, found []entry) ([]Event, error) {
	var revisions []uint64
	for _, e := range found {
		if revisions = append(revisions, e.rejected); e.state != Open {
			revisions = append(revisions, e.settled)
		}
	}
	records, err := b.fetch(ctx, revisions)
	if err != nil {
		return nil, err
	}
	rows := make([]Event, len(found))
	for i, e := range found {
		var r rejection
		var s settlement
		if err := json.Unmarshal(records[e.rejected], &r); err != nil {
			return nil, fmt.Errorf("read %s at %d: %w", Stream, e.rejected, err)
		}
		if e.state != Open {
			if err := json.Unmarshal(records[e.settled], &s); err != nil {
				return nil, fmt.Errorf("read %s at %d: %w", Stream, e.settled, err)
			}
		}
		rows[i] = Event{ID: r.ID, Event: r.Event, Type: r.Type, Stream: r.Stream, Revision: r.Revision, Position: r.Position, Saga: r.Saga, Version: r.Version,
			Error: r.Error, At: r.At, State: e.state, Run: s.Run, By: s.Actor, Reason: s.Reason, Settled: s.At}
	}
	return rows, nil
}

// near is how many records one read may pass over on its way to the next that is wanted.
const near = 200

// fetch reads records of the stream.
func (b *Book) fetch(ctx context.Context, revisions []uint64) (map[uint64]json.RawMessage, error) {
	slices.Sort(revisions)
	records := make(map[uint64]json.RawMessage, len(revisions))
	for len(revisions) > 0 {
		first := revisions[0]
		for r, err := range b.cfg.Log.ReadStream(ctx, Stream, first) {
			if err != nil {
				return nil, fmt.Errorf("read rejected events: %w", err)
			}
			if r.Revision == revisions[0] {
				records[r.Revision], revisions = r.Data, revisions[1:]
			}
			if len(revisions) == 0 || revisions[0] > r.Revision+near || revisions[0] <= r.Revision {
				break
			}
		}
		if len(revisions) > 0 && revisions[0] == first {
			return nil, fmt.Errorf("revision %d of %s %w: the log lost it", first, Stream, domain.ErrUnreadable)
		}
	}
	return records, nil
}
