package sagatest

import "time"

// Now returns the time by the kit's clock.
func (k *Kit) Now() time.Time { return k.clock.Now() }

// Advance moves the clock forward. On the way it stops at everything that is due, in order, and
// waits until what follows from it is done: retries, timeouts, the ends of sleeps and awaits.
func (k *Kit) Advance(d time.Duration) {
	k.t.Helper()
	if d < 0 {
		k.t.Fatalf("Advance(%s): the clock only goes forward", d)
	}
	for until := k.Now().Add(d); ; {
		k.Settle()
		at, ok := k.next()
		if !ok || at.After(until) {
			k.clock.Advance(until.Sub(k.Now()))
			k.Settle()
			return
		}
		k.clock.Advance(at.Sub(k.Now()))
	}
}

// Jump moves the clock forward at once, while handlers run: their contexts end if their time is
// over. It waits for nothing.
func (k *Kit) Jump(d time.Duration) {
	k.t.Helper()
	if d < 0 {
		k.t.Fatalf("Jump(%s): the clock only goes forward", d)
	}
	k.clock.Advance(d)
}

// next returns when something is due next, after now; false if nothing is.
func (k *Kit) next() (at time.Time, ok bool) {
	now := k.Now()
	at, ok = k.clock.Next()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range k.wakes {
		if !w.Over() && w.Due.After(now) && (!ok || w.Due.Before(at)) {
			at, ok = w.Due, true
		}
	}
	return at, ok
}
