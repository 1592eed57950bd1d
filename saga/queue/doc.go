// Package queue is an in-process work queue: a Watermill Publisher and Subscriber
// with consumer groups, competing consumers, bounded concurrency and back-pressure.
//
// A topic has one queue for each consumer group that uses it. Every group gets
// every message; inside a group each message goes to one of the subscriptions that
// compete for it. A group exists on a topic from its first Subscribe (or
// SubscribeInitialize) and keeps existing when its subscriptions end. Messages
// published to a topic that has no group yet are kept and go to the first one.
//
// What is guaranteed:
//
//   - Delivery is at least once while the [Queue] lives. A message leaves the queue
//     when it is acknowledged. If it is handed out and not acknowledged when its
//     subscription ends, it is delivered again. Nothing survives the process: what a
//     message stands for has to be derivable from a log.
//   - At most [Config].InFlight messages of a topic and group are handed out and not
//     yet settled, and at most [Config].Capacity more wait. When that many wait,
//     Publish blocks until there is room, the context of the message that is being
//     published ends, or the queue is closed.
//   - A Nack never holds up a handler or another message: the message waits aside for
//     [Config].RedeliveryDelay and then joins the end of the queue. [Attempt] tells
//     how often a message has been delivered.
//   - Messages of one topic are handed out in the order in which they were published,
//     redeliveries excepted. With InFlight 1 they are also handled one after another.
//   - The context of a delivered message carries the values of the published
//     message's context, and those of the context that was given to Subscribe. It ends
//     when the message is settled and when the subscription's context ends; the end
//     of the publisher's context does not reach it.
//
// [Queue] itself is a Publisher and, for the group "", a Subscriber; closing it ends
// everything. Watermill's Router closes what it is given: the publisher of a handler
// when that handler stops, the subscriber when the router closes. Give it the handles
// from [Queue.Publisher] and [Queue.Group], neither of which closes the queue.
//
// It owns messages from their publishing to their acknowledgement. It knows nothing of what they
// carry.
//
// Files, in reading order:
//
//   - queue.go: the queue as a whole, and the handle for publishers
//   - subscriber.go: the handle for one group's consumers
//   - registry.go: which topics and subscriptions the queue has
//   - topic.go: a topic and its groups
//   - subscription.go: one consumer, and the goroutines that hand messages to it
//   - line.go: the messages of one group
//   - room.go: publishers that wait for room
//   - depth.go: how much waits
//   - item.go: a message in the queue, and how often it was delivered
//   - ring.go: a growing ring buffer
//   - config.go: settings, their defaults and the delay of a redelivery
package queue
