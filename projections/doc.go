// Package projections turns the log into tables that people ask: which runs there are and
// in what state, who did what, what is stuck, how fast and how often things fail.
//
// A [View] is a name, a version, the shape of its tables and a function that applies
// events to them. A [Runner] keeps views up to date: it subscribes to the log, applies events
// in order in batches and saves the rows and the position that they stand for in one
// transaction of a [Store]. So a view is disposable: dropped and rebuilt from the log it has
// the same content, whatever was killed when.
//
// Each view has its own position and its own goroutine. One that is slow or fails holds back
// neither the log nor the others.
//
// The views of this package are [Runs], [Audit], [Incidents] and [Stats]; a [Reader] asks them.
// [VerifyRun], [VerifyAll] and [TellStory] need no view: they read a log directly, offline.
package projections
