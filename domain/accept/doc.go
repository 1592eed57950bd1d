// Package accept says what may enter: which payloads, names, texts, times and numbers atone takes from
// a caller. Every door asks it (the Go API, HTTP, the command line, the web page, triggers, brokers),
// so that what one door refuses no other lets in.
//
// The rule behind all of it: what is accepted comes back the same. A payload that the next reader
// would read otherwise (a member twice, bytes that are no UTF-8), a name that no screen shows, a
// time that no view can compare are refused with a sentence, before anything is written.
//
// The package knows nothing of sagas, runs or doors, holds nothing and writes nothing. Its errors are
// plain sentences; a door wraps them in the error that its callers branch on. They never repeat a
// payload's values, and of a name at most a part.
package accept
