package logtest

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// appendScenarios state what an append accepts, what it answers and what it keeps.
// The expected-revision rules are KurrentDB's (IndexWriter.CheckCommit).
var appendScenarios = []scenario{
	{"to a stream that never existed", func(t *logTest) {
		for name, expected := range map[string]domain.Expected{"any": domain.AnyRevision, "none": domain.NoStream} {
			events := newEvents(2)
			at := t.mustAppend(t.stream(name), expected, events...)
			require.Equal(t, uint64(1), at.Revision, name)
			t.holds(t.stream(name), events...)
			require.Equal(t, at.Position, t.contents(t.stream(name))[1].Position, name)
		}
		for _, expected := range []domain.Expected{domain.StreamExists, 0, 1, 42} {
			t.conflicts(t.stream("missing"), expected, domain.NoStream, newEvent())
		}
		require.Empty(t, t.contents(t.stream("missing")))
	}},
	{"to a stream that exists", func(t *logTest) {
		s := t.stream("s")
		events := t.seed(s, 3)
		for i, expected := range []domain.Expected{2, domain.AnyRevision, domain.StreamExists, 5} {
			e := newEvent()
			at := t.mustAppend(s, expected, e)
			require.Equal(t, uint64(3+i), at.Revision)
			events = append(events, e)
		}
		for _, expected := range []domain.Expected{domain.NoStream, 0, 5, 7, 1 << 40} {
			t.conflicts(s, expected, 6, newEvent())
		}
		t.holds(s, events...)
	}},
	{"no events only checks the revision", func(t *logTest) {
		s := t.stream("s")
		for _, ok := range []domain.Expected{domain.AnyRevision, domain.NoStream} {
			t.mustAppend(t.stream("missing"), ok)
		}
		t.conflicts(t.stream("missing"), 0, domain.NoStream)
		events := t.seed(s, 2)
		for _, ok := range []domain.Expected{domain.AnyRevision, domain.StreamExists, 1} {
			t.mustAppend(s, ok)
		}
		for _, wrong := range []domain.Expected{domain.NoStream, 0, 2} {
			t.conflicts(s, wrong, 1)
		}
		t.holds(s, events...)
		require.Empty(t, t.contents(t.stream("missing")))
	}},
	{"keeps id, type, data and metadata byte for byte", func(t *logTest) {
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		events := []domain.NewEvent{
			{ID: uuid.New(), Type: "json.v1", Data: []byte("{ \"b\":1.0e+2,\n\t\"a\":\"\\u00e9é\" }"), Metadata: []byte(`{"z":1, "a":2}`)},
			{ID: uuid.New(), Type: "empty-metadata.v1", Data: []byte(`{}`)},
			{ID: uuid.New(), Type: "binary.v1", Data: every, Metadata: []byte(`{"m":true}`), Binary: true},
			{ID: uuid.New(), Type: "binary-empty.v1", Binary: true},
			{ID: uuid.New(), Type: "тип/with spaces and ünïcode", Data: []byte(`"x"`)},
		}
		s := t.stream("ströme with spaces/☃")
		before := time.Now()
		t.mustAppend(s, domain.NoStream, events...)
		got := t.contents(s)
		require.Len(t, got, len(events))
		for i, want := range events {
			require.Equal(t, want.ID, got[i].ID)
			require.Equal(t, want.Type, got[i].Type)
			require.True(t, bytes.Equal(want.Data, got[i].Data), "data of %s: %q", want.Type, got[i].Data)
			require.True(t, bytes.Equal(want.Metadata, got[i].Metadata), "metadata of %s: %q", want.Type, got[i].Metadata)
			require.Equal(t, want.Binary, got[i].Binary, want.Type)
			require.Equal(t, time.UTC, got[i].Created.Location())
			require.WithinDuration(t, before, got[i].Created, time.Hour)
		}
	}},
	{"does not keep the caller's buffers", func(t *logTest) {
		e := newEvent()
		want := bytes.Clone(e.Data)
		t.mustAppend(t.stream("s"), domain.NoStream, e)
		clear(e.Data)
		clear(e.Metadata)
		require.Equal(t, string(want), string(t.contents(t.stream("s"))[0].Data))
		require.Equal(t, string(want), string(t.take(t.log.Subscribe(t.ctx, 0, t.own()), 1)[0].Data))
	}},
	{"large events up to the limit", func(t *logTest) {
		big := newEvent()
		big.Data = []byte(`"` + strings.Repeat("x", domain.MaxAppendSize-len(big.Metadata)-2*len(big.Type)-2) + `"`)
		require.Equal(t, domain.MaxAppendSize, big.Size())
		t.mustAppend(t.stream("s"), domain.NoStream, big)
		got := t.contents(t.stream("s"))
		require.Len(t, got, 1)
		require.True(t, bytes.Equal(big.Data, got[0].Data))
	}},
	{"over the limit is refused and writes nothing", func(t *logTest) {
		one, two := newEvent(), newEvent()
		one.Data = []byte(`"` + strings.Repeat("x", domain.MaxAppendSize/2) + `"`)
		two.Data = one.Data
		_, err := t.log.Append(t.ctx, t.stream("s"), domain.NoStream, one, two)
		require.ErrorIs(t, err, domain.ErrTooLarge)
		require.Empty(t, t.contents(t.stream("s")))
		t.mustAppend(t.stream("s"), domain.NoStream, one)
	}},
	{"hundreds of events in one batch", func(t *logTest) {
		events := newEvents(500)
		at := t.mustAppend(t.stream("s"), domain.NoStream, events...)
		require.Equal(t, uint64(499), at.Revision)
		t.holds(t.stream("s"), events...)
	}},
	{"a nameless stream, event without id or without type is refused", func(t *logTest) {
		noID, noType := newEvent(), newEvent()
		noID.ID, noType.Type = uuid.Nil, ""
		_, err := t.log.Append(t.ctx, "", domain.AnyRevision, newEvent())
		require.Error(t, err)
		_, err = t.log.Append(t.ctx, t.stream("s"), domain.AnyRevision, newEvent(), noID)
		require.Error(t, err)
		_, err = t.log.Append(t.ctx, t.stream("s"), domain.AnyRevision, newEvent(), noType)
		require.Error(t, err)
		require.Empty(t, t.contents(t.stream("s")), "a batch is written whole or not at all")
	}},
	{"with an ended context writes nothing", func(t *logTest) {
		ctx, cancel := context.WithCancel(t.ctx)
		cancel()
		_, err := t.log.Append(ctx, t.stream("s"), domain.NoStream, newEvent())
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, t.contents(t.stream("s")))
	}},
}

// repeatScenarios state when an append counts as a repeat of an earlier one: the table of
// KurrentDB, as far as it concerns streams that were not deleted.
var repeatScenarios = []scenario{
	{"any revision, all ids known: the original numbers", func(t *logTest) {
		s := t.stream("s")
		events := newEvents(3)
		original := t.mustAppend(s, domain.AnyRevision, events...)
		later := newEvent()
		t.mustAppend(s, domain.AnyRevision, later)
		t.repeats(s, domain.AnyRevision, original, events...)
		t.repeats(s, domain.StreamExists, original, events...)
		t.repeats(s, domain.AnyRevision, domain.Appended{Revision: 1, Position: t.contents(s)[1].Position}, events[:2]...)
		t.holds(s, append(events, later)...)
	}},
	{"any revision, ids written at exact revisions are known too", func(t *logTest) {
		s := t.stream("s")
		events := newEvents(3)
		var at [3]domain.Appended
		for i, e := range events {
			at[i] = t.mustAppend(s, domain.Expected(i-1), e)
		}
		t.repeats(s, domain.AnyRevision, at[0], events[0])
		t.repeats(s, domain.StreamExists, at[2], events[1], events[2])
		more := newEvent()
		t.mustAppend(s, 2, more)
		t.repeats(s, domain.AnyRevision, at[1], events[1])
		t.repeats(s, domain.AnyRevision, domain.Appended{Revision: 3, Position: t.contents(s)[3].Position}, more)
		t.holds(s, append(events, more)...)
	}},
	{"any revision, first id unknown: everything is appended", func(t *logTest) {
		s := t.stream("s")
		events := t.seed(s, 2)
		mixed := []domain.NewEvent{newEvent(), events[0]}
		at := t.mustAppend(s, domain.AnyRevision, mixed...)
		require.Equal(t, uint64(3), at.Revision)
		t.holds(s, append(events, mixed...)...)
	}},
	{"any revision, known ids and then an unknown one: conflict", func(t *logTest) {
		s := t.stream("s")
		events := t.seed(s, 2)
		t.conflicts(s, domain.AnyRevision, 1, events[0], newEvent())
		t.conflicts(s, domain.StreamExists, 1, events[0], events[1], newEvent())
		t.holds(s, events...)
	}},
	{"any revision, an id of another stream is new to this one", func(t *logTest) {
		e := t.seed(t.stream("a"), 1)[0]
		t.mustAppend(t.stream("b"), domain.AnyRevision, newEvent())
		at := t.mustAppend(t.stream("b"), domain.AnyRevision, e)
		require.Equal(t, uint64(1), at.Revision)
		t.mustAppend(t.stream("c"), domain.AnyRevision, e)
		t.holds(t.stream("c"), e)
	}},
	{"exact revision behind the head, same ids: the original last number", func(t *logTest) {
		s := t.stream("s")
		first, second, third := newEvents(2), newEvents(3), newEvents(1)
		at1 := t.mustAppend(s, domain.NoStream, first...)
		at2 := t.mustAppend(s, 1, second...)
		at3 := t.mustAppend(s, 4, third...)
		t.repeats(s, domain.NoStream, at1, first...)
		t.repeats(s, 1, at2, second...)
		t.repeats(s, 4, at3, third...)
		t.repeats(s, 1, domain.Appended{Revision: 2, Position: t.contents(s)[2].Position}, second[:1]...)
		t.repeats(s, domain.NoStream, at2, append(append([]domain.NewEvent{}, first...), second...)...)
		t.holds(s, append(append(first, second...), third...)...)
	}},
	{"exact revision behind the head, different ids: conflict", func(t *logTest) {
		s := t.stream("s")
		events := t.seed(s, 4)
		t.conflicts(s, domain.NoStream, 3, newEvent())
		t.conflicts(s, 0, 3, newEvent())
		t.conflicts(s, 0, 3, events[2])
		t.conflicts(s, 0, 3, events[1], newEvent())
		t.conflicts(s, domain.NoStream, 3, events[0], events[1], events[3])
		t.holds(s, events...)
	}},
	{"exact revision behind the head, running past the end: conflict", func(t *logTest) {
		s := t.stream("s")
		events := t.seed(s, 2)
		t.conflicts(s, domain.NoStream, 1, events[0], events[1], newEvent())
		t.conflicts(s, 0, 1, events[1], newEvent())
		t.holds(s, events...)
	}},
	{"exact revision at the head does not look at ids", func(t *logTest) {
		s := t.stream("s")
		events := t.seed(s, 2)
		at := t.mustAppend(s, 1, events[0])
		require.Equal(t, uint64(2), at.Revision)
		t.holds(s, events[0], events[1], events[0])
	}},
	{"exact revision ahead of the head: conflict even with known ids", func(t *logTest) {
		s := t.stream("s")
		events := t.seed(s, 2)
		t.conflicts(s, 2, 1, events[0])
		t.conflicts(s, 7, 1, events...)
		t.holds(s, events...)
	}},
}
