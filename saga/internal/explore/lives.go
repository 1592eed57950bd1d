package explore

import (
	"log/slog"
	"slices"
	"strconv"

	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/work"
)

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
