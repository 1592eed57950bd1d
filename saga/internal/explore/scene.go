package explore

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/explore/stand"
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
	// aside are the attempts whose handlers were put aside in the middle, and preferred the one
	// that moves in the place of the last.
	aside     []*flight
	preferred *flight
	// again is what a second delivery under one key does to the world; nil outside of one.
	again *witness

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
	// misfits are choices of answers that can't be given.
	misfits []Misfit

	// seen are the states that scenes were in; nil if none is to be known. own are those that this
	// scene was in first, and met is where it came to a state that another was in before.
	seen map[stand.Key]visit
	own  *past
	met  *meeting
	// looks is how many more states are looked at.
	looks int
}

// moves bounds what happens in a scene: a run that does not come to rest in so many is broken.
const moves = 5_000

// dawn is later than any real time, so that the deadlines of handlers' contexts have not passed for
// code that asks the real clock.
var dawn = time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)

// play plays a schedule, until it comes to one of the states that are seen. seen is nil if it is to
// be played to its end.
func play(cfg *Config, sched Schedule, tell bool, seen map[stand.Key]visit) (*scene, error) {
	x := &scene{cfg: cfg, now: dawn, seen: seen, own: &past{}, plan: make(map[string]Answer, len(sched)), counts: map[string]int{}, sticky: map[string]Answer{}, asked: map[string]bool{}, byID: map[domain.RunID]*run{}}
	for _, c := range sched {
		x.plan[c.At] = c.Answer
	}
	x.trace = make([]passed, 0, cfg.usual.points)
	if tell {
		x.story = &story{}
	}
	x.edges = &Edges{x: x}
	sub, err := contained("the function that makes the world", func() (*Subject, error) { return cfg.Build(x.edges) })
	if err != nil {
		return nil, err
	}
	if err := cfg.fit(sub); err != nil {
		return nil, err
	}
	x.sub = sub
	if sub.Fingerprint == nil {
		x.seen = nil
	}
	if x.looks = moves; len(sched) >= min(cfg.Faults, 2) {
		x.looks = fewLooks
	}
	x.restart(sub.Registry)
	x.startAll()
	x.untilRest()
	for len(x.late) > 0 && !x.over() {
		fl := x.late[0]
		x.late = x.late[1:]
		x.arrive(fl)
		x.untilRest()
	}
	x.endAside()
	if !x.over() {
		x.checkEnd()
	}
	for _, r := range x.runs {
		cfg.reached.Run(r.s)
	}
	if err := x.comesTo(); err != nil {
		return nil, err
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

// over reports whether nothing more is to be played: something is broken, or what follows is known.
func (x *scene) over() bool { return x.broken != nil || x.met != nil && !x.met.doubted }

// untilRest moves the runs until nothing is left to move.
func (x *scene) untilRest() {
	for range moves {
		if x.over() {
			return
		}
		x.settle()
		if x.meets() || !x.move() {
			return
		}
	}
	x.violate(&Violation{Invariant: "a run comes to rest", Text: fmt.Sprintf("after %d moves it still goes on", moves)})
}

// settle answers what the runs owe, until none owes anything: what a run answers may be news for
// its parent or its children.
func (x *scene) settle() {
	for before := -1; before != x.recorded(); {
		before = x.recorded()
		for i := 0; i < len(x.runs); i++ { //nolint:intrange // a child may begin meanwhile
			x.runs[i].settle()
		}
	}
}

// recorded counts the events of all runs.
func (x *scene) recorded() (n int) {
	for _, r := range x.runs {
		n += len(r.facts)
	}
	return n
}

// move makes one thing happen, and reports whether there was one.
func (x *scene) move() bool {
	if fl := x.nextFlight(); fl != nil {
		if slices.Contains(x.aside, fl) {
			x.goOn(fl)
		} else if !x.personInterferes(fl) {
			x.carryOut(fl)
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

// restart makes the process's next life, with a program.
func (x *scene) restart(program *definition.Registry) {
	x.lives++
	x.node = "node/" + strconv.Itoa(x.lives)
	x.registry = program
	if x.cfg.program != program {
		x.cfg.program, x.cfg.worker = program, work.New(work.Config{Actions: program.Actions(), Logger: slog.New(slog.DiscardHandler)})
	}
	x.worker = x.cfg.worker
}

// die ends the process, and starts another with a program.
func (x *scene) die(program *definition.Registry) {
	x.say("the process dies, and another takes the runs up")
	x.endAside()
	x.flights = nil
	x.late = slices.DeleteFunc(x.late, func(fl *flight) bool { return !x.gives(fl, Stray) })
	for _, fl := range x.late {
		fl.stray = true // nobody is left to tell of it
	}
	x.restart(program)
	for _, r := range x.runs {
		r.refold()
		r.def = program.ForPlan(r.s.Plan)
	}
	for i := 0; i < len(x.runs); i++ { //nolint:intrange // a child may begin meanwhile
		x.runs[i].recover()
	}
}
