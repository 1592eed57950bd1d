// Package postgres keeps views in a PostgreSQL database (12 or later) that several processes share.
// One of them at a time updates a view; when that process ends or loses its connection another
// takes over.
//
// It owns the schema and the connections. The tables of a generation are
// <view>$<generation>$<table>. Commits are asynchronous (synchronous_commit off): after a crash of
// the database a view is a little behind, and catches up. It knows nothing of what views hold; the
// statements are those of package sqlstore.
//
// Files, in reading order:
//
//   - generations.go: the store's methods: making, updating, swapping and querying generations
//   - lease.go: which process updates a view
//   - store.go: configuration, connections and the schema
//   - dialect.go: SQL as PostgreSQL has it
package postgres
