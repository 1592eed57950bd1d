// Package accept says what may enter: which payloads, names, texts, times and numbers atone takes
// from a caller.
//
// It owns one promise: what is accepted comes back the same. It refuses with a sentence, before
// anything is written, a payload that the next reader would read otherwise (a member twice, bytes
// that are not UTF-8), a name that no screen shows, a time that no view can compare. Every door
// asks it (the Go API, HTTP, the command line, the web page, triggers, brokers), so that all of
// them refuse the same.
//
// It knows nothing of sagas, runs or doors; it keeps nothing and writes nothing. Its errors are
// plain sentences, which a door wraps in the error that its callers branch on. They never repeat a
// payload's values, and of a name at most a part.
//
// Files, in reading order:
//
//   - payload.go: JSON that comes in
//   - strings.go: Go values that encoding/json would change
//   - time.go: times, ages and numbers
//   - name.go: names, keys, labels and what people write
package accept
