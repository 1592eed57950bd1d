package esdbserver_test

import (
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

func metadataEvent(json string) esdb.EventData {
	return esdb.EventData{EventID: uuid.New(), EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: []byte(json)}
}

// untilDropped returns the error that ends the subscription.
func untilDropped(sub *esdb.Subscription) error {
	for {
		if m := sub.Recv(); m.SubscriptionDropped != nil {
			return m.SubscriptionDropped.Error
		}
	}
}

// Taking access away ends the subscriptions that need it at once, those to $all too.
func TestAccessTakenAwayEndsSubscriptions(t *testing.T) {
	t.Parallel()
	n, as := guarded(t)
	admin, app, ctx := as("admin:secret"), as("app:secret"), within(t)
	for _, stream := range []string{"s", "other", "free"} {
		n.appended(admin, stream, batch(1, "T")...)
	}
	n.appended(admin, "$$s", metadataEvent(`{"$acl":{"$r":["app","reader"]}}`))
	one, err := app.SubscribeToStream(ctx, "s", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	require.NoError(t, err)
	free, err := app.SubscribeToStream(ctx, "free", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	require.NoError(t, err)
	all, err := app.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.End{}})
	require.NoError(t, err)
	reader, err := as("reader:secret").SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.End{}})
	require.NoError(t, err)
	defer reader.Close()

	n.appended(admin, "$$s", metadataEvent(`{"$acl":{"$r":["reader"]}}`))
	require.ErrorContains(t, untilDropped(one), "Access Denied")
	n.appended(admin, "$$$all", metadataEvent(`{"$acl":{"$r":["reader"]}}`))
	require.ErrorContains(t, untilDropped(all), "Access Denied")

	n.appended(admin, "free", batch(1, "T")...)
	for seen := 0; seen < 2; { // the others' go on
		m := free.Recv()
		require.Nil(t, m.SubscriptionDropped)
		if m.EventAppeared != nil {
			seen++
		}
	}
	_, err = app.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{})
	require.Equal(t, esdb.ErrorCodeAccessDenied, code(t, err), "the $acl of $all holds for new ones as well")
	_, err = admin.AppendToStream(ctx, "$settings", esdb.AppendToStreamOptions{}, batch(1, "update")...)
	require.Equal(t, esdb.ErrorCodeAccessDenied, code(t, err), "default ACLs are refused rather than void")
	require.ErrorContains(t, err, "give the users roles")
}

// An app sees what apps write, and has no way to see runs, which have everybody's inputs.
func TestAppsDoNotSeeRuns(t *testing.T) {
	t.Parallel()
	n, as := guarded(t)
	admin, app, ctx := as("admin:secret"), as("app:secret"), within(t)
	run := domain.RunStream(uuid.New())
	n.appended(as("coordinator:secret"), run, batch(2, "run.started.v1")...)
	n.appended(admin, "links", esdb.EventData{EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: fmt.Appendf(nil, "0@%s", run)})
	n.appended(app, "order-1", batch(1, "T")...)

	for name, read := range map[string]func(*esdb.Client) (*esdb.ReadStream, error){
		"$all": func(c *esdb.Client) (*esdb.ReadStream, error) {
			return c.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.Start{}, ResolveLinkTos: true}, 1000)
		},
		"$all backward": func(c *esdb.Client) (*esdb.ReadStream, error) {
			return c.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1000)
		},
		"category": func(c *esdb.Client) (*esdb.ReadStream, error) {
			return c.ReadStream(ctx, "$ce-run", esdb.ReadStreamOptions{ResolveLinkTos: true}, 10)
		},
		"type": func(c *esdb.Client) (*esdb.ReadStream, error) {
			return c.ReadStream(ctx, "$et-run.started.v1", esdb.ReadStreamOptions{ResolveLinkTos: true}, 10)
		},
		"a link": func(c *esdb.Client) (*esdb.ReadStream, error) {
			return c.ReadStream(ctx, "links", esdb.ReadStreamOptions{ResolveLinkTos: true}, 10)
		},
	} {
		count := func(c *esdb.Client) (runs int) {
			stream, err := read(c)
			for _, e := range drainRead(t, stream, err) {
				if e.Event != nil && e.Event.StreamID == run || e.Link != nil && string(e.Link.Data) == "0@"+run {
					runs++
				}
			}
			return runs
		}
		require.Zero(t, count(app), name)
		require.NotZero(t, count(as("reader:secret")), name)
	}
	stream, err := app.ReadStream(ctx, run, esdb.ReadStreamOptions{}, 1)
	if err == nil {
		_, err = stream.Recv()
	}
	require.Equal(t, esdb.ErrorCodeAccessDenied, code(t, err), "by its name")

	sub, err := app.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	require.NoError(t, err)
	defer sub.Close()
	for {
		m := sub.Recv()
		require.Nil(t, m.SubscriptionDropped)
		if m.CaughtUp != nil {
			break
		}
		require.NotEqual(t, run, m.EventAppeared.OriginalEvent().StreamID, "a subscription")
	}

	require.NoError(t, admin.CreatePersistentSubscriptionToAll(ctx, "g", esdb.PersistentAllSubscriptionOptions{StartFrom: esdb.Start{}, Settings: settings(),
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"run-", "order-"}}}))
	consumer, err := app.SubscribeToPersistentSubscriptionToAll(ctx, "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	require.NoError(t, err)
	defer consumer.Close()
	require.Equal(t, "order-1", receive(t, consumer).Event.OriginalEvent().StreamID, "a group")

	list, err := app.ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
	require.NoError(t, err, "who is somebody may see which groups there are")
	require.Len(t, list, 1)
	_, err = as("").ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
	require.Error(t, err)
}

// A client that is still sending when it is refused gets the reason, that of a wrong password too.
func TestWrongPasswordIsToldToWhoeverIsStillSending(t *testing.T) {
	t.Parallel()
	_, as := guarded(t)
	events := batch(2000, "T")
	for i := range events {
		events[i].Data = fmt.Appendf(nil, `"%0500d"`, i)
	}
	for range 20 {
		_, err := as("app:wrong").AppendToStream(within(t), "s", esdb.AppendToStreamOptions{}, events...)
		require.Equal(t, esdb.ErrorCodeUnauthenticated, code(t, err))
	}
}
