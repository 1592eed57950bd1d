package brokertest

import (
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	natsgo "github.com/nats-io/nats.go"

	"github.com/atonehq/atone/saga"
)

// Recipe: NATS {

// OverNATS carries attempts and outcomes in one JetStream stream, from which what is acknowledged is
// deleted. The consumer of each topic is made before anybody subscribes: two processes that make it at
// once may end up with two places of delivery, one of which nobody reads.
func OverNATS(url, namespace string, actions []string, logger watermill.LoggerAdapter) (message.Publisher, message.Subscriber, error) {
	conn, err := natsgo.Connect(url)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	js, err := conn.JetStream()
	if err != nil {
		return nil, nil, err
	}
	if _, err := js.AddStream(&natsgo.StreamConfig{Name: "ATONE", Subjects: []string{"atone.>"}, Retention: natsgo.WorkQueuePolicy}); err != nil {
		return nil, nil, err
	}
	durable := func(prefix, topic string) string { // names of consumers have no dots
		return prefix + "-" + strings.ReplaceAll(topic, ".", "_")
	}
	topics := []string{saga.OutcomesTopic(namespace)}
	for _, action := range actions {
		topics = append(topics, saga.ActionTopic(namespace, action))
	}
	const ackWait = 10 * time.Minute // longer than any attempt takes
	for _, topic := range topics {
		name := durable("atone", topic)
		if _, err := js.AddConsumer("ATONE", &natsgo.ConsumerConfig{
			Durable: name, FilterSubject: topic, AckPolicy: natsgo.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: 64,
			DeliverSubject: "deliver." + name, DeliverGroup: name,
		}); err != nil {
			return nil, nil, err
		}
	}
	stream := nats.JetStreamConfig{TrackMsgId: true, DurablePrefix: "atone", DurableCalculator: durable}
	pub, err := nats.NewPublisher(nats.PublisherConfig{URL: url, JetStream: stream}, logger)
	if err != nil {
		return nil, nil, err
	}
	sub, err := nats.NewSubscriber(nats.SubscriberConfig{
		URL:              url,
		SubscribersCount: 4, // how many attempts of an action a worker holds at once
		AckWaitTimeout:   ackWait,
		NakDelay:         nats.NewStaticDelay(time.Second),
		JetStream:        stream,
		SubjectCalculator: func(_, topic string) *nats.SubjectDetail {
			return &nats.SubjectDetail{Primary: topic, QueueGroup: durable("atone", topic)}
		},
	}, logger)
	if err != nil {
		return nil, nil, err
	}
	return pub, sub, nil
}

// } Recipe
