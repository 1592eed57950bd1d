package sagatest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/internal/definition"
)

// attemptID names an attempt.
type attemptID struct {
	run       domain.RunID
	step      string
	direction domain.Direction
	number    int
}

func attemptOf(ctx context.Context) attemptID {
	a := saga.AttemptOf(ctx)
	return attemptID{a.Run, a.Step, a.Direction, a.Number}
}

// standIns are the actions of a kit. The kit's coordinator calls each of them through here, so that
// a stand-in can take an action's place at any time. The author's own action is not touched.
type standIns struct {
	kit *Kit

	mu    sync.Mutex
	real  map[string]*definition.Action
	stand map[string]*double
}

func (s *standIns) init(k *Kit) {
	s.kit, s.real, s.stand = k, make(map[string]*definition.Action), make(map[string]*double)
}

// wrap returns the code of an action that asks for a stand-in first.
func (s *standIns) wrap(a *definition.Action) *definition.Action {
	name, own := a.Spec.Name, *a
	s.mu.Lock()
	s.real[name] = a
	s.mu.Unlock()
	own.Do = func(ctx context.Context, in json.RawMessage, known any) (json.RawMessage, error) {
		defer s.kit.returned(ctx)
		if d := s.of(name); d != nil {
			return d.do(ctx, in, known)
		}
		s.kit.entered(ctx)
		return a.Do(ctx, in, known)
	}
	if a.Undo != nil {
		own.Undo = func(ctx context.Context, did definition.Did) error {
			defer s.kit.returned(ctx)
			if d := s.of(name); d != nil {
				return d.undo(ctx, did)
			}
			s.kit.entered(ctx)
			return a.Undo(ctx, did)
		}
	}
	if a.Probe != nil {
		own.Probe = func(ctx context.Context, in json.RawMessage) (domain.Verdict, json.RawMessage, error) {
			defer s.kit.returned(ctx)
			if d := s.of(name); d != nil {
				return d.probe(ctx, in)
			}
			s.kit.entered(ctx)
			return a.Probe(ctx, in)
		}
	}
	return &own
}

// forget forgets which actions there are; their stand-ins stay.
func (s *standIns) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.real)
}

func (s *standIns) of(name string) *double {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stand[name]
}

// put puts a stand-in in the place of an action, unless it has one.
func (s *standIns) put(name string, identity any) *double {
	s.kit.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.real[name]
	if a == nil || identity != nil && a.Identity != identity {
		s.kit.t.Fatalf("no saga or action of this kit uses the action %q that is to have a stand-in; they use %s",
			name, strings.Join(slices.Sorted(maps.Keys(s.real)), ", "))
	}
	if s.stand[name] == nil {
		s.stand[name] = &double{kit: s.kit, real: a, effects: make(map[string]*effect)}
	}
	return s.stand[name]
}

// all puts a stand-in in the place of each action that has none. It succeeds with null.
func (s *standIns) all() {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.real))
	s.mu.Unlock()
	for _, name := range names {
		if s.of(name) == nil {
			d := s.put(name, nil)
			d.answer = func(context.Context, json.RawMessage, any) (json.RawMessage, error) {
				return json.RawMessage("null"), nil
			}
		}
	}
}

// effects returns the steps of a run whose effects are in place, sorted.
func (s *standIns) effects(run domain.RunID) (steps []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*effect
	for _, d := range s.stand {
		if d.real.Spec.Effect != domain.EffectNone {
			all = append(all, d.left(run)...)
		}
	}
	for _, e := range all {
		steps = append(steps, e.step)
	}
	slices.Sort(steps)
	return steps
}

// double is a stand-in without types.
type double struct {
	kit  *Kit
	real *definition.Action

	mu sync.Mutex
	// next are the answers to the next calls of each direction; after them answer, and for undos
	// refusal, hold for all further ones.
	next    map[domain.Direction][]reply
	answer  func(ctx context.Context, in json.RawMessage, known any) (json.RawMessage, error)
	refusal error
	// through has the author's own functions called.
	through bool
	gate    chan struct{} // closed to let blocked calls go on; nil while none are blocked
	waiting []attemptID   // at the gate
	calls   []call
	effects map[string]*effect // by the key of the do
}

// reply is how one call is answered: it fails with err. If applied is set, its effect comes about.
type reply struct {
	err     error
	applied bool
}

type call struct {
	attempt saga.Attempt
	in, out json.RawMessage
	inDoubt bool
}

type effect struct {
	run   domain.RunID
	step  string
	out   json.RawMessage
	order int
}

// called notes a call, waits while the stand-in is blocked, and returns the answer that was set for
// just this call, if there is one.
func (d *double) called(ctx context.Context, c call) (*reply, error) {
	c.attempt = saga.AttemptOf(ctx)
	d.mu.Lock()
	d.calls = append(d.calls, c)
	gate := d.gate
	if c.attempt.Direction != domain.Do {
		gate = nil
	}
	dir := c.attempt.Direction
	if dir == domain.Handler {
		dir = domain.Do
	}
	var r *reply
	if q := d.next[dir]; len(q) > 0 {
		r, d.next[dir] = &q[0], q[1:]
	}
	id := attemptOf(ctx)
	if gate != nil {
		d.waiting = append(d.waiting, id)
		d.kit.hold(id, true)
	}
	d.mu.Unlock()
	// after the call is noted, for a test that waits for it and then looks at the calls
	d.kit.entered(ctx)
	if gate == nil {
		return r, nil
	}
	defer d.kit.hold(id, false)
	select {
	case <-gate:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// entered notes that a handler of an attempt is running.
func (k *Kit) entered(ctx context.Context) {
	id := attemptOf(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running[id]++
	k.moved++
	k.changed.Broadcast()
}

// returned notes that a handler of an attempt is not running any more.
func (k *Kit) returned(ctx context.Context) {
	id := attemptOf(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running[id]--; k.running[id] <= 0 {
		delete(k.running, id)
	}
}

// runs reports whether a handler of a step is running.
func (k *Kit) runs(run domain.RunID, step string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.running {
		if id.run == run && id.step == step {
			return true
		}
	}
	return false
}

// hold notes that an attempt waits for the test.
func (k *Kit) hold(id attemptID, held bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if held {
		k.held[id] = true
	} else {
		delete(k.held, id)
	}
	k.moved++
	k.changed.Broadcast()
}

func (d *double) do(ctx context.Context, in json.RawMessage, known any) (json.RawMessage, error) {
	r, err := d.called(ctx, call{in: in})
	if err != nil || r != nil && !r.applied {
		if r != nil && err == nil {
			err = r.err
		}
		return nil, err
	}
	d.mu.Lock()
	answer := d.answer
	if d.through {
		answer = d.real.Do
	}
	d.mu.Unlock()
	out, err := answer(ctx, in, known)
	if err == nil {
		a := saga.AttemptOf(ctx)
		d.mu.Lock()
		if d.effects[a.Key] == nil {
			d.effects[a.Key] = &effect{run: a.Run, step: a.Step, out: out, order: d.kit.count()}
		}
		d.mu.Unlock()
	}
	if r != nil {
		return nil, r.err
	}
	return out, err
}

func (d *double) undo(ctx context.Context, did definition.Did) error {
	r, err := d.called(ctx, call{in: did.Input, out: did.Output, inDoubt: did.InDoubt})
	d.mu.Lock()
	through, refusal := d.through, d.refusal
	d.mu.Unlock()
	switch {
	case err != nil:
		return err
	case r != nil && !r.applied:
		return r.err
	case refusal != nil:
		return refusal
	case through:
		err = d.real.Undo(ctx, did)
	}
	if err == nil {
		d.mu.Lock()
		delete(d.effects, did.Key)
		d.mu.Unlock()
	}
	if r != nil {
		return r.err
	}
	return err
}

func (d *double) probe(ctx context.Context, in json.RawMessage) (domain.Verdict, json.RawMessage, error) {
	if _, err := d.called(ctx, call{in: in}); err != nil {
		return domain.Unknown, nil, err
	}
	d.mu.Lock()
	through, e := d.through, d.effects[saga.AttemptOf(ctx).Key]
	d.mu.Unlock()
	switch {
	case through:
		return d.real.Probe(ctx, in)
	case e == nil:
		return domain.NotApplied, nil, nil
	}
	return domain.Applied, e.out, nil
}

func (d *double) then(dir domain.Direction, n int, r reply) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next == nil {
		d.next = make(map[domain.Direction][]reply)
	}
	for range n {
		d.next[dir] = append(d.next[dir], r)
	}
}

func (d *double) block() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gate == nil {
		d.gate = make(chan struct{})
	}
}

func (d *double) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gate != nil {
		close(d.gate)
		for _, id := range d.waiting {
			d.kit.hold(id, false) // at once, so that whoever waits for what follows waits for them
		}
		d.gate, d.waiting = nil, nil
	}
}

// inOrder returns the effects in place, in the order in which they came. The caller holds mu.
func (d *double) inOrder() []*effect {
	return slices.SortedFunc(maps.Values(d.effects), func(a, b *effect) int { return a.order - b.order })
}

// left returns the effects that a run has in place.
func (d *double) left(run domain.RunID) (left []*effect) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.effects {
		if e.run == run {
			left = append(left, e)
		}
	}
	return left
}

// count counts up.
func (k *Kit) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.moved++
	return k.moved
}
