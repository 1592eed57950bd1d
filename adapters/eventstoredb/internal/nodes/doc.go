// Package nodes finds the nodes of a cluster, keeps connections to them, and tells what the failure
// of a call means.
//
// It owns every gRPC connection of the adapter: which node it leads to, how many calls use it, and
// when it is left. It knows nothing of what is asked on a connection.
//
// Files, in reading order:
//
//   - pool.go: links for calls of one kind
//   - link.go: one connection to the preferred node, and an attempt on it
//   - cluster.go: finding a node and dialling it
//   - failure.go: what the failure of a call means
package nodes
