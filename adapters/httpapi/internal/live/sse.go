package live

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ContentType is the content type of server-sent events.
const ContentType = "text/event-stream"

// Stream writes server-sent events (the WHATWG HTML standard, section 9.2).
type Stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	every time.Duration
	// good is called again and again; the stream ends when it returns false.
	good func() bool

	mu      sync.Mutex
	started bool
}

// New returns a stream. It sends a comment, and calls good, at each interval: good reports whether
// the caller may still see the stream.
func New(w http.ResponseWriter, every time.Duration, good func() bool) *Stream {
	return &Stream{w: w, rc: http.NewResponseController(w), every: every, good: good}
}

// Begin sends the headers, once.
func (s *Stream) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header()
	_ = s.rc.Flush() // writers that can't flush send later
}

// Begun reports whether anything was sent.
func (s *Stream) Begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

func (s *Stream) header() {
	if s.started {
		return
	}
	s.started = true
	h := s.w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("X-Accel-Buffering", "no") // nginx would hold the events back
	s.w.WriteHeader(http.StatusOK)
}

// Event sends one event: its id, from which a client can resume, its name, and a value as JSON.
func (s *Stream) Event(id uint64, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", id, oneLine(name), data))
}

// oneLine removes line breaks from an app's name.
func oneLine(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	return string(b)
}

func (s *Stream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header()
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer can
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.rc.Flush()
}

// KeepAlive sends a comment at each interval. It calls end when the client has left or may no
// longer see the stream. stop ends KeepAlive and returns when it has stopped writing.
func (s *Stream) KeepAlive(end func()) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(s.every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if !s.good() || s.write(": still here\n\n") != nil {
				end()
				return
			}
		}
	})
	return func() { close(done); running.Wait() }
}

// writeTimeout is how long sending one message of a stream may take.
const writeTimeout = 30 * time.Second
