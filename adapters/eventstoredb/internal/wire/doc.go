// Package wire writes and reads the messages of EventStoreDB's protocol.
//
// It owns how an event, its id, a read and a batch look on the wire. It knows nothing of calls and
// connections.
//
// Most messages are the generated code's. The three that carry every event, the answers of a Read
// call and both messages of BatchAppend, are read and written by hand: the generated code makes
// about 25 allocations of an event that is read. The tests compare the two.
//
// Files, in reading order:
//
//   - codec.go: how a call is told to use what is written by hand
//   - answer.go: the messages of a Read call
//   - batch.go: the messages of BatchAppend
//   - scanner.go: the fields of a message, and ids
//   - read_request.go: what a read or a subscription asks for
//   - decode.go: events and their ids, in both directions
package wire
