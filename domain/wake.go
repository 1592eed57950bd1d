package domain

import (
	"bytes"
	"encoding/json"
)

// Over reports whether the run needs no more attention: it has ended and owes nothing.
func (w Wake) Over() bool { return w.State.Ended() && !w.Busy && w.Due.IsZero() }

var wakeMember = []byte(`"wake":`)

// HasWake reports whether an event's metadata say when the run next needs attention: only the last
// event of an append does.
func HasWake(metadata []byte) bool { return bytes.Contains(metadata, wakeMember) }

// WakeOf reads from the metadata of a run's newest event when the run next needs attention. An
// event without this is in the middle of an append, or ends an append that was cut short: WakeOf
// then says busy, so that the run is looked at.
func WakeOf(metadata []byte) Wake {
	unknown := Wake{State: RunRunning, Busy: true}
	_, after, found := bytes.Cut(metadata, wakeMember)
	if !found {
		return unknown
	}
	// In what Seal writes, only the hash follows.
	if end := bytes.LastIndex(after, hashMember); end >= 0 {
		if w, ok := asWritten(after[:end]); ok {
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

// asWritten reads a wake exactly as [Seal] writes it; ok is false for any other JSON. It is called
// for each append and for each event of a scan, where encoding/json would dominate the cost.
func asWritten(text []byte) (w Wake, ok bool) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' || !plain(text) {
		return w, false
	}
	for rest := text[1 : len(text)-1]; len(rest) > 0; {
		name, value, more, found := member(rest)
		if !found {
			return w, false
		}
		quoted := len(value) > 0 && value[0] == '"'
		var err error
		switch {
		case name == "state" && quoted:
			w.State = RunState(value[1 : len(value)-1])
		case name == "node" && quoted:
			w.Node = string(value[1 : len(value)-1])
		case name == "due" && quoted:
			err = w.Due.UnmarshalJSON(value)
		case name == "instant" && quoted:
			err = w.Instant.UnmarshalJSON(value)
		case name == "busy" && string(value) == "true":
			w.Busy = true
		case name == "events" && string(value) == "true":
			w.Events = true
		default:
			return w, false
		}
		if err != nil {
			return w, false
		}
		rest = more
	}
	return w, true
}

// member cuts the first member off an object's text without blanks and escapes. Its value is a
// string or a literal.
func member(text []byte) (name string, value, more []byte, ok bool) {
	if text[0] != '"' {
		return "", nil, nil, false
	}
	end := bytes.IndexByte(text[1:], '"') + 1
	if end == 0 || len(text) < end+3 || text[end+1] != ':' {
		return "", nil, nil, false
	}
	n, v := text[1:end], text[end+2:]
	stop := bytes.IndexByte(v, ',')
	if v[0] == '"' {
		stop = bytes.IndexByte(v[1:], '"')
		if stop < 0 {
			return "", nil, nil, false
		}
		stop += 2
	} else if stop < 0 {
		stop = len(v)
	}
	value, more = v[:stop], v[stop:]
	if len(more) > 0 {
		if more[0] != ',' || len(more) == 1 {
			return "", nil, nil, false
		}
		more = more[1:]
	}
	return string(n), value, more, true
}

// plain reports whether a text is printable ASCII without escapes.
func plain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}
