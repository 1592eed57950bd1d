// Package client calls atone's HTTP API from Go, with the shape of the library: [Start], [Run.Wait]
// and the same typed errors.
//
//	c, err := client.New(client.Config{Server: "http://127.0.0.1:7070", Token: token})
//	run, err := client.Start(ctx, c, Signup, form, client.Key("signup-42"))
//	receipt, err := run.Wait(ctx) // *saga.CompensatedError, *saga.StuckError, …
//
// It owns what a caller of the API needs: requests that are tried again where that is safe, waits
// that outlast restarts of the server, live streams that miss nothing. It knows nothing of the
// server besides its document.
//
// Files, in reading order:
//
//   - client.go: a client, and who it is taken for
//   - start.go: starting runs and waiting for them
//   - follow.go: the live stream of a run
//   - runs.go: all other questions and levers
//   - call.go: one call, tried again
//   - problem.go: what the server says went wrong
package client
