// Package clock is the time of a coordinator, as a port.
//
// It owns the port, [Clock], and its two implementations: [System], the machine's clocks, and
// [Manual], a clock that stands still until a test moves it. It knows nothing of runs.
//
// Files, in reading order:
//
//   - clock.go: the port
//   - system.go: the clocks of this machine
//   - manual.go: a clock that a test moves
//   - deadline.go: contexts that end when such a clock says so
package clock
