package domain

import (
	"bytes"
	"encoding/json"
)

// Over reports whether the run needs no attention any more: it has ended and owes nothing.
func (w Wake) Over() bool { return w.State.Ended() && !w.Busy && w.Due.IsZero() }

var wakeMember = []byte(`"wake":`)

// HasWake reports whether an event's metadata say when the run next needs attention: only the last
// event of an append does.
func HasWake(metadata []byte) bool { return bytes.Contains(metadata, wakeMember) }

// WakeOf reads when a run next needs attention from the metadata of its newest event. An event
// that does not say is in the middle of an append, or ends one that was cut short: such a run is
// returned as busy, so that it is looked at.
func WakeOf(metadata []byte) Wake {
	unknown := Wake{State: RunRunning, Busy: true}
	_, after, found := bytes.Cut(metadata, wakeMember)
	if !found {
		return unknown
	}
	// As Seal writes it, only the hash follows.
	if end := bytes.LastIndex(after, []byte(`,"hash":"`)); end >= 0 {
		var w Wake
		if json.Unmarshal(after[:end], &w) == nil {
			return w
		}
	}
	var w struct {
		Wake *Wake `json:"wake"`
	}
	if json.Unmarshal(metadata, &w) != nil || w.Wake == nil {
		return unknown
	}
	return *w.Wake
}
