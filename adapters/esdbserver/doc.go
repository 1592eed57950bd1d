// Package esdbserver serves any [domain.Log] over the EventStoreDB gRPC protocol, so that
// every EventStoreDB client, in any language, can append events to it, read it and
// subscribe to it.
package esdbserver
