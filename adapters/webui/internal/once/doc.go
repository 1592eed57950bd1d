// Package once has a form carried out once, however often it is sent. A browser sends a form again
// when the first answer did not come, which says nothing of whether the form was carried out.
//
// It owns which forms were sent lately and what they were answered, and it finds the act of a form
// in a run's history, for a server that was started anew since. It knows nothing of what forms do.
//
// Files, in reading order:
//
//   - book.go: the forms that were sent, and their answers
//   - answer.go: an answer that can be given again
//   - pulled.go: a lever's act in the history of a run
package once
