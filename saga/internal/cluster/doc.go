// Package cluster knows the other coordinators on a shared log: which of them are alive, which one
// acts on a run, and how far their clocks are apart.
//
// It owns the nodes' signs of life in the log, and takes up the runs of a node without them. It
// knows nothing of what a run is or how it is taken up: it gets the list of unfinished runs and a
// function. It only saves time: the revision of the run's stream decides every write, so two nodes
// that act at once do no harm.
//
// Nodes act on a run's due work in this order: first the node that last appended to it, then the
// others by rendezvous hashing over the run (Thaler and Ravishankar, 1998). The k-th acts k
// takeover delays after the due time, unless another has acted.
//
// A node counts as dead when this one has read [signsOfDeath] signs of its own life in the log
// since the other's last. Clocks play no part. A log that was down, or a reader that lags, makes no
// node look dead, because the reader's own signs are then missing too.
//
// Files, in reading order:
//
//   - cluster.go: knowledge of the other nodes, and the loops that run
//   - signs.go: signs of life, written and read
//   - sweep.go: taking up the runs of the dead
//   - nodes.go: the list of nodes for people, and the alert about their clocks
//   - rank.go: which nodes live, their order for a run, and the interval of signs of life
//   - skew.go: how far another node's clock is from this one's
package cluster
