// Package lately keeps answers that every page shows, such as how many runs are stuck below, so
// that they are not asked for anew with each page.
//
// It owns when a question is asked again, and who waits for the answer. It knows nothing of the
// questions.
//
// Files, in reading order:
//
//   - answer.go: the latest answer to one question
package lately
