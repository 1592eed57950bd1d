package saga

import (
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/timers"
	"github.com/atonehq/atone/saga/machine"
)

// lookAgain has the run looked at a little later, because its turn failed: what it owed, and whose turn that was,
// nobody else may know. Of a start only a part that was written counts; the rest is its caller's to repeat. A run that
// can't be read waits for a program that can.
func (a *actor) lookAgain(batch []*request, err error) {
	delay := timers.OverdueDelay
	if a.c.isUnreadable(a.id, err) {
		delay = unreadableDelay
		a.leavePlace()
		for _, r := range batch {
			if o, ok := r.intent.(machine.Outcome); ok {
				a.letGo(o.Step, o.Direction, o.Attempt)
			}
		}
	}
	if batch[0].start == nil {
		a.c.wakeups.Again(a.id, delay)
	} else if a.progressed {
		a.c.wakeups.Set(a.id, domain.Wake{State: domain.RunRunning, Busy: true, Due: a.c.clock.Now().Add(timers.OverdueDelay)}, false)
	}
}

// safeTurn is attemptTurn; a panic, which is a defect of atone or of the log, is an error of this run alone.
func (a *actor) safeTurn(batch []*request) (err error) {
	t := turnState{a: a}
	defer func() {
		if p := recover(); p != nil {
			t.giveBack()
			bad := contain.Panic(p)
			a.c.logger.Error("a turn of a run panicked: this is a defect", "run", a.id, "panic", bad, "stack", bad.Stack)
			err = fmt.Errorf("run %s: its turn %w: this is a defect", a.id, bad)
		}
	}()
	return a.attemptTurn(&t, batch)
}
