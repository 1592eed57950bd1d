package badnet

import (
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Proxy passes TCP connections on to an address, and does a [Fault] to some of them. The zero value
// is not usable, see [Start]. It is safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	stall    time.Duration
	delay    time.Duration
	done     sync.WaitGroup

	mu     sync.Mutex
	random *rand.Rand
	share  float64
	after  int
	kinds  []Fault
	open   map[net.Conn]bool
	counts map[Fault]int
	closed bool
}

// Config says how bad a [Proxy] is.
type Config struct {
	// Target is the address that connections are passed on to. Required.
	Target string
	// Share is how many of the connections have a fault, from 0 to 1.
	Share float64
	// Faults are those to choose from; none means all.
	Faults []Fault
	// After is how many bytes go the way concerned, at most, before the fault comes, mostly far
	// fewer; 0 means 4096.
	After int
	// Stall is how long a connection that stalls holds up what it should pass on; 0 means a
	// second.
	Stall time.Duration
	// Delay is how much later each byte of the answers arrives, as over a long way. Nothing is held
	// up meanwhile.
	Delay time.Duration
	// Seed makes the choice of faults repeatable, connection by connection.
	Seed uint64
}

// Start starts a proxy on a free port of 127.0.0.1. Stop it.
func Start(c Config) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if len(c.Faults) == 0 {
		c.Faults = All
	}
	if c.After == 0 {
		c.After = 4 << 10
	}
	if c.Stall == 0 {
		c.Stall = time.Second
	}
	p := &Proxy{target: c.Target, listener: l, stall: c.Stall, delay: c.Delay, random: rand.New(rand.NewPCG(c.Seed, 2)), share: c.Share,
		after: c.After, kinds: c.Faults, open: map[net.Conn]bool{}, counts: map[Fault]int{}}
	p.done.Go(p.serve)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Heal ends the faults: it resets all connections, and those to come have none.
func (p *Proxy) Heal() { p.Worsen(0) }

// Worsen resets all connections, and has the share of those to come have a fault, see
// [Config].Share.
func (p *Proxy) Worsen(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share = share
	for c := range p.open {
		reset(c)
	}
}

// Stop ends the proxy and all connections, and waits until they have ended.
func (p *Proxy) Stop() {
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	_ = p.listener.Close()
	p.done.Wait()
}

// Counts tells how many connections there were of each kind; those without a fault are under
// [None].
func (p *Proxy) Counts() map[Fault]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		fault, where := p.choose()
		p.done.Go(func() { p.handle(client, fault, where) })
	}
}

// choose returns the next connection's fault, and after how many bytes of the way concerned it
// comes.
func (p *Proxy) choose() (Fault, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fault := None
	if p.random.Float64() < p.share {
		fault = p.kinds[p.random.IntN(len(p.kinds))]
	}
	p.counts[fault]++
	// Mostly within the first request or answer, sometimes after a few.
	return fault, int(math.Pow(float64(p.after), p.random.Float64())) - 1
}

// keep notes open connections; it closes them where the proxy is stopped.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
		if p.closed {
			_ = c.Close()
		}
	}
	return !p.closed
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.open, c)
	}
}

// handle passes one connection on, with its fault.
func (p *Proxy) handle(client net.Conn, fault Fault, where int) {
	defer p.drop(client)
	if !p.keep(client) {
		return
	}
	switch fault {
	case ResetAtOnce:
		reset(client)
		return
	case NeverAnswers:
		_, _ = io.Copy(io.Discard, client) // until the client has had enough
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.drop(server)
	if !p.keep(server) {
		return
	}
	link := &link{client: client, server: server, stall: p.stall}
	var both sync.WaitGroup
	both.Go(func() { link.pass(server, client, direct{server}, fault.onRequests(where)) })
	both.Go(func() { link.pass(client, server, lateBy(p.delay, client), fault.onAnswers(where)) })
	both.Wait()
}
