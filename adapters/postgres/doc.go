// Package postgres keeps views in a PostgreSQL database (12 or later) that several processes share.
// One of them projects a view at a time; when it ends or loses its connection another one takes
// over.
//
// It owns the schema and the connections. The tables of a generation are
// <view>$<generation>$<table>. What is written is committed asynchronously (synchronous_commit
// off): after a crash of the database a view stands a little further back and goes on from there.
// It knows nothing of what views hold; the statements are those of package sqlstore.
//
// Files, in reading order:
//
//   - generations.go: the store's methods: generations made, moved on, swapped and asked
//   - lease.go: the turn among processes
//   - store.go: configuration, connections and the schema
//   - dialect.go: SQL as PostgreSQL has it
package postgres
