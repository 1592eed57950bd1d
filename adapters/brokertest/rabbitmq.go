package brokertest

import (
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/saga"
)

// Recipe: RabbitMQ {

// OverRabbitMQ carries attempts and outcomes in durable queues. Every queue is declared before anything is
// published: RabbitMQ drops, without a word, what is published to a queue that does not exist yet.
func OverRabbitMQ(uri, namespace string, actions []string, logger watermill.LoggerAdapter) (message.Publisher, message.Subscriber, error) {
	cfg := amqp.NewDurableQueueConfig(uri)
	cfg.Publish.ConfirmDelivery = true // an attempt counts as sent when the broker has it
	cfg.Consume.Qos.PrefetchCount = 16 // how many attempts of an action a worker holds at once
	cfg.Connection.Reconnect = amqp.DefaultReconnectConfig()
	pub, err := amqp.NewPublisher(cfg, logger)
	if err != nil {
		return nil, nil, err
	}
	sub, err := amqp.NewSubscriber(cfg, logger)
	if err != nil {
		return nil, nil, err
	}
	topics := []string{saga.OutcomesTopic(namespace)}
	for _, action := range actions {
		topics = append(topics, saga.ActionTopic(namespace, action))
	}
	for _, topic := range topics {
		if err := sub.SubscribeInitialize(topic); err != nil {
			return nil, nil, err
		}
	}
	return pub, sub, nil
}

// } Recipe
