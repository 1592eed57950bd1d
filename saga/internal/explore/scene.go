package explore

import (
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// scene plays one schedule: runs, the world's answers, and what is checked on the way. All of it
// happens in one goroutine.
type scene struct {
	cfg      *Config
	sub      *Subject
	edges    *Edges
	registry *definition.Registry
	worker   *work.Worker
	now      time.Time
	node     string
	lives    int

	runs    []*run
	byID    map[domain.RunID]*run
	flights []*flight
	// late are the calls that take place when everything rests.
	late   []*flight
	ledger ledger
	calls  *flight // whose handler is called

	plan   map[string]Answer // the schedule by point
	sticky map[string]Answer // answers that go on, by what they are given at
	counts map[string]int    // how often a point came up
	trace  []passed
	story  *story
	broken *Violation
	// unmet are the awaits that nothing ended.
	unmet []string
	// turn is the run that moves.
	turn int
	// asked are the points of awaits and people that came up; signals those that come too late.
	asked   map[string]bool
	signals []lateSignal
}

// moves bounds what happens in a scene: a run that does not come to rest in so many is broken.
const moves = 5_000

var dawn = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// play plays a schedule.
func play(cfg *Config, sched Schedule, tell bool) (*scene, error) {
	x := &scene{cfg: cfg, now: dawn, plan: make(map[string]Answer, len(sched)), counts: map[string]int{}, sticky: map[string]Answer{}, asked: map[string]bool{}, byID: map[domain.RunID]*run{}}
	for _, c := range sched {
		x.plan[c.At] = c.Answer
	}
	x.trace = make([]passed, 0, cfg.usual.points)
	if tell {
		x.story = &story{}
	}
	x.edges = &Edges{x: x}
	sub, err := cfg.Build(x.edges)
	if err != nil {
		return nil, err
	}
	x.sub = sub
	x.restart(sub.Registry)
	x.startAll()
	x.untilRest()
	for len(x.late) > 0 && x.broken == nil {
		fl := x.late[0]
		x.late = x.late[1:]
		x.arrive(fl)
		x.untilRest()
	}
	if x.broken == nil {
		x.checkEnd()
	}
	cfg.usual.facts, cfg.usual.points = len(x.runs[0].facts)+4, len(x.trace)+4
	return x, nil
}

// startAll starts a run with each input.
func (x *scene) startAll() {
	d := x.sub.Saga
	for i, input := range x.cfg.Inputs {
		label, key := "", "explored"
		if i > 0 {
			label, key = fmt.Sprintf("run %d: ", i+1), fmt.Sprintf("explored-%d", i+1)
		}
		started := &domain.RunStarted{Saga: d.Plan.Saga, Version: d.Plan.Version, Plan: d.Plan.Hash(), Input: input, Key: key}
		if d.Plan.Deadline > 0 {
			started.Deadline, started.Within = x.now.Add(time.Duration(d.Plan.Deadline)), d.Plan.Deadline
		}
		r := x.begin(label, d, domain.RunIDForKey(d.Plan.Saga, key), started)
		x.signalsEarly(r)
	}
}

// untilRest moves the runs until nothing is left to move.
func (x *scene) untilRest() {
	for range moves {
		if x.broken != nil {
			return
		}
		for i := 0; i < len(x.runs); i++ { //nolint:intrange // a child may begin meanwhile
			x.runs[i].settle()
		}
		if !x.move() {
			return
		}
	}
	x.violate(&Violation{Invariant: "a run comes to rest", Text: fmt.Sprintf("after %d moves it still goes on", moves)})
}

// move makes one thing happen, and reports whether there was one.
func (x *scene) move() bool {
	if fl := x.nextFlight(); fl != nil {
		if !x.personInterferes(fl) {
			x.attempt(fl)
		}
		return true
	}
	if fl := x.heldBack(); fl != nil {
		x.deliver(fl, fl.report)
		return true
	}
	return x.meetAwait() || x.passTime() || x.sendTooLate() || x.personActs()
}

// passTime moves the clock to the next time that a run waits for.
func (x *scene) passTime() bool {
	var next time.Time
	var who *run
	for _, r := range x.runs {
		if due := r.s.Wake().Due; !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next, who = due, r
		}
	}
	if who == nil {
		return false
	}
	if next.After(x.now) {
		x.now = next
	}
	before := len(who.facts)
	for _, r := range x.runs {
		_ = r.decide(machine.Tick{})
		r.settle()
	}
	if len(who.facts) == before {
		x.now = x.now.Add(machine.Grace) // an attempt is given up a little after its time
		for _, r := range x.runs {
			_ = r.decide(machine.Tick{})
			r.settle()
		}
	}
	for _, fl := range append([]*flight(nil), x.flights...) {
		if fl.silent && fl.overtaken() {
			x.drop(fl)
		}
	}
	return len(who.facts) > before
}
