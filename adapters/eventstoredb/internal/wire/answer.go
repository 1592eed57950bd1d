package wire

import "github.com/atonehq/atone/domain"

// Kind is what a message of a Read call tells.
type Kind int

// The kinds that are used here.
const (
	Other Kind = iota
	Event
	Checkpoint
	CaughtUp
)

// Answer is a message of a Read call. One Answer serves all messages of a call: what it holds is
// valid until the next message is read. Only the event is in memory of its own.
type Answer struct {
	Kind Kind
	// Event is the event, or zero if the message has none; Found says which.
	Event domain.Recorded
	Found bool
	// Link is the position of the link by which the event was found, or 0.
	Link domain.Position
	// At is the commit position of a Checkpoint, as the server sent it.
	At uint64

	event, link recorded
	// types are the types of events that came before: there are few of them.
	types map[string]string
}

// recorded is an event as it lies in a message.
type recorded struct {
	id                       id
	stream, data, meta       []byte
	revision, commit         uint64
	kind, content, createdAt []byte
}

// unmarshal reads a ReadResp.
func (a *Answer) unmarshal(message []byte) error {
	*a = Answer{types: a.types, Event: domain.Recorded{Stream: a.Event.Stream}}
	s := scan(message)
	for s.next() {
		kind := Other
		switch s.tag {
		case 1<<3 | bytes:
			kind = Event
		case 3<<3 | bytes:
			kind = Checkpoint
		case 8<<3 | bytes:
			kind = CaughtUp
		case 2<<3 | bytes, 4<<3 | bytes, 5<<3 | numbers, 6<<3 | numbers, 7<<3 | bytes, 9<<3 | bytes:
		default:
			continue // a field that this version does not know
		}
		if kind != a.Kind { // of several contents the last one counts
			a.Kind, a.At, a.Found, a.event, a.link = kind, 0, false, recorded{}, recorded{}
		}
		var err error
		switch kind {
		case Event:
			err = a.readEvent(s.bytes)
		case Checkpoint:
			err = a.readCheckpoint(s.bytes)
		case CaughtUp, Other:
		}
		if err != nil {
			return err
		}
	}
	if s.err != nil {
		return s.err
	}
	a.Event = a.own()
	a.Link = ReadPosition(a.link.commit)
	a.event, a.link = recorded{}, recorded{} // they lie in memory that is used again
	return nil
}

func (a *Answer) readEvent(message []byte) error {
	s := scan(message)
	for s.next() {
		var err error
		switch s.tag {
		case 1<<3 | bytes:
			a.Found = true
			err = a.event.read(s.bytes)
		case 2<<3 | bytes:
			err = a.link.read(s.bytes)
		}
		if err != nil {
			return err
		}
	}
	return s.err
}

func (a *Answer) readCheckpoint(message []byte) error {
	s := scan(message)
	for s.next() {
		if s.tag == 1<<3|numbers {
			a.At = s.number
		}
	}
	return s.err
}

// read reads a RecordedEvent.
func (r *recorded) read(message []byte) error {
	s := scan(message)
	for s.next() {
		var err error
		switch s.tag {
		case 1<<3 | bytes:
			err = r.id.read(s.bytes)
		case 2<<3 | bytes:
			err = readName(&r.stream, s.bytes)
		case 3<<3 | numbers:
			r.revision = s.number
		case 5<<3 | numbers:
			r.commit = s.number
		case 6<<3 | bytes:
			err = r.readMetadata(s.bytes)
		case 7<<3 | bytes:
			r.meta = s.bytes
		case 8<<3 | bytes:
			r.data = s.bytes
		}
		if err != nil {
			return err
		}
	}
	return s.err
}

// readMetadata reads an entry of the metadata that servers keep with an event.
func (r *recorded) readMetadata(message []byte) error {
	var key, value []byte
	s := scan(message)
	for s.next() {
		switch s.tag {
		case 1<<3 | bytes:
			key = s.bytes
		case 2<<3 | bytes:
			value = s.bytes
		}
	}
	switch string(key) {
	case MetaType:
		r.kind = value
	case MetaContentType:
		r.content = value
	case MetaCreated:
		r.createdAt = value
	}
	return s.err
}

// readName reads a StreamIdentifier.
func readName(name *[]byte, message []byte) error {
	s := scan(message)
	for s.next() {
		if s.tag == 3<<3|bytes {
			*name = s.bytes
		}
	}
	return s.err
}

// own returns the event in memory of its own.
func (a *Answer) own() domain.Recorded {
	r := &a.event
	if !a.Found {
		return domain.Recorded{}
	}
	stream := a.Event.Stream // often that of the event before: appends have several
	if stream != string(r.stream) {
		stream = string(r.stream)
	}
	e := domain.Recorded{
		NewEvent: domain.NewEvent{ID: r.id.uuid(), Type: a.typeOf(r.kind), Binary: string(r.content) != ContentJSON},
		Stream:   stream,
		Revision: r.revision,
		Position: ReadPosition(r.commit),
		Created:  readCreated(string(r.createdAt)),
	}
	if n := len(r.data); n+len(r.meta) > 0 {
		memory := append(append(make([]byte, 0, n+len(r.meta)), r.data...), r.meta...)
		if n > 0 {
			e.Data = memory[:n:n]
		}
		if len(r.meta) > 0 {
			e.Metadata = memory[n:]
		}
	}
	return e
}

// keptTypes is how many types of events are remembered.
const keptTypes = 256

// typeOf returns the type as a string that events share.
func (a *Answer) typeOf(kind []byte) string {
	if known, ok := a.types[string(kind)]; ok {
		return known
	}
	if a.types == nil || len(a.types) >= keptTypes {
		a.types = make(map[string]string)
	}
	s := string(kind)
	a.types[s] = s
	return s
}
