// Package wire writes and reads the messages of EventStoreDB's protocol.
//
// It owns how an event, its id and a read look on the wire. It knows nothing of calls and
// connections.
//
// Files, in reading order:
//
//   - read_request.go: what a read or a subscription asks for
//   - decode.go: events and their ids, in both directions
package wire
