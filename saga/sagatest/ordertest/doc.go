// Package ordertest tests that what the callers of coordinators are told fits one order.
//
// Callers on several coordinators start runs with the same keys and signal them, all at once.
// Porcupine then looks for an order of these calls that explains every answer: that is
// linearizability (Herlihy and Wing, "Linearizability", 1990).
//
// It owns the calls, and the model of a run that they are held against. It knows nothing of which
// log there is.
//
// Files, in reading order:
//
//   - check.go: the calls, and the question
//   - calls.go: one call, and what it was answered
//   - model.go: a run as its callers see it
package ordertest
