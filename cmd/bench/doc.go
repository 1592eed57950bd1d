// Package bench measures atone as a user's program would use it: whole runs through the
// coordinator, the Watermill router and the handlers, on the embedded log with every append synced
// to disk. Each result is set against what the log alone does with the same appends, at the same
// concurrency, in the same process.
package bench
