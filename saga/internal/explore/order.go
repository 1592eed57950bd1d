package explore

// nextFlight chooses the attempt that is carried out next: the one that was started first, of the
// run that moved last.
func (x *scene) nextFlight() *flight {
	var ready []*flight
	for _, fl := range x.flights {
		if !fl.silent && fl.report == nil {
			ready = append(ready, fl)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	next := ready[0]
	if len(x.cfg.Inputs) > 1 {
		next = x.chooseRun(ready)
	}
	var same []*flight
	for _, fl := range ready {
		if fl.run.root() == next.run.root() {
			same = append(same, fl)
		}
	}
	if len(same) > 1 {
		others := make([]Answer, 0, len(same)-1)
		for _, fl := range same {
			if fl != next {
				others = append(others, Answer(firstOf+fl.name))
			}
		}
		if a := x.choose("order at "+next.name, others, "order"); a != OK {
			for _, fl := range same {
				if string(a) == firstOf+fl.name {
					next = fl
				}
			}
		}
	}
	return next
}

// chooseRun stays with the run that moves, unless the schedule has the other one move.
func (x *scene) chooseRun(ready []*flight) *flight {
	mine, others := x.firstOf(ready, x.turn)
	switch {
	case mine == nil:
		x.turn = x.indexOf(others.run.root())
		return others
	case others == nil:
		return mine
	}
	if x.choose("before "+mine.name, []Answer{SwitchRun}, "order of runs") == SwitchRun {
		x.turn = x.indexOf(others.run.root())
		return others
	}
	return mine
}

func (x *scene) firstOf(ready []*flight, turn int) (mine, others *flight) {
	for _, fl := range ready {
		if fl.run.root() == x.runs[turn] {
			if mine == nil {
				mine = fl
			}
		} else if others == nil {
			others = fl
		}
	}
	return mine, others
}

func (x *scene) indexOf(r *run) int {
	for i, other := range x.runs {
		if other == r {
			return i
		}
	}
	return 0
}

func (x *scene) heldBack() *flight {
	for _, fl := range x.flights {
		if fl.report != nil {
			return fl
		}
	}
	return nil
}
