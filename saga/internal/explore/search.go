package explore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/explore/stand"
)

// search plays schedules.
type search struct {
	cfg    *Config
	res    *Result
	points map[string]bool
	waits  map[string]bool
	until  time.Time
	// seen are the states that scenes were in; nil where none are merged.
	seen map[stand.Key]visit
	// chance means that not every schedule is played from now on, so that none stands for another.
	chance bool
}

// Explore searches for a schedule that breaks an invariant: first what happens if nothing goes
// wrong, then each single choice, then each pair, then longer ones by seed until the budget is used
// up. It stops at the end of the level at which one is found. The error says that nothing could be
// explored.
func Explore(cfg Config) (*Result, error) {
	began := time.Now()
	s := &search{cfg: &cfg, res: &Result{Schedules: make([]int, 1), Matrix: newMatrix()}, points: map[string]bool{}, waits: map[string]bool{}}
	cfg.edged = map[string]bool{}
	if !cfg.Apart {
		s.seen = map[stand.Key]visit{}
	}
	if cfg.For > 0 {
		s.until = began.Add(cfg.For)
	}
	err := s.run()
	if err == nil && !s.res.Replayed {
		err = s.completes()
	}
	s.res.Points, s.res.States, s.res.Took = len(s.points), len(s.seen), time.Since(began)
	s.res.LeftOut = leftOut(&cfg)
	s.res.Matrix.explain(s.res, &cfg)
	return s.res, err
}

func (s *search) run() error {
	if s.cfg.Replay != nil {
		return s.replay()
	}
	base, err := s.play(nil)
	if err != nil {
		return err
	}
	level := []played{{trace: base}}
	for depth := 1; depth <= min(s.cfg.Faults, 2); depth++ {
		if s.res.Broken != nil || s.res.Cut {
			return nil
		}
		if level, err = s.level(level, depth); err != nil {
			return err
		}
	}
	if s.res.Broken == nil && !s.res.Cut && s.cfg.Faults > 2 {
		return s.deeper(level)
	}
	return nil
}

// completes checks that some run completed, and notes what no run came to: a saga that never gets
// anywhere breaks nothing.
func (s *search) completes() error {
	x, err := playContained(s.cfg, nil, nil, true)
	if err != nil {
		return fmt.Errorf("schedule %q: %w", Schedule{}, err)
	}
	s.res.Never = s.never(x)
	if v := s.violatesCompletes(x); v != nil && s.res.Broken == nil {
		s.res.Broken = &Broken{Schedule{}, *v, x.story.b.String()}
	}
	return nil
}

// violatesCompletes returns the violation where no run completed. x is the scene in which nothing
// goes wrong.
func (s *search) violatesCompletes(x *scene) *Violation {
	if s.cfg.NeverCompletes || s.cfg.reached.Ended(domain.RunIsCompleted) {
		return nil
	}
	return &Violation{someCompletes, fmt.Sprintf("with nothing going wrong the run %s, and no other schedule of %d completes. If that is meant, say so with NeverCompletes", x.comesToRest(), s.res.Total())}
}

// played is a schedule with the points that came up after its last choice.
type played struct {
	sched Schedule
	trace []passed
}

// level plays every schedule that is one choice longer than those given.
func (s *search) level(shorter []played, depth int) ([]played, error) {
	s.res.Schedules = append(s.res.Schedules, 0)
	of := 0
	for _, p := range shorter {
		for _, at := range p.trace {
			of += len(at.others)
		}
	}
	s.res.Of = append(s.res.Of, of)
	keep := depth < s.cfg.Faults
	var longer []played
	for _, p := range shorter {
		for _, at := range p.trace {
			for _, a := range at.others {
				if s.over() {
					return longer, nil
				}
				next := slices.Concat(p.sched, Schedule{{at.at, a}})
				trace, err := s.play(next)
				if err != nil {
					return nil, err
				}
				if keep && slices.ContainsFunc(trace, func(p passed) bool { return len(p.others) > 0 }) {
					longer = append(longer, played{next, trace})
				}
			}
		}
	}
	return longer, nil
}

// over reports whether the budget is used up or the time is over.
func (s *search) over() bool {
	if s.res.Total() >= s.cfg.Budget {
		return true
	}
	select {
	case <-s.cfg.Stop:
		s.res.Cut = true
	default:
		s.res.Cut = !s.until.IsZero() && !time.Now().Before(s.until)
	}
	return s.res.Cut
}

// deeper plays schedules of three and more choices, chosen by the seed, until the budget is used
// up.
func (s *search) deeper(pairs []played) error {
	if len(pairs) == 0 {
		return nil
	}
	s.chance = true
	rnd := rand.New(rand.NewPCG(s.cfg.Seed, 0))
	for !s.over() {
		p := pairs[rnd.IntN(len(pairs))]
		for len(p.sched) < s.cfg.Faults && len(p.trace) > 0 && !s.over() {
			at := p.trace[rnd.IntN(len(p.trace))]
			if len(at.others) == 0 {
				break
			}
			p.sched = append(p.sched[:len(p.sched):len(p.sched)], Choice{at.at, at.others[rnd.IntN(len(at.others))]})
			trace, err := s.play(p.sched)
			if err != nil {
				return err
			}
			p.trace = trace
		}
		if s.res.Broken != nil {
			return s.shrink()
		}
	}
	return nil
}

// shrink leaves out choices as long as the schedule still breaks something.
func (s *search) shrink() error {
	for {
		shorter := false
		sched := s.res.Broken.Schedule
		for i := range sched {
			next := slices.Delete(slices.Clone(sched), i, i+1)
			x, err := playContained(s.cfg, next, nil, true)
			if err != nil {
				return err
			}
			if x.broken != nil {
				s.res.Broken, shorter = &Broken{next, *x.broken, x.story.b.String()}, true
				break
			}
		}
		if !shorter {
			return nil
		}
	}
}

// replay plays the one schedule that was asked for.
func (s *search) replay() error {
	x, err := playContained(s.cfg, s.cfg.Replay, nil, true)
	if err != nil {
		return fmt.Errorf("schedule %q: %w", s.cfg.Replay, err)
	}
	s.res.Misfits = x.misfits
	for _, c := range s.cfg.Replay {
		if _, left := x.plan[c.At]; left {
			s.res.Unreached = append(s.res.Unreached, c.At)
		}
	}
	s.note(s.cfg.Replay, x)
	s.res.Replayed = true
	s.res.Broken = &Broken{Schedule: s.cfg.Replay, Story: x.story.b.String()}
	if len(s.cfg.Replay) == 0 && x.broken == nil {
		x.broken = s.violatesCompletes(x)
	}
	if x.broken != nil {
		s.res.Broken.Violation = *x.broken
	}
	return nil
}

// errEnded says that a handler ended the goroutine of the search.
var errEnded = errors.New("a handler or a check ended its goroutine (runtime.Goexit): do not call t.FailNow or require in it; return an error")

// playLimit is how long one schedule may take: handlers that wait for something never return.
const playLimit = 20 * time.Second

// play plays a schedule and notes what came of it. It returns the points after its last choice.
func (s *search) play(sched Schedule) ([]passed, error) {
	seen := s.seen
	if s.chance {
		seen = nil
	}
	x, err := playContained(s.cfg, sched, seen, false)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", sched, err)
	}
	s.note(sched, x)
	if x.breaks() && s.res.Broken != nil {
		s.res.Others++
	}
	if x.broken != nil && s.res.Broken == nil {
		told, err := playContained(s.cfg, sched, nil, true)
		if err != nil {
			return nil, err
		}
		if told.broken == nil || *told.broken != *x.broken {
			return nil, fmt.Errorf("schedule %q breaks %q once, and not when it is played again: handlers, fakes and checks must not depend on time, chance, or order of maps, nor on what earlier schedules left behind", sched, x.broken.Invariant)
		}
		s.res.Broken = &Broken{sched, *told.broken, told.story.b.String()}
	}
	last := 0
	for i, p := range x.trace {
		if p.given != OK {
			last = i + 1
		}
	}
	if x.met != nil {
		s.res.Merged++
		return x.trace[last:x.met.here], nil
	}
	return x.trace[last:], nil
}

// playContained plays a schedule in a goroutine of its own, so that a handler that ends it or does
// not return is an error.
func playContained(cfg *Config, sched Schedule, seen map[stand.Key]visit, tell bool) (*scene, error) {
	type result struct {
		x   *scene
		err error
	}
	done := make(chan result, 1)
	go func() {
		r := result{err: errEnded}
		defer func() { done <- r }()
		r.x, r.err = play(cfg, sched, tell, seen)
	}()
	timer := time.NewTimer(playLimit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.x, r.err
	case <-timer.C:
		stacks := make([]byte, 1<<16)
		return nil, fmt.Errorf("it has not come to an end for %v: a handler waits for something that nobody does; handlers are called one at a time\n%s", playLimit, stacks[:runtime.Stack(stacks, true)])
	}
}

// note counts what came up in a scene.
func (s *search) note(sched Schedule, x *scene) {
	for len(s.res.Schedules) <= len(sched) {
		s.res.Schedules = append(s.res.Schedules, 0)
	}
	s.res.Schedules[len(sched)]++
	s.res.NoFingerprint = x.sub.Fingerprint == nil
	for _, p := range x.trace {
		s.points[p.at] = true
		ours := p.given != OK || len(sched) == 0
		p.spoilt = x.breaks() && !ours
		s.res.Matrix.note(p, len(sched), x.breaks() && ours)
	}
	for _, w := range x.unmet {
		if !s.waits[w] {
			s.waits[w] = true
			s.res.Waiting = append(s.res.Waiting, w)
		}
	}
}
