package explore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/work"
)

// attempt has the world answer an attempt.
func (x *scene) attempt(fl *flight) {
	at := len(x.trace)
	a, goesOn := x.goesOn(fl.at, fl)
	if !goesOn {
		var besides []Answer // of a handler of which an earlier call crossed no edge
		if len(x.plan) > 0 {
			besides = x.offer(fl, fl.left())
		}
		a = x.choose(fl.name, x.answers(fl), fl.kind, besides...)
		x.keep(fl.at, a)
	}
	x.now = x.now.Add(time.Millisecond)
	if x.story != nil {
		x.story.attempts = append(x.story.attempts, Choice{fl.name, a.base()})
	}
	switch a.base() {
	case OK:
		r := x.call(fl)
		if fl.edges > 0 && !x.cfg.edged[fl.kind] { // its answers are those of its edges
			x.cfg.edged[fl.kind] = true
			if !goesOn {
				x.trace[at].others = x.wholeAnswers(fl)
			}
		}
		x.finish(fl, r)
	case Refused:
		x.finish(fl, fl.failure(&domain.Failure{Kind: domain.FailurePermanent, Step: fl.task.Step, Message: "refused"}, domain.EffectNotDone))
	case Failed:
		x.finish(fl, fl.failure(lostConnection(fl), domain.EffectUnsaid))
	case FailedDone:
		x.call(fl)
		x.finish(fl, fl.failure(lostConnection(fl), domain.EffectUnsaid))
	case Unknown:
		r := fl.failure(nil, "")
		r.Verdict = domain.Unknown
		x.finish(fl, r)
	case TimedOut:
		fl.silent = true
	case TimedOutDone:
		x.call(fl)
		fl.silent = true
	case Died:
		// up: a death concerns the whole scene
		x.die(x.registry)
	case DiedDone:
		if x.call(fl); !fl.dead {
			// up: a death concerns the whole scene
			x.die(x.registry)
		}
	case DiedRecorded:
		if x.finish(fl, x.call(fl)); fl.dead {
			return
		}
		fl.run.settle() // what follows is recorded with the outcome
		// up: a death concerns the whole scene
		x.die(x.registry)
	case Twice:
		x.trace[at].unjudged = x.sub.Fingerprint == nil
		x.twice(fl)
	case Late:
		fl.silent = true
		x.late = append(x.late, fl)
	case Stray:
		fl.silent, fl.stray = true, true
		x.late = append(x.late, fl)
	case AnswerLater:
		fl.report = x.call(fl)
	}
}

func lostConnection(fl *flight) *domain.Failure {
	return &domain.Failure{Kind: domain.FailureRetryable, Step: fl.task.Step, Message: "connection reset by peer"}
}

// failure returns a report of the attempt.
func (fl *flight) failure(f *domain.Failure, effect domain.FailureEffect) *work.Report {
	t := fl.task
	r := &work.Report{Run: t.Run, Step: t.Step, Direction: t.Direction, Attempt: t.Attempt, Failure: f, Effect: effect}
	if t.Direction == domain.Probe {
		r.Verdict = domain.Unknown
	}
	return r
}

// finish delivers an outcome, unless the process died at an edge on the way, or while the handler
// was put aside. A handler that saw its context end reports that itself.
func (x *scene) finish(fl *flight, r *work.Report) {
	switch {
	case fl.dead:
	case fl.fate == Died, fl.fate == DiedDone:
		// up: a death concerns the whole scene
		x.die(x.registry)
	default:
		x.deliver(fl, r)
	}
}

func (x *scene) deliver(fl *flight, r *work.Report) {
	x.drop(fl)
	_ = fl.run.decide(r.Intent()) // what came too late is refused or noted by the machine
}

// twice has an attempt delivered twice under one key.
func (x *scene) twice(fl *flight) {
	fl.plain = true
	x.call(fl)
	before := x.fingerprint()
	x.again = &witness{print: before}
	r := x.call(fl)
	if after := x.fingerprint(); after != before && r.Failure == nil {
		x.again.sees(x, "")
		x.violate(&Violation{Invariant: "one effect for one key", Text: fmt.Sprintf("%s was delivered twice with the key %s, and the second delivery changed the world%s find what the key has done",
			fl.kind, fl.task.Key, x.again.says())})
	}
	x.again = nil
	x.finish(fl, r)
}

// witness notes at which edge the world changes first.
type witness struct {
	print   string // of the world
	last    string // the edge that was crossed last, empty for none
	changed *string
}

// sees looks at the world when a handler comes to its next edge.
func (w *witness) sees(x *scene, next string) {
	if w == nil {
		return
	}
	if now := x.fingerprint(); w.changed == nil && now != w.print {
		at := w.last
		w.changed = &at
	}
	w.last = next
}

func (w *witness) says() string {
	if w.changed == nil || *w.changed == "" {
		return ": have the handler, or the fake that it calls,"
	}
	return fmt.Sprintf(" at %q: have the fake that answers there", *w.changed)
}

// arrive carries out an attempt that was given up long ago, and reports its success unless nobody
// is left to do so.
func (x *scene) arrive(fl *flight) {
	x.now = x.now.Add(time.Second)
	x.say("the effect of " + fl.name + " comes now")
	fl.plain = true
	before := x.fingerprint()
	r := x.call(fl)
	if x.sub.Fingerprint != nil && x.fingerprint() == before {
		e := &x.ledger[len(x.ledger)-1]
		e.happened, e.maybe = false, false // the other side answers, and does not do it again
	}
	if !fl.stray {
		_ = fl.run.decide(r.Intent())
	}
}

// call calls the handler of an attempt, and enters that in the ledger.
func (x *scene) call(fl *flight) *work.Report {
	t := fl.task
	x.checkCall(fl)
	ctx := newClockContext(t.Due)
	x.calls, fl.ctx, fl.fate, fl.edges = fl, ctx, "", 0
	r := x.rehearse(ctx, t)
	if fl.strand != nil {
		fl.strand.Mine()
	}
	x.calls = nil
	x.ledger = append(x.ledger, entry{run: fl.run, step: t.Step, dir: t.Direction, attempt: t.Attempt, key: t.Key, inDoubt: t.InDoubt,
		happened: r.Failure == nil || r.Effect == domain.EffectDone, maybe: fl.edges > 0 && r.Effect != domain.EffectNotDone})
	x.sayCalled(fl, r)
	x.checkAlways()
	return r
}

// rehearse calls the handler of an attempt. The context ends when the scene says that the attempt's
// time is over.
func (x *scene) rehearse(ctx context.Context, t *work.Task) (report *work.Report) {
	x.worker.Rehearse(ctx, t, func(json.RawMessage) {}, func(r *work.Report) { report = r })
	return report
}

// answers lists the other answers at an attempt.
func (x *scene) answers(fl *flight) []Answer {
	if x.cfg.edged[fl.kind] {
		return x.wholeAnswers(fl)
	}
	left := fl.left()
	key := offer{fl.task.Action, fl.task.Direction, left, len(x.flights) > 1}
	if out, ok := x.cfg.offers[key]; ok {
		return out
	}
	out := x.offer(fl, left)
	if x.cfg.offers == nil {
		x.cfg.offers = map[offer][]Answer{}
	}
	x.cfg.offers[key] = slices.Clip(out)
	return out
}

// offer is what the answers at an attempt depend on.
type offer struct {
	action   string
	dir      domain.Direction
	left     int
	siblings bool
}

func (x *scene) offer(fl *flight, left int) []Answer {
	var out []Answer
	switch fl.task.Direction {
	case domain.Probe:
		return append([]Answer{Unknown, Refused, Died}, extents(left, Failed, TimedOut)...)
	case domain.Handler:
		return append([]Answer{Refused, Died, Twice}, extents(left, Failed, FailedDone, TimedOut)...)
	}
	out = append(out, Refused)
	out = append(out, extents(left, Failed, FailedDone, TimedOut, TimedOutDone, Died, DiedDone)...)
	return append(out, x.wholeAnswers(fl)...)
}

// wholeAnswers are those that an attempt can get besides what its edges answer.
func (x *scene) wholeAnswers(fl *flight) []Answer {
	out := []Answer{DiedRecorded, Twice, Late, Stray}
	if len(x.flights) > 1 {
		out = append(out, AnswerLater)
	}
	return slices.DeleteFunc(out, func(a Answer) bool { return !x.gives(fl, a) })
}
