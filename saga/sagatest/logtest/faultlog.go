package logtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/atonehq/atone/domain"
)

// ErrInjected is the error of every append that a [FaultyLog] lets fail, save conflicts.
// Like any unknown error of a log it leaves open whether the events were written.
var ErrInjected = errors.New("injected fault")

// FaultKind says how an append is disturbed.
type FaultKind int

const (
	// NoFault lets the append pass.
	NoFault FaultKind = iota
	// FailBefore fails the append with [ErrInjected]; nothing was written.
	FailBefore
	// FailAfter writes the events and then fails with [ErrInjected], like a lost answer.
	FailAfter
	// Conflict refuses the append with a [*domain.ConflictError] and writes nothing of it.
	// Where the fault has Other, that writer writes first, so that the conflict is real;
	// otherwise it is spurious: Actual may equal what was expected.
	Conflict
	// Slow delays the append, then lets it pass.
	Slow
)

// String returns the kind's name.
func (k FaultKind) String() string {
	switch k {
	case NoFault:
		return "no fault"
	case FailBefore:
		return "fail before"
	case FailAfter:
		return "fail after"
	case Conflict:
		return "conflict"
	case Slow:
		return "slow"
	}
	return fmt.Sprintf("FaultKind(%d)", int(k))
}

// Fault is one disturbance of one append.
type Fault struct {
	Kind FaultKind
	// Delay holds the append up before anything else happens; the context's end cuts it
	// short, with nothing written.
	Delay time.Duration
	// Until, when not nil, holds the append up until the channel is closed, after Delay.
	Until <-chan struct{}
	// Other is the other writer of a [Conflict]: it gets the log without faults.
	Other func(ctx context.Context, log domain.Log, stream string) error
}

// Injection tells of a fault that happened.
type Injection struct {
	// Append is the number of the append since the log was made, from 1.
	Append int
	Kind   FaultKind
	Stream string
}

// FaultyConfig sets up a [FaultyLog]. The zero value injects only what is scripted.
type FaultyConfig struct {
	// Seed determines the random schedule: the fate of the n-th append depends on seed and
	// n alone. 0 picks a seed. The seed in use is logged.
	Seed uint64
	// The shares of appends (0 to 1, together at most 1) that fail in each way by chance.
	FailBefore, FailAfter, Conflict, Slow float64
	// MaxDelay bounds the random delay of slow appends; 2 ms when 0.
	MaxDelay time.Duration
}

// FaultyLog is a [domain.Log] that disturbs appends to another one, by a random schedule
// that replays from its seed, by script, or both. Reads and subscriptions pass through. It
// is safe for concurrent use; under concurrency the numbering of appends, not the
// schedule, depends on timing.
type FaultyLog struct {
	domain.Log // the log without faults, for reads

	cfg FaultyConfig

	mu       sync.Mutex
	appends  int
	off      bool
	script   map[int]Fault
	injected []Injection
}

// NewFaultyLog wraps the log. It logs the seed to t, to be set in cfg to replay a failure.
func NewFaultyLog(t testing.TB, log domain.Log, cfg FaultyConfig) *FaultyLog {
	t.Helper()
	if sum := cfg.FailBefore + cfg.FailAfter + cfg.Conflict + cfg.Slow; sum < 0 || sum > 1 {
		t.Fatalf("FaultyConfig: the shares of faults add up to %v, which is not between 0 and 1", sum)
	}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64() | 1
	}
	if cfg.MaxDelay == 0 {
		cfg.MaxDelay = 2 * time.Millisecond
	}
	t.Logf("faulty log: Seed: %#x", cfg.Seed)
	return &FaultyLog{Log: log, cfg: cfg, script: make(map[int]Fault)}
}

// Script gives the n-th append from now (1 is the next one) a fault, in place of chance.
func (f *FaultyLog) Script(n int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script[f.appends+n] = fault
}

// Calm ends all disturbance, scripted and random, from the next append on: what must come
// right "once the log is well again" is then checked.
func (f *FaultyLog) Calm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = true
}

// Appends is how many appends were made so far, disturbed or not.
func (f *FaultyLog) Appends() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.appends
}

// Injected lists the faults that happened so far, in the order of the appends' numbers as
// they were given.
func (f *FaultyLog) Injected() []Injection {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Injection(nil), f.injected...)
}

// Append implements [domain.Log], with faults.
func (f *FaultyLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	n, fault := f.next(stream)
	if err := hold(ctx, fault); err != nil {
		return domain.Appended{}, fmt.Errorf("append %d to %s: %w", n, stream, err)
	}
	switch fault.Kind {
	case FailBefore:
		return domain.Appended{}, fmt.Errorf("append %d to %s, before the write: %w", n, stream, ErrInjected)
	case FailAfter:
		if _, err := f.Log.Append(ctx, stream, expected, events...); err != nil {
			return domain.Appended{}, err
		}
		return domain.Appended{}, fmt.Errorf("append %d to %s, after the write: %w", n, stream, ErrInjected)
	case Conflict:
		return domain.Appended{}, f.conflict(ctx, fault, stream, expected)
	}
	return f.Log.Append(ctx, stream, expected, events...)
}

// next numbers the append and decides its fate.
func (f *FaultyLog) next(stream string) (int, Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.appends++
	if f.off {
		return f.appends, Fault{}
	}
	fault, scripted := f.script[f.appends]
	if !scripted {
		fault = f.chance(f.appends)
	}
	if fault.Kind != NoFault {
		f.injected = append(f.injected, Injection{Append: f.appends, Kind: fault.Kind, Stream: stream})
	}
	return f.appends, fault
}

// chance draws the fate of the n-th append.
func (f *FaultyLog) chance(n int) Fault {
	random := rand.New(rand.NewPCG(f.cfg.Seed, uint64(n)))
	x := random.Float64()
	for _, c := range []struct {
		share float64
		kind  FaultKind
	}{{f.cfg.FailBefore, FailBefore}, {f.cfg.FailAfter, FailAfter}, {f.cfg.Conflict, Conflict}, {f.cfg.Slow, Slow}} {
		if x -= c.share; x >= 0 {
			continue
		}
		fault := Fault{Kind: c.kind}
		if c.kind == Slow {
			fault.Delay = time.Duration(random.Int64N(int64(f.cfg.MaxDelay)) + 1)
		}
		return fault
	}
	return Fault{}
}

// hold waits as long as the fault says, or until the context ends.
func hold(ctx context.Context, fault Fault) error {
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fault.Until != nil {
		select {
		case <-fault.Until:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// conflict lets the other writer write, and tells where the stream stands then.
func (f *FaultyLog) conflict(ctx context.Context, fault Fault, stream string, expected domain.Expected) error {
	if fault.Other != nil {
		if err := fault.Other(ctx, f.Log, stream); err != nil {
			return fmt.Errorf("the other writer of an injected conflict: %w", err)
		}
	}
	actual := domain.NoStream
	for r, err := range f.ReadStreamBackward(ctx, stream, domain.End) {
		if err != nil {
			return err
		}
		actual = domain.Expected(r.Revision)
		break
	}
	return &domain.ConflictError{Stream: stream, Expected: expected, Actual: actual}
}
