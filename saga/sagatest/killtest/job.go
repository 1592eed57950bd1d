package killtest

import (
	"time"

	"github.com/atonehq/atone/saga"
)

// Job is the input and output of every saga that is tested with kills. It alone decides what fails
// for good, so that every attempt of a step ends alike.
type Job struct {
	N    int
	Fail bool
	// ID correlates the job with events, where it does.
	ID string `json:",omitempty"`
	// Weight is 0, or what can't be recorded.
	Weight float64 `json:",omitempty"`
}

// Acts are the actions of the common sagas.
type Acts struct {
	A, B, C *saga.Action[Job, Job]
	// Probed has a probe.
	Probed *saga.Action[Job, Job]
	// Refusing refuses a job that is to fail.
	Refusing *saga.Action[Job, Job]
}

// Untiring retries for ever: kills use up attempts.
var Untiring = saga.Retry{MaxAttempts: saga.Unlimited, Initial: time.Millisecond, Max: 5 * time.Millisecond}

// Define returns a saga that returns its input.
func Define(name string, build func(f *saga.Flow, in saga.Ref[Job])) *saga.Saga[Job, Job] {
	return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[Job]) saga.Ref[Job] {
		build(f, in)
		return saga.Return(f, in.In)
	})
}

// Sagas returns sagas over the actions: steps in a row, in parallel, after a sleep of that length,
// after a signal ("go") that may not come, and with a child.
func Sagas(a Acts, sleep time.Duration) []*saga.Saga[Job, Job] {
	linear := Define("linear", func(f *saga.Flow, in saga.Ref[Job]) {
		saga.Do(f, a.A, in.In)
		saga.Do(f, a.B, in.In)
		saga.Do(f, a.Probed, in.In)
		saga.Do(f, a.Refusing, in.In)
	})
	return []*saga.Saga[Job, Job]{
		linear,
		Define("parallel", func(f *saga.Flow, in saga.Ref[Job]) {
			saga.Do(f, a.A, in.In)
			saga.Parallel(f,
				func(f *saga.Flow) { saga.Do(f, a.B, in.In); saga.Do(f, a.C, in.In) },
				func(f *saga.Flow) { saga.Do(f, a.Probed, in.In) },
				func(f *saga.Flow) { saga.Do(f, a.Refusing, in.In) })
		}),
		Define("sleeps", func(f *saga.Flow, in saga.Ref[Job]) {
			saga.Do(f, a.A, in.In)
			saga.Sleep(f, sleep)
			saga.Do(f, a.Refusing, in.In)
		}),
		Define("awaits", func(f *saga.Flow, in saga.Ref[Job]) {
			saga.Do(f, a.A, in.In)
			saga.Await[Job](f, "go", saga.Within(300*time.Millisecond), saga.DefaultTo(Job{}))
			saga.Do(f, a.Refusing, in.In)
		}),
		Define("parent", func(f *saga.Flow, in saga.Ref[Job]) {
			saga.Do(f, a.A, in.In)
			saga.Child(f, linear, func(v saga.Scope) Job { return Job{N: in.In(v).N} })
			saga.Do(f, a.Refusing, in.In)
		}),
	}
}
