package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// sse writes server-sent events (the WHATWG HTML standard, section 9.2).
type sse struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	every time.Duration
	// good is asked from time to time whether the stream may go on.
	good func() bool

	mu      sync.Mutex
	started bool
}

func newSSE(w http.ResponseWriter, every time.Duration, good func() bool) *sse {
	return &sse{w: w, rc: http.NewResponseController(w), every: every, good: good}
}

// begin sends the headers, once.
func (s *sse) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header()
	_ = s.rc.Flush() // a writer that can't flush sends when it likes
}

func (s *sse) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

func (s *sse) header() {
	if s.started {
		return
	}
	s.started = true
	h := s.w.Header()
	h.Set("Content-Type", streamType)
	h.Set("X-Accel-Buffering", "no") // nginx would hold the events back
	s.w.WriteHeader(http.StatusOK)
}

// event sends one event; its id is the revision, from which a client resumes.
func (s *sse) event(e wire.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.Revision, oneLine(e.Type), data))
}

// oneLine keeps a name of an app's from ending its line.
func oneLine(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	return string(b)
}

func (s *sse) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header()
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer can
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.rc.Flush()
}

// keepAlive sends a comment from time to time. It calls end when the client has left, or may no
// longer see the stream. stop ends it, and returns once nothing more will be written.
func (s *sse) keepAlive(end func()) (stop func()) {
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

// writeTimeout bounds the sending of one message of a stream.
const writeTimeout = 30 * time.Second
