package streamdb_test

import (
	"context"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// subscriber pulls a subscription's messages one by one.
type subscriber struct {
	t    *testing.T
	next func() (streamdb.Message, error, bool)
}

func pull(t *testing.T, messages iter.Seq2[streamdb.Message, error]) *subscriber {
	next, stop := iter.Pull2(messages)
	t.Cleanup(stop)
	return &subscriber{t, next}
}

func (s *subscriber) message() streamdb.Message {
	s.t.Helper()
	m, err, ok := s.next()
	require.True(s.t, ok)
	require.NoError(s.t, err)
	return m
}

// event skips what is no event.
func (s *subscriber) event() *domain.Recorded {
	for {
		if m := s.message(); m.Event != nil {
			return m.Event
		}
	}
}

func TestSubscriptionToAllHasNoGapAndNoDuplicateWhileItFallsBehind(t *testing.T) {
	t.Parallel()
	d := open(t) // its tail holds 16 events
	d.append("s", domain.NoStream, 1, 2, 3)
	d.follow()
	sub := pull(t, d.SubscribeAll(d.ctx, streamdb.Place{}, nil))
	for range 3 {
		sub.event()
	}
	require.True(t, sub.message().CaughtUp)
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 50 {
				_, err := d.Append(d.ctx, "s", domain.AnyRevision, []domain.NewEvent{{ID: [16]byte{1, byte(w), byte(i)}, Type: "T"}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for want := uint64(3); want <= 202; want++ {
		require.Equal(t, want, sub.event().Revision)
	}
	writers.Wait()
}

func TestSubscriptionFromAPositionIsExclusive(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.append("s", domain.NoStream, 1, 2, 3)
	d.follow()
	require.EqualValues(t, 2, pull(t, d.SubscribeAll(d.ctx, streamdb.Place{After: d.position("s", 1)}, nil)).event().Revision)
	require.EqualValues(t, 2, pull(t, d.SubscribeStream(d.ctx, "s", 1)).event().Revision)
}

func TestFilteredSubscriptionTellsHowFarItHasCome(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.append("noise", domain.NoStream, 1, 2, 3, 4, 5, 6, 7)
	d.append("wanted", domain.NoStream, 8)
	d.follow()
	filter := &streamdb.Filter{Interval: 3, Accepts: func(e *domain.Recorded) bool { return strings.HasPrefix(e.Stream, "w") }}
	sub := pull(t, d.SubscribeAll(d.ctx, streamdb.Place{}, filter))
	checkpoint := func(at domain.Position) {
		t.Helper()
		m := sub.message()
		require.True(t, m.Checkpoint)
		require.Equal(t, at, m.Position)
	}
	checkpoint(d.position("noise", 2))
	checkpoint(d.position("noise", 5))
	wanted := sub.message().Event
	require.Equal(t, "wanted", wanted.Stream)
	checkpoint(wanted.Position) // on the way to being live
	require.True(t, sub.message().CaughtUp)
	d.append("noise", domain.AnyRevision, 9, 10, 11)
	checkpoint(d.position("noise", 9))
}

func TestSubscriptionToAStreamFollowsDeletionAndTombstone(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.follow()
	sub := pull(t, d.SubscribeStream(d.ctx, "s", streamdb.NoNumber))
	require.True(t, sub.message().CaughtUp)
	d.append("s", domain.NoStream, 1)
	require.EqualValues(t, 0, sub.event().Revision)
	_, err := d.Delete(d.ctx, "s", domain.AnyRevision)
	require.NoError(t, err)
	d.append("s", domain.NoStream, 2)
	require.EqualValues(t, 1, sub.event().Revision)
	_, err = d.Tombstone(d.ctx, "s", domain.AnyRevision)
	require.NoError(t, err)
	last := sub.event()
	require.Equal(t, streamdb.TypeTombstone, last.Type)
	require.EqualValues(t, streamdb.Tombstoned, last.Revision)
	_, err, _ = sub.next()
	require.ErrorIs(t, err, domain.ErrStreamDeleted)
}

func TestSubscriptionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.follow()
	ctx, cancel := context.WithCancel(d.ctx)
	all, one := pull(t, d.SubscribeAll(ctx, streamdb.Place{}, nil)), pull(t, d.SubscribeStream(ctx, "s", -1))
	require.True(t, all.message().CaughtUp)
	require.True(t, one.message().CaughtUp)
	cancel()
	for _, sub := range []*subscriber{all, one} {
		_, err, _ := sub.next()
		require.ErrorIs(t, err, context.Canceled)
	}
}

// The follower may fail and be run again: it goes on where it stopped.
func TestFollowerGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx, cancel := context.WithCancel(d.ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	sub := pull(t, d.SubscribeAll(d.ctx, streamdb.Place{}, nil))
	d.append("s", domain.NoStream, 1)
	require.EqualValues(t, 0, sub.event().Revision)
	cancel()
	require.NoError(t, <-ended)
	d.append("s", domain.AnyRevision, 2, 3)
	d.follow()
	require.EqualValues(t, 1, sub.event().Revision)
	require.EqualValues(t, 2, sub.event().Revision)
}

func TestCategoryStreamsAreComputed(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range byte(5) {
		d.append("run-"+string('a'+rune(i%2)), domain.AnyRevision, 2*i+1)
		d.append("other", domain.AnyRevision, 2*i+2)
	}
	d.append("$run-x", domain.NoStream, 100)
	require.Equal(t, []int64{0, 1, 2, 3, 4}, d.numbers("$ce-run"))
	view, err := d.View(d.ctx, "$ce-run")
	require.NoError(t, err)
	require.Equal(t, []int64{4, 3, 2, 1, 0}, numbersOf(t, view.Backward(d.ctx, domain.End)))
	require.Equal(t, []int64{2, 1, 0}, numbersOf(t, view.Backward(d.ctx, 2)))
	require.Equal(t, []int64{3, 4}, numbersOf(t, view.Forward(d.ctx, 3)))
	require.Len(t, d.numbers("$et-Happened"), 11)
	require.Nil(t, d.numbers("$ce-nothing"))
	before := len(numbersOf(t, d.All(d.ctx, 0)))

	var link domain.Recorded
	for e := range view.Forward(d.ctx, 4) {
		link = e
	}
	require.Equal(t, "2@run-a", string(link.Data))
	resolved, err := d.Resolve(d.ctx, link, nil)
	require.NoError(t, err)
	require.Equal(t, event(9).ID, resolved.Event.ID)
	for e := range view.Forward(d.ctx, 4) {
		require.Equal(t, link.ID, e.ID, "the same link has the same id")
	}
	require.Len(t, numbersOf(t, d.All(d.ctx, 0)), before, "nothing is stored")

	d.follow()
	sub := pull(t, d.SubscribeStream(d.ctx, "$ce-run", 3))
	require.EqualValues(t, 4, sub.event().Revision)
	d.append("run-c", domain.NoStream, 50)
	require.EqualValues(t, 5, sub.event().Revision)
}

func TestLongCategoryStreamsAreReadFromTheMiddle(t *testing.T) {
	t.Parallel()
	d := open(t)
	const n = 3000
	for i := range n {
		_, err := d.log.Append(d.ctx, "c-1", domain.AnyRevision, domain.NewEvent{ID: [16]byte{1, byte(i >> 8), byte(i)}, Type: "T"})
		require.NoError(t, err)
	}
	view, err := d.View(d.ctx, "$ce-c")
	require.NoError(t, err)
	for _, from := range []uint64{0, 1, 1023, 1024, 1025, 2047, 2999} {
		for e, err := range view.Forward(d.ctx, from) {
			require.NoError(t, err)
			require.Equal(t, from, e.Revision)
			require.Equal(t, d.position("c-1", from), e.Position)
			break
		}
		for e, err := range view.Backward(d.ctx, from) {
			require.NoError(t, err)
			require.Equal(t, from, e.Revision)
			break
		}
	}
	require.Empty(t, numbersOf(t, view.Forward(d.ctx, n)))
}

func TestLinksThatLeadNowhereStayUnresolved(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.append("target", domain.NoStream, 1, 2)
	links := []string{"0@target", "7@target", "0@missing", "0@gone", "0@$ce-target"}
	d.append("gone", domain.NoStream, 3)
	_, err := d.Tombstone(d.ctx, "gone", domain.AnyRevision)
	require.NoError(t, err)
	for i, data := range links {
		resolved, err := d.Resolve(d.ctx, domain.Recorded{NewEvent: domain.NewEvent{Type: streamdb.TypeLink, Data: []byte(data)}}, nil)
		require.NoError(t, err)
		require.NotNil(t, resolved.Link)
		require.Equal(t, i == 0, resolved.Event != nil, data)
	}
	denied := func(context.Context, string) (bool, error) { return false, nil }
	resolved, err := d.Resolve(d.ctx, domain.Recorded{NewEvent: domain.NewEvent{Type: streamdb.TypeLink, Data: []byte(links[0])}}, denied)
	require.NoError(t, err)
	require.Nil(t, resolved.Event)
	d.metadata("target", `{"$tb":1}`)
	resolved, err = d.Resolve(d.ctx, domain.Recorded{NewEvent: domain.NewEvent{Type: streamdb.TypeLink, Data: []byte(links[0])}}, nil)
	require.NoError(t, err)
	require.Nil(t, resolved.Event)
}
