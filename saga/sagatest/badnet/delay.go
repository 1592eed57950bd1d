package badnet

import (
	"io"
	"net"
	"slices"
	"time"
)

// writer is one way of a connection. end waits until everything that was written has arrived.
type writer interface {
	io.Writer
	end()
}

// direct passes on at once.
type direct struct{ net.Conn }

func (direct) end() {}

// late passes each byte on after a delay. It holds nothing up: what was written in the meantime
// arrives in the meantime.
type late struct {
	to      net.Conn
	delay   time.Duration
	chunks  chan chunk
	arrived chan struct{} // closed when everything has
}

// chunk is some bytes, and when they arrive.
type chunk struct {
	data []byte
	due  time.Time
}

// slack is how much too early a chunk may be passed on.
const slack = 200 * time.Microsecond

// lateBy returns a writer to the connection that adds the delay; end must be called.
func lateBy(delay time.Duration, to net.Conn) writer {
	if delay == 0 {
		return direct{to}
	}
	l := &late{to: to, delay: delay, chunks: make(chan chunk, 4096), arrived: make(chan struct{})}
	go l.deliver()
	return l
}

func (l *late) deliver() {
	defer close(l.arrived)
	for c := range l.chunks {
		// Sleeps end late: one for each chunk would bound how many go through in a second.
		if d := time.Until(c.due); d > slack {
			time.Sleep(d)
		}
		if _, err := l.to.Write(c.data); err != nil {
			break
		}
	}
	for range l.chunks { // so that Write never blocks for good
	}
}

// Write implements [io.Writer]; it fails never, since what fails fails later.
func (l *late) Write(data []byte) (int, error) {
	l.chunks <- chunk{slices.Clone(data), time.Now().Add(l.delay)}
	return len(data), nil
}

func (l *late) end() {
	close(l.chunks)
	<-l.arrived
}
