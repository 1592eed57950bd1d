// Package cluster knows the other coordinators on a shared log: which of them live, whose turn a
// run is, and how far their clocks are apart.
//
// It owns the nodes' signs of life in the log, and what follows from a missing one: the runs of a
// node that died are taken up. It knows nothing of what a run is or how it is taken up: it is
// given the list of unfinished runs and a function. It is only for speed. Whoever acts, the
// revision of the run's stream decides, so two nodes that act at once do no harm.
//
// The order in which nodes act on a run's due work is: the node that appended to it last, then the
// others by rendezvous hashing over the run (Thaler and Ravishankar, 1998). The k-th acts k times
// the takeover delay after the time, if nobody has.
//
// A node counts as dead when this one has read [signsOfDeath] signs of its own life in the log
// since the other's last. Clocks play no part. Neither a log that was down nor a reader that lags
// makes anybody look dead: the reader's own signs are then missing as well.
//
// Files, in reading order:
//
//   - cluster.go: what is known of the others, and the loops that run
//   - signs.go: signs of life, written and read
//   - sweep.go: taking up the runs of the dead
//   - nodes.go: the list of nodes, as people read it, and the alert about their clocks
//   - rank.go: who lives, in which order nodes act on a run, and how often they show that they live
//   - skew.go: how far another node's clock is from this one's
package cluster
