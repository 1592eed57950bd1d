package explore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/machine"
)

// personInterferes lets a person act before an attempt is carried out, and reports whether one did.
func (x *scene) personInterferes(fl *flight) bool {
	if fl.asked {
		return false
	}
	fl.asked = true
	others := interferences[:2]
	if x.sub.Next != nil {
		others = interferences
	}
	r := fl.run.root()
	switch x.choose("person before "+fl.name, others, "person") {
	case Cancel:
		_ = r.decide(machine.Cancel{Reason: "a person cancels"})
	case PauseHere:
		_ = r.decide(machine.Pause{Reason: "a person pauses"})
	case Deploy:
		x.say("another version of the program is deployed")
		next, err := contained("NextProgram", x.sub.Next)
		if err != nil {
			x.violate(&Violation{Invariant: "the next program can be made", Text: err.Error()})
			return true
		}
		// up: a deploy is a death of the whole scene
		x.die(next)
	default:
		return false
	}
	return true
}

// interferences are what people may do before an attempt. The last needs a next program.
var interferences = []Answer{Cancel, PauseHere, Deploy}

// personActs lets people lift pauses and see to what is stuck.
func (x *scene) personActs() bool {
	for _, r := range x.runs {
		if r.s.Paused && r.s.End == "" {
			_ = r.decide(machine.Resume{Reason: "a person resumes"})
			return true
		}
	}
	for _, r := range x.runs {
		var stuck []*machine.Step
		r.s.StuckSteps(func(st *machine.Step) { stuck = append(stuck, st) })
		for _, st := range stuck {
			at := "stuck " + r.label + st.Path + " " + st.Incident
			if x.asked[at] {
				continue
			}
			x.asked[at] = true
			if x.resolve(r, st) {
				return true
			}
		}
	}
	return false
}

// resolve lets a person act on a stuck step, and reports whether one did.
func (x *scene) resolve(r *run, st *machine.Step) bool {
	others := []Answer{RetryIt, SkipIt, Abandon}
	output := x.standIn(st)
	if st.Phase == machine.Stuck && output != nil {
		others = append(others, Substitute)
	}
	var in machine.Intent
	switch x.choose("stuck "+r.label+st.Path, others, "person at stuck") {
	case RetryIt:
		in = machine.Retry{Step: st.Path, Reason: "a person mended it"}
		clear(x.sticky)
	case SkipIt:
		in = machine.Resolve{Step: st.Path, How: domain.ResolveSkip, Reason: "a person says so"}
	case Substitute:
		in = machine.Resolve{Step: st.Path, How: domain.ResolveSubstitute, Output: output, Reason: "a person did it by hand"}
	case Abandon:
		in = machine.Abandon{Reason: "a person gives it up"}
	default:
		return false
	}
	return r.decide(in) == nil
}

// standIn returns an output that a person could give for a step, nil where none is known.
func (x *scene) standIn(st *machine.Step) json.RawMessage {
	if st.Node.Action == nil {
		return nil
	}
	code := x.registry.Action(st.Node.Action.Name)
	if code == nil {
		return nil
	}
	return firstFit(code.Output.Check)
}

// firstFit returns the first of some plain values that a check takes.
func firstFit(check func(json.RawMessage) error) json.RawMessage {
	for _, v := range [...]string{`null`, `{}`, `""`, `0`, `[]`, `true`} {
		if check(json.RawMessage(v)) == nil {
			return json.RawMessage(v)
		}
	}
	return nil
}

// lateSignal is one that is sent once nothing else moves.
type lateSignal struct {
	run *run
	in  machine.Intent
}

// signalsEarly lets signals come before anything awaits them.
func (x *scene) signalsEarly(r *run) {
	for _, name := range awaited(r.def) {
		value, ok := x.signalValue(r.def, name)
		if ok && x.choose("signal "+r.label+name, []Answer{Early}, "signal "+name) == Early {
			_ = r.decide(machine.Signal{Name: name, ID: "early-" + name, Value: value})
			x.asked["met "+r.label+name] = true
		}
	}
}

// awaited lists the signals of a plan in its order.
func awaited(d *definition.Definition) (names []string) {
	seen := map[string]bool{}
	d.Plan.Root.Walk(func(n *domain.Node) {
		if n.Await != nil && n.Await.Signal != "" && !seen[n.Await.Signal] {
			seen[n.Await.Signal] = true
			names = append(names, n.Await.Signal)
		}
	})
	return names
}

// signalValue returns what is sent as the signal, false where nothing fits.
func (x *scene) signalValue(d *definition.Definition, name string) (json.RawMessage, bool) {
	if v, ok := x.cfg.Signals[name]; ok {
		return v, len(v) > 0 && (d == nil || d.CheckSignal(name, v) == nil)
	}
	if d == nil {
		return nil, false // no program here knows what fits
	}
	v := firstFit(func(raw json.RawMessage) error { return d.CheckSignal(name, raw) })
	return v, v != nil
}

// meetAwait answers the first open await that was not asked for yet.
func (x *scene) meetAwait() bool {
	for _, r := range x.runs {
		var open []*machine.Step
		r.s.Open(func(st *machine.Step) {
			if st.Phase == machine.Waiting && (st.Signal != "" || st.Event != "") {
				open = append(open, st)
			}
		})
		for _, st := range open {
			at := "await " + r.label + st.Path
			if x.asked[at] {
				continue
			}
			x.asked[at] = true
			if x.answerAwait(r, st, at) {
				return true
			}
		}
	}
	return false
}

// answerAwait sends what an await waits for, if the schedule lets it, and reports whether it did.
func (x *scene) answerAwait(r *run, st *machine.Step, at string) bool {
	var in machine.Intent
	id := fmt.Sprintf("%s#%d", st.Path, len(r.facts))
	if st.Signal != "" {
		value, ok := x.signalValue(r.def, st.Signal)
		if !ok {
			return false
		}
		in = machine.Signal{Name: st.Signal, ID: id, Value: value}
	} else {
		value, ok := x.cfg.Events[st.Event]
		if !ok {
			value = json.RawMessage("null")
		} else if len(value) == 0 {
			return false
		}
		in = machine.EventSeen{Type: st.Event, Correlation: st.Correlation, ID: id, Value: value}
	}
	others := []Answer{Never, Twice}
	if !st.Due.IsZero() {
		others = append(others, LastMoment, TooLate)
	}
	switch x.choose(at, others, "await "+st.Path) {
	case Never:
		return false
	case TooLate:
		x.signals = append(x.signals, lateSignal{r, in})
		return false
	case LastMoment:
		if last := st.Due.Add(-time.Nanosecond); last.After(x.now) {
			x.now = last
		}
	case Twice:
		_ = r.decide(in)
	}
	_ = r.decide(in) // a repeat is nothing
	return true
}

// sendTooLate sends the signals whose awaits have run out.
func (x *scene) sendTooLate() bool {
	if len(x.signals) == 0 {
		return false
	}
	s := x.signals[0]
	x.signals = x.signals[1:]
	_ = s.run.decide(s.in) // an ended run refuses it
	return true
}

// fit checks, once, that each signal and event that has a value is awaited, and takes it.
func (cfg *Config) fit(sub *Subject) error {
	if cfg.fitted {
		return nil
	}
	cfg.fitted = true
	programs := []*definition.Registry{sub.Registry}
	if sub.Next != nil && len(cfg.Signals)+len(cfg.Events) > 0 {
		next, err := contained("NextProgram", sub.Next)
		if err != nil {
			return err
		}
		programs = append(programs, next)
	}
	signals, events := map[string]error{}, map[string]error{}
	for _, program := range programs {
		for _, d := range program.Sagas() {
			d.Plan.Root.Walk(func(n *domain.Node) {
				if n.Await == nil {
					return
				}
				events[n.Await.Event] = nil
				name := n.Await.Signal
				if err, known := signals[name]; !known || err != nil {
					signals[name] = d.CheckSignal(name, cfg.Signals[name])
				}
			})
		}
	}
	return errors.Join(unawaited("signal", cfg.Signals, signals), unawaited("event", cfg.Events, events))
}

// unawaited returns an error of the values that no await takes.
func unawaited(what string, given map[string]json.RawMessage, awaited map[string]error) (err error) {
	delete(awaited, "")
	names := cmp.Or(strings.Join(slices.Sorted(maps.Keys(awaited)), ", "), "none")
	for _, name := range slices.Sorted(maps.Keys(given)) {
		refused, known := awaited[name]
		if !known {
			refused = fmt.Errorf("nothing awaits the %s %q: the %ss are %s", what, name, what, names)
		}
		err = errors.Join(err, refused)
	}
	return err
}
