package sagatest

import (
	"context"
	"testing"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// UntilOn follows a log until a run on it has come to where cond says yes, and returns what it
// looks like then. It is [Run.Until] for tests that make coordinators of their own, several on one
// log for instance. The run may begin later; if cond is nil, it is enough that it has begun.
//
// cond is called with the latest state whenever something was recorded, so it may miss a state that
// the run leaves at once.
func UntilOn(t testing.TB, log domain.Log, run domain.RunID, cond func(explain.Run) bool) explain.Run {
	t.Helper()
	var v explain.Run
	var says string
	UntilRecorded(t, log, domain.RunStream(run), func(e domain.Recorded) bool {
		if v.ID == run && int64(e.Revision) <= v.Revision {
			return false // v was more than that already
		}
		s, err := saga.FoldAt(t.Context(), log, run, saga.Latest)
		if err != nil {
			says = err.Error()
			return true
		}
		v = explain.Describe(s)
		return cond == nil || cond(v)
	})
	if says != "" {
		t.Fatalf("run %s can't be read: %s", run, says)
	}
	return v
}

// UntilRecorded follows a log until is says yes to an event, and returns that event. is is called
// with the events of the streams whose names begin with prefix, in their order, from the first on.
func UntilRecorded(t testing.TB, log domain.Log, prefix string, is func(domain.Recorded) bool) domain.Recorded {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceHere())
	defer cancel()
	last := "nothing"
	for d, err := range log.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{prefix}}) {
		switch {
		case err != nil:
			t.Fatalf("what the test waits for was not recorded in %s*, of which the latest event is %s: %v\n%s", prefix, last, err, tell(log, prefix))
		case d.Event != nil && is(*d.Event):
			return *d.Event
		case d.Event != nil:
			last = d.Event.Type
		}
	}
	t.Fatalf("what the test waits for was not recorded in %s*: the subscription has ended", prefix)
	return domain.Recorded{}
}

// tell returns the story of the run whose stream it is; nothing of another stream.
func tell(log domain.Log, stream string) string {
	run, ok := domain.RunOfStream(stream)
	if !ok {
		return ""
	}
	return storyOf(log, run)
}
