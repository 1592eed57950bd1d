// Package client calls atone's HTTP API from Go, with the shape of the library: [Start], [Run.Wait]
// and the same typed errors.
//
//	c, err := client.New(client.Config{Server: "http://127.0.0.1:7070", Token: token})
//	run, err := client.Start(ctx, c, Signup, form, client.Key("signup-42"))
//	receipt, err := run.Wait(ctx) // *saga.CompensatedError, *saga.StuckError, …
//
// It owns the retries of requests that are safe to repeat, waits that survive restarts of the
// server, and live streams that miss nothing. It knows nothing of the server but the API's
// document.
//
// Files, in reading order:
//
//   - client.go: a client, and the identity that the server gives it
//   - start.go: starting runs and waiting for them
//   - follow.go: live streams of a run and of lists
//   - live.go: how a live stream is read, connection after connection
//   - events.go: domain events
//   - runs.go: all other reads
//   - control.go: the levers
//   - call.go: one call, tried again
//   - silence.go: a server that has a request and does not answer
//   - problem.go: errors that the server returns
package client
