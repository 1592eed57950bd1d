// Package inbox knows which runs await which domain events, and keeps the events for awaits that
// are opened later. It owns the matching of the two: each await of a run gets the earliest event of
// its type and correlation id that came after the run's beginning and that the run has not taken
// yet.
//
// It is an index over what the log says, advanced event by event, and does no I/O: who reads the
// log, delivers, saves and restores it is the caller, who also guards it against concurrent use.
package inbox
