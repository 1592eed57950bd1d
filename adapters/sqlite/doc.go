// Package sqlite keeps views in SQLite databases of one directory, next to the log on the same
// machine. It is pure Go (modernc.org/sqlite).
//
// It owns the files. Each generation of each view has its own, DIR/<view>.<generation>.db. So views
// write side by side, a rebuild leaves no unused pages, and a swap is a flag in the new file. Files
// may be deleted while nothing runs; the view is then built anew. SQLite syncs them when it
// checkpoints, not with each commit: after a power cut a view is a little behind, and catches up.
// It knows nothing of what views hold; the statements are those of package sqlstore.
//
// Files, in reading order:
//
//   - generations.go: the store's methods: making, updating, swapping and querying generations
//   - store.go: the directory and its open files
//   - dialect.go: SQL as SQLite has it
package sqlite
