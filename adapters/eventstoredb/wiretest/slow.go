package wiretest

import (
	"net"
	"sync"
	"time"
)

// Slow passes connections on to an address and gives each byte of the answers a delay, as a network
// does: it delays, and holds nothing up. It is safe to use concurrently.
type Slow struct {
	target string
	delay  time.Duration

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
	done   sync.WaitGroup
}

// NewSlow returns a proxy to the address that adds the delay to each round trip.
func NewSlow(target string, delay time.Duration) *Slow {
	return &Slow{target: target, delay: delay, open: map[net.Conn]bool{}}
}

// Serve serves until the listener is closed, or Stop.
func (s *Slow) Serve(l net.Listener) error {
	for {
		client, err := l.Accept()
		if err != nil {
			return err
		}
		server, err := net.Dial("tcp", s.target)
		if err != nil || !s.keep(client, server) {
			_ = client.Close()
			if server != nil {
				_ = server.Close()
			}
			continue
		}
		s.done.Go(func() { s.pass(server, client, 0) })
		s.done.Go(func() { s.pass(client, server, s.delay) })
	}
}

// Stop ends all connections.
func (s *Slow) Stop() {
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

func (s *Slow) keep(conns ...net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		s.open[c] = true
	}
	return !s.closed
}

func (s *Slow) drop(conns ...net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(s.open, c)
	}
}

// slack is how much too early a chunk may be passed on.
const slack = 200 * time.Microsecond

// chunk is some bytes, and when they arrive.
type chunk struct {
	data []byte
	due  time.Time
}

// pass copies what comes to where it goes, each byte after the delay, until either end is closed.
func (s *Slow) pass(to, from net.Conn, delay time.Duration) {
	chunks := make(chan chunk, 4096)
	s.done.Go(func() {
		defer s.drop(to, from)
		for c := range chunks {
			// Sleeps end late: one for each chunk would bound how many go through in a second.
			if d := time.Until(c.due); d > slack {
				time.Sleep(d)
			}
			if _, err := to.Write(c.data); err != nil {
				break
			}
		}
		for range chunks { // so that the reader ends
		}
	})
	defer close(chunks)
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			chunks <- chunk{buffer[:n], time.Now().Add(delay)}
		}
		if err != nil {
			return // what was read still arrives, then both ends are closed
		}
	}
}
