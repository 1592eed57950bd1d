// Package choice is what a person chose on the incidents desk, among events or above the list of
// runs, and what they want done with it, as the fields of a form or an address.
//
// It owns the values of the boxes and chips, and the fields of the acts that are no levers. It is
// pure. It knows nothing of requests, of the levers of runs, and of the view of incidents.
//
// Files, in reading order:
//
//   - choice.go: the values of the boxes
//   - act.go: notes, assignees and snoozes as they are filled in
//   - states.go: states of runs
//   - groups.go: the choices of states above the list of runs
//   - address.go: what the addresses of pages take
//   - guess.go: other meanings of a word that was searched for
//   - pace.go: how many runs, how fast, and when to stop
//   - events.go: which domain events
//   - place.go: where a list of events goes on
//   - rejected.go: what a form asks of rejected events, and what came of it
package choice
