package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/saga/queue"
)

// A queue between a program and the handlers of a Watermill router. The handler's error
// is a Nack: the message waits for its redelivery without holding up the handler.
func Example() {
	q, err := queue.New(queue.Config{
		Capacity:        1000,
		InFlight:        8,
		RedeliveryDelay: func(int) time.Duration { return time.Millisecond },
	})
	if err != nil {
		log.Fatal(err)
	}

	sent := make(chan string)
	router := message.NewDefaultRouter(watermill.NopLogger{})
	router.AddConsumerHandler("mailer", "mail", q.Group("mailers"), func(msg *message.Message) error {
		if queue.Attempt(msg) == 1 {
			return errors.New("the mail server is busy")
		}
		sent <- fmt.Sprintf("%s at attempt %d", msg.Payload, queue.Attempt(msg))
		return nil
	})
	go func() {
		if err := router.Run(context.Background()); err != nil {
			log.Print(err)
		}
	}()

	// It may be published before the router runs: the queue keeps it.
	if err := q.Publish("mail", message.NewMessage("m-1", []byte("welcome"))); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-sent)

	<-router.Running()
	if err := errors.Join(router.Close(), q.Close()); err != nil {
		log.Fatal(err)
	}
	// Output: welcome at attempt 2
}

// Subscriptions of one group share its messages; every group gets all of them.
func ExampleQueue_Group() {
	q, err := queue.New(queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	for _, group := range []string{"billing", "shipping"} {
		if err := q.Group(group).SubscribeInitialize("orders"); err != nil {
			log.Fatal(err)
		}
	}
	if err := q.Publish("orders", message.NewMessage("o-1", nil), message.NewMessage("o-2", nil)); err != nil {
		log.Fatal(err)
	}
	for _, group := range []string{"billing", "shipping"} {
		orders, err := q.Group(group).Subscribe(context.Background(), "orders")
		if err != nil {
			log.Fatal(err)
		}
		for range 2 {
			order := <-orders
			fmt.Println(group, order.UUID)
			order.Ack()
		}
	}
	if err := q.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// billing o-1
	// billing o-2
	// shipping o-1
	// shipping o-2
}
