package cause

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Version is the version of the rules. Whoever changes what [Of] returns raises it, and the version
// of each view that keeps causes. Groups have other ids then, so a snooze of a group ends.
const Version = 1

// maxText bounds a cause, in characters.
const maxText = 240

// Of returns the message of a failure with a mark in the place of each id, number, time, address
// and quoted text: `# of <id> at <time>: "…"`. It has at most 240 characters, on one line, and none
// that is invisible. It takes time in proportion to the message's length.
//
// The number of an HTTP status stays, because 404 and 503 have different causes.
func Of(f *domain.Failure) string { return textOf(f.Message) }

// Group is what incidents of one group have in common.
type Group struct {
	Saga string
	// Step is the step's path with * in the place of the numbers of items and rounds.
	Step      string
	Direction domain.Direction
	// Type is the Go type of the error, empty if it is not known.
	Type  string
	Cause string
}

// GroupOf returns the group of an incident.
func GroupOf(saga, step string, dir domain.Direction, f *domain.Failure) Group {
	return Group{Saga: saga, Step: steps(step), Direction: dir, Type: f.Type, Cause: Of(f)}
}

// ID returns the group's id, 16 hexadecimal digits: the same for the same group, whoever asks.
func (g *Group) ID() string {
	h := sha256.New()
	for _, part := range []string{strconv.Itoa(Version), g.Saga, g.Step, string(g.Direction), g.Type, g.Cause} {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part)) // a hash's Write never fails
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// IsID reports whether a text has the form of a group's id.
func IsID(s string) bool {
	return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == ""
}

// steps replaces the numbers in a step's path.
func steps(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}
