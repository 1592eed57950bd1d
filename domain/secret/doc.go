// Package secret knows what of a run may not be shown, and takes it out of payloads, recorded events and texts. Every
// outlet (page, API, CLI, exports, errors) asks it, so that all of them hide the same.
//
// What is secret is told by [Fields]: names and paths of members of JSON. A [Cloak] also knows the values that these
// members had in a run, and hides them wherever else they turn up: in the message of an error, or as a bare string
// that one step hands to the next.
package secret
