package auth

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// failures limits the failed authentications of each address. To bound its memory, it forgets the
// address that failed longest ago.
type failures struct {
	now   func() time.Time
	every time.Duration
	burst int
	limit int

	mu    sync.Mutex
	order *list.List // of *failing, longest ago first
	byIP  map[string]*list.Element
}

type failing struct {
	ip string
	*rate.Limiter
}

func newFailures(now func() time.Time, every time.Duration, burst int) *failures {
	return &failures{now: now, every: every, burst: burst, limit: 10_000, order: list.New(), byIP: make(map[string]*list.Element)}
}

// failed counts a failure of the address and reports whether there were too many.
func (f *failures) failed(ip string) (tooMany bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.byIP[ip]
	if e == nil {
		if f.order.Len() >= f.limit {
			oldest := f.order.Front()
			delete(f.byIP, f.order.Remove(oldest).(*failing).ip)
		}
		e = f.order.PushBack(&failing{ip, rate.NewLimiter(rate.Every(f.every), f.burst)})
		f.byIP[ip] = e
	} else {
		f.order.MoveToBack(e)
	}
	return !e.Value.(*failing).AllowN(f.now(), 1)
}

// AddressOf returns the address that a request came from; for IPv6 its /64, because one host owns a
// whole /64.
func AddressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}
