// Package projections turns the log into tables that people ask: which runs there are and
// in what state, who did what, what is stuck, how fast and how often things fail.
//
// A [View] is a name, a version, the shape of its tables and a function that applies
// events to them. A [Runner] keeps views up to date: it subscribes to the log, applies events
// in order in batches and saves the rows and the position that they stand for in one
// transaction of a [Store]. So a view is disposable: dropped and rebuilt from the log it has
// the same content, whatever was killed when.
//
// Each view has its own position, transaction and goroutine. Views that stand at one place share one
// subscription and the decoding: those that answer queries, and those that are built at the same time, which
// join the others once they answer. One that is busy with a batch for more than a second, or fails, is left
// behind and reads by itself until it has caught up. So none holds back the others, nor the log.
//
// # Views lag rather than slow down runs
//
// To keep views up to date costs about as much as to do the runs themselves. Live views together therefore take a share of one core,
// [Config.Share], and rest for the remaining time, in which more events gather for the next transaction.
// This is a trade: as long as runs come faster than the share can show, views lag, and the lag
// grows until the load falls. [Runner.Status] tells it, in events and seconds. Nothing is lost by it, and it is made good at
// full speed as soon as the log has little to do. Who needs fresh rows says so: while a query waits
// for a position ([Fresh]), nothing rests. Nor do first builds and rebuilds. Raise Share where the machine has
// cores to spare, or where views that lag are worse than slower runs.
package projections
