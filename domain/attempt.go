package domain

import "time"

// Attempt says, inside a handler, what it is called for.
type Attempt struct {
	Run       RunID
	Saga      string
	Step      string
	Action    string
	Direction Direction
	// Number counts the attempts of the step in this direction, from 1.
	Number int
	// Key is the idempotency key: the same for every attempt of the step and direction.
	// Hand it to whatever the handler calls.
	Key string
	// Deadline is when the attempt is given up, by the clock of this process; zero for never.
	Deadline time.Time
	// Trace is the W3C traceparent of the run, if there is one.
	Trace string
}
