package eventstoredb

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/domain"
)

// newPubSub returns a publisher and a subscriber on the log, closed with the test.
func newPubSub(t testing.TB, log *Log, cfg SubscriberConfig) (*Publisher, *Subscriber) {
	t.Helper()
	pub, err := NewPublisher(log, PublisherConfig{})
	require.NoError(t, err)
	if cfg.Group == "" {
		cfg.Group = "g"
	}
	sub, err := NewSubscriber(log, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, pub.Close())
		require.NoError(t, sub.Close())
	})
	return pub, sub
}

// next takes the next message from the channel.
func next(ctx context.Context, t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-messages:
		require.True(t, ok, "the channel is closed")
		return m
	case <-ctx.Done():
		require.FailNow(t, "no message came")
		return nil
	}
}

func TestMessagesSurviveTheRoundTrip(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	pub, sub := newPubSub(t, open(t, f.connection()), SubscriberConfig{})
	messages, err := sub.Subscribe(ctx, "orders")
	require.NoError(t, err)
	for _, sent := range []*message.Message{
		message.NewMessage(uuid.NewString(), []byte(`{"a": 1.0}`)),
		message.NewMessage("01ARZ3NDEKTSV4RRFFQ69G5FAV", []byte{0, 255, 254}),
		message.NewMessage("any text <>&\" ☃", nil),
		message.NewMessage("", []byte("x")),
	} {
		sent.Metadata = message.Metadata{"$correlationId": "c-1", "name": "OrderPlaced", "empty": "", "html": "<a&b>", "ü": "☃\n\"\\"}
		require.NoError(t, pub.Publish("orders", sent))
		got := next(ctx, t, messages)
		require.Equal(t, sent.UUID, got.UUID)
		require.Equal(t, sent.Metadata, got.Metadata)
		require.Equal(t, string(sent.Payload), string(got.Payload))
		delivery, ok := DeliveryOf(got.Context())
		require.True(t, ok)
		require.Equal(t, "OrderPlaced", delivery.Event.Type)
		require.Equal(t, "orders", delivery.Event.Stream)
		require.Equal(t, 1, delivery.Attempt)
		require.Contains(t, string(delivery.Event.Metadata), `"$correlationId":"c-1"`)
		require.True(t, got.Ack())
	}
}

func TestEventsOfOtherClientsAreMessages(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	_, sub := newPubSub(t, log, SubscriberConfig{})
	messages, err := sub.Subscribe(ctx, "orders")
	require.NoError(t, err)
	plain, rich := event(`1`), event(`2`)
	rich.Metadata = []byte(`{"$correlationId":"c","n":1.50,"o":{"a":[]},"z":null}`)
	_, err = log.Append(ctx, "orders", domain.AnyRevision, plain, rich)
	require.NoError(t, err)
	first := next(ctx, t, messages)
	require.Equal(t, plain.ID.String(), first.UUID)
	require.Empty(t, first.Metadata)
	second := next(ctx, t, messages)
	require.Equal(t, message.Metadata{"$correlationId": "c", "n": "1.50", "o": `{"a":[]}`, "z": "null"}, second.Metadata)
	first.Ack()
	second.Ack()
}

func TestANackedMessageComesAgainAfterADelayAndIsParkedAtLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, inMemory := inMemory(t)
		log := open(t, f.connection(), inMemory)
		pub, sub := newPubSub(t, log, SubscriberConfig{MaxAttempts: 4, NackInitial: time.Second, NackMax: 3 * time.Second})
		messages, err := sub.Subscribe(t.Context(), "orders")
		require.NoError(t, err)
		require.NoError(t, pub.Publish("orders", message.NewMessage("m", []byte("x"))))
		last := time.Now()
		for i, delay := range []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second} {
			m := next(t.Context(), t, messages)
			require.Equal(t, delay, time.Since(last), "on the test's own clock")
			last = time.Now()
			d, _ := DeliveryOf(m.Context())
			require.Equal(t, i+1, d.Attempt)
			require.Equal(t, 4, d.MaxAttempts)
			m.Nack()
			<-m.Context().Done()
		}
		g := f.groupOf("orders", "g")
		require.NoError(t, g.when(t.Context(), func() bool { return len(g.parked) == 1 }))
		require.Equal(t, persistent.ReadReq_Nack_Park, g.nacks[len(g.nacks)-1].GetAction())
		require.Contains(t, g.nacks[len(g.nacks)-1].GetReason(), "attempt 4 of 4")
		require.NoError(t, pub.Publish("orders", message.NewMessage("after", nil)))
		m := next(t.Context(), t, messages)
		require.Equal(t, "after", m.UUID)
		m.Ack()
		closeAll(t, f, log, pub, sub)
	})
}

// closeAll ends what a test on its own clock must end inside.
func closeAll(t *testing.T, f *fakeServer, log *Log, pub *Publisher, sub *Subscriber) {
	t.Helper()
	require.NoError(t, pub.Close())
	require.NoError(t, sub.Close())
	require.NoError(t, log.Close())
	f.stop()
	for _, g := range f.groups {
		g.stop()
	}
}

func TestAHandlerThatTakesTooLongLosesItsMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, inMemory := inMemory(t)
		log := open(t, f.connection(), inMemory)
		pub, sub := newPubSub(t, log, SubscriberConfig{AckTimeout: 20 * time.Second, NackInitial: time.Second})
		messages, err := sub.Subscribe(t.Context(), "orders")
		require.NoError(t, err)
		require.NoError(t, pub.Publish("orders", message.NewMessage("m", nil)))
		began := time.Now()
		slow := next(t.Context(), t, messages)
		<-slow.Context().Done()
		require.Equal(t, 20*time.Second, time.Since(began))
		again := next(t.Context(), t, messages)
		d, _ := DeliveryOf(again.Context())
		require.Equal(t, 2, d.Attempt)
		again.Ack()
		closeAll(t, f, log, pub, sub)
	})
}

func TestCloseWaitsForHandlersAndPassesTheirAnswersOn(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	pub, sub := newPubSub(t, open(t, f.connection()), SubscriberConfig{CloseTimeout: time.Minute})
	messages, err := sub.Subscribe(ctx, "orders")
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, pub.Publish("orders", message.NewMessage(fmt.Sprint(i), nil)))
	}
	handled := []*message.Message{next(ctx, t, messages), next(ctx, t, messages)}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = sub.Close()
	}()
	// The channel is closed at once, so that a router stops taking; it may hold one more.
	for m := range messages {
		handled = append(handled, m)
	}
	for _, m := range handled {
		require.NoError(t, m.Context().Err(), "handlers are not disturbed")
		select {
		case <-closed:
			require.Fail(t, "Close did not wait")
		default:
		}
		require.True(t, m.Ack())
	}
	<-closed
	g := f.groupOf("orders", "g")
	require.NoError(t, g.when(ctx, func() bool { return g.acks == len(handled) && len(g.pending) == 3-len(handled) }), "the answers arrived")
	_, err = sub.Subscribe(ctx, "orders")
	require.ErrorIs(t, err, ErrPubSubClosed)
}

func TestCloseGivesUpOnHandlersThatDoNotEnd(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	pub, sub := newPubSub(t, log, SubscriberConfig{CloseTimeout: 20 * time.Millisecond})
	messages, err := sub.Subscribe(ctx, "orders")
	require.NoError(t, err)
	require.NoError(t, pub.Publish("orders", message.NewMessage("m", nil)))
	stuck := next(ctx, t, messages)
	require.NoError(t, sub.Close())
	require.Error(t, stuck.Context().Err())
	_, other := newPubSub(t, log, SubscriberConfig{})
	messages, err = other.Subscribe(ctx, "orders")
	require.NoError(t, err)
	again := next(ctx, t, messages)
	require.Equal(t, "m", again.UUID)
	again.Ack()
}

func TestASubscriptionSurvivesAHundredDrops(t *testing.T) { // not parallel: it counts goroutines
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	pub, sub := newPubSub(t, log, SubscriberConfig{MaxAttempts: 1000})
	require.NoError(t, sub.SubscribeInitialize("orders"))
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	messages, err := sub.Subscribe(ctx, "orders")
	require.NoError(t, err)
	for i := range 100 {
		want := fmt.Sprint(i)
		require.NoError(t, pub.Publish("orders", message.NewMessage(want, nil)))
		for {
			m := next(ctx, t, messages)
			m.Ack()
			if m.UUID == want { // others may come again when their answer was lost
				break
			}
		}
		f.stop()
		f.start()
	}
	require.NoError(t, sub.Close())
	require.NoError(t, log.Close())
	f.stop()
}

func TestAMessagePublishedAgainIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	pub, sub := newPubSub(t, log, SubscriberConfig{})
	messages, err := sub.Subscribe(ctx, "orders")
	require.NoError(t, err)
	// A server takes two events with one id for one, and passes over an id that is in flight.
	require.NoError(t, pub.Publish("orders", message.NewMessage("same", nil)))
	require.NoError(t, pub.Publish("orders", message.NewMessage("same", nil)))
	first, second := next(ctx, t, messages), next(ctx, t, messages)
	require.Equal(t, "same", first.UUID)
	require.Equal(t, "same", second.UUID)
	first.Ack()
	second.Ack()

	once, err := NewPublisher(log, PublisherConfig{Deduplicate: true})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, once.Publish("once", message.NewMessage("same", nil)))
	}
	require.Len(t, collect(t, log.ReadStream(ctx, "once", 0)), 1)
}

func TestPublishSplitsWhatIsTooLargeForOneAppend(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	pub, _ := newPubSub(t, log, SubscriberConfig{})
	big := []byte(strings.Repeat("x", domain.MaxAppendSize/2))
	require.NoError(t, pub.Publish("big", message.NewMessage("1", big), message.NewMessage("2", big), message.NewMessage("3", big)))
	require.Len(t, collect(t, log.ReadStream(ctx, "big", 0)), 3)

	tooBig := message.NewMessage("4", append(big, big...))
	require.ErrorIs(t, pub.Publish("big", message.NewMessage("5", nil), tooBig), domain.ErrTooLarge)
	require.Len(t, collect(t, log.ReadStream(ctx, "big", 0)), 3, "nothing was written")
}

func TestPublishRefusesWhatWouldNotSurvive(t *testing.T) {
	t.Parallel()
	pub, err := NewPublisher(open(t, "esdb://127.0.0.1:1?tls=false"), PublisherConfig{})
	require.NoError(t, err)
	for _, metadata := range []message.Metadata{{"k": "\xff"}, {"\xff": "v"}, {MetadataUUID: "other"}} {
		m := message.NewMessage("m", nil)
		m.Metadata = metadata
		require.Error(t, pub.Publish("t", m))
	}
	require.NoError(t, pub.Close())
	require.ErrorIs(t, pub.Publish("t", message.NewMessage("m", nil)), ErrPubSubClosed)
}

func TestPublishEndsWithTheMessagesContextOrItsTimeout(t *testing.T) {
	t.Parallel()
	log := open(t, "esdb://127.0.0.1:1?tls=false") // nobody listens there
	pub, err := NewPublisher(log, PublisherConfig{Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	require.ErrorIs(t, pub.Publish("t", message.NewMessage("m", nil)), context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, pub.Publish("t", message.NewMessageWithContext(ctx, "m", nil)), context.Canceled)

	sub, err := NewSubscriber(log, SubscriberConfig{Group: "g"})
	require.NoError(t, err)
	_, err = sub.Subscribe(ctx, "t")
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, sub.Close())
	require.Error(t, sub.SubscribeInitialize("t"))
}

func TestSubscriberConfigReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := NewSubscriber(nil, SubscriberConfig{InFlight: -1, NackInitial: -1, AckTimeout: -1, Strategy: "x"})
	for _, word := range []string{"Group", "InFlight", "NackInitial", "AckTimeout", `"x"`} {
		require.ErrorContains(t, err, word)
	}
	_, err = NewPublisher(nil, PublisherConfig{Timeout: -1})
	require.ErrorContains(t, err, "Timeout")
}

func TestGroupsAreCreatedLookedAtAndDeleted(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	settings := GroupSettings{MaxRetries: 3, MessageTimeout: 5 * time.Second, Strategy: PinnedByCorrelation}
	require.NoError(t, log.CreateGroup(ctx, "s", "g", settings))
	require.ErrorIs(t, log.CreateGroup(ctx, "s", "g", settings), ErrGroupExists)
	info, err := log.Group(ctx, "s", "g")
	require.NoError(t, err)
	require.Equal(t, settings, info.Settings)
	require.NoError(t, log.DeleteGroup(ctx, "s", "g"))
	require.ErrorIs(t, log.DeleteGroup(ctx, "s", "g"), ErrNoGroup)
	_, err = log.Group(ctx, "s", "g")
	require.ErrorIs(t, err, ErrNoGroup)
	require.Error(t, log.UpdateGroup(ctx, "s", "g", settings), "the protocol has no such update")
}
