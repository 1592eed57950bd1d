package eventstoredb_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// exampleServer starts atone's own server, in the place of a cluster.
func exampleServer() (connection string, stop func()) {
	server, err := esdbtest.Serve(esdbserver.Config{Log: memlog.New(), Reserved: []string{}})
	if err != nil {
		panic(err)
	}
	return server.Connection(), func() { _ = server.Stop() }
}

func ExampleOpen() {
	connection, stop := exampleServer() // for a cluster: esdb://user:password@a:2113,b:2113,c:2113
	defer stop()

	log, err := eventstoredb.Open(eventstoredb.Config{Connection: connection})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()

	ctx := context.Background()
	created := domain.NewEvent{ID: uuid.New(), Type: "order.created.v1", Data: []byte(`{"total":42}`)}
	at, err := log.Append(ctx, "order-1", domain.NoStream, created)
	fmt.Println(at.Revision, err)

	// The same append again is the same write; another one at that revision loses.
	at, err = log.Append(ctx, "order-1", domain.NoStream, created)
	fmt.Println(at.Revision, err)
	_, err = log.Append(ctx, "order-1", domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: "order.created.v1"})
	fmt.Println(errors.Is(err, domain.ErrConflict))

	for event, err := range log.ReadStream(ctx, "order-1", 0) {
		fmt.Println(event.Type, string(event.Data), err)
	}
	// Output:
	// 0 <nil>
	// 0 <nil>
	// true
	// order.created.v1 {"total":42} <nil>
}

func ExampleLog_Subscribe() {
	connection, stop := exampleServer()
	defer stop()
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: connection})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	ctx := context.Background()
	for _, stream := range []string{"order-1", "invoice-1", "order-2"} {
		_, err := log.Append(ctx, stream, domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: "created.v1", Data: []byte(`{}`)})
		if err != nil {
			fmt.Println(err)
			return
		}
	}

	var checkpoint domain.Position // kept with what the events were used for
	for delivery, err := range log.Subscribe(ctx, checkpoint, domain.Filter{Prefixes: []string{"order-"}}) {
		if err != nil || delivery.CaughtUp {
			break
		}
		if delivery.Event != nil {
			fmt.Println(delivery.Event.Stream)
		}
		checkpoint = delivery.Position //nolint:ineffassign // a program would save it
	}
	// Output:
	// order-1
	// order-2
}

func ExampleNewSubscriber() {
	connection, stop := exampleServer()
	defer stop()
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: connection})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	publisher, err := eventstoredb.NewPublisher(log, eventstoredb.PublisherConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	subscriber, err := eventstoredb.NewSubscriber(log, eventstoredb.SubscriberConfig{Group: "billing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer subscriber.Close()

	messages, err := subscriber.Subscribe(context.Background(), "payments")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := publisher.Publish("payments", message.NewMessage("payment-1", []byte(`{"amount":42}`))); err != nil {
		fmt.Println(err)
		return
	}
	m := <-messages
	delivery, _ := eventstoredb.DeliveryOf(m.Context())
	fmt.Println(m.UUID, string(m.Payload), "attempt", delivery.Attempt)
	m.Ack()
	// Output:
	// payment-1 {"amount":42} attempt 1
}
