// Package work carries attempts to their handlers, and outcomes back.
//
// It owns tasks and reports, the worker that calls handlers, the places that bound the attempts of
// an action, and the Watermill side, where attempts travel as messages. It knows nothing of how a
// run is decided: its caller has appended the attempt's start, and takes the report.
//
// Files, in reading order:
//
//   - outbox.go: publishes attempts, again while the broker refuses them
//   - inlet.go: takes outcomes from the broker
//   - routing.go: subscriptions and the Watermill router
//   - middleware.go: handling an attempt's message, with users' middleware around it
//   - worker.go: the worker, how an attempt begins without a message, how the worker stops
//   - attempt.go: one attempt, from its task to its report
//   - observing.go: telling an observer of attempts
//   - deliver.go: sending a report to the coordinator
//   - running.go: the handlers that have not returned
//   - handler.go: functions for handlers: the attempt, heartbeats, emitted events
//   - mask.go: keeping secrets out of failures
//   - task_time.go: when an attempt is given up, by this process's clock
//   - holders.go: the attempts that have places
//   - places.go: the places of an action
//   - task.go: an attempt on its way
//   - report.go: an outcome or a heartbeat on its way
//   - message.go: messages of tasks and reports
//   - topics.go: names of topics
//   - watermill_logger.go: Watermill's logger
package work
