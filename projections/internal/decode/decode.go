package decode

import (
	"github.com/atonehq/atone/domain"
)

// Fact returns the same as [domain.DecodeFact]. It is several times as fast for the most frequent
// events, as atone writes them, and calls domain.DecodeFact for all others.
func Fact(r *domain.Recorded) (domain.Fact, error) {
	f := domain.Fact{ID: r.ID, Revision: r.Revision}
	if !scanMeta(r.Metadata, &f.Meta) {
		return domain.DecodeFact(r)
	}
	switch r.Type {
	case "attempt.started.v1":
		e := &domain.AttemptStarted{}
		f.Event = e
		if scan(r.Data, func(name string, v value) bool {
			switch name {
			case "step":
				return v.text(&e.Step)
			case "direction":
				return v.text((*string)(&e.Direction))
			case "attempt":
				return v.int(&e.Attempt)
			case "action":
				return v.text(&e.Action)
			case "input":
				return v.raw(&e.Input)
			case "due":
				return v.time(&e.Due)
			case "node":
				return v.text(&e.Node)
			}
			return false
		}) {
			return f, nil
		}
	case "attempt.succeeded.v1":
		e := &domain.AttemptSucceeded{}
		f.Event = e
		if scan(r.Data, func(name string, v value) bool {
			switch name {
			case "step":
				return v.text(&e.Step)
			case "direction":
				return v.text((*string)(&e.Direction))
			case "attempt":
				return v.int(&e.Attempt)
			case "output":
				return v.raw(&e.Output)
			}
			return false
		}) {
			return f, nil
		}
	case "run.completed.v1":
		e := &domain.RunCompleted{}
		f.Event = e
		if scan(r.Data, func(name string, v value) bool { return name == "output" && v.raw(&e.Output) }) {
			return f, nil
		}
	}
	var err error
	if f.Event, err = domain.DecodeEvent(r.Type, r.Data); err != nil {
		return domain.DecodeFact(r) // for the error
	}
	return f, nil
}

func scanMeta(b []byte, m *domain.Meta) bool {
	return scan(b, func(name string, v value) bool {
		switch name {
		case "$correlationId":
			return v.text(&m.CorrelationID)
		case "$causationId":
			return v.text(&m.CausationID)
		case "at":
			return v.time(&m.At)
		case "actor":
			return v.text(&m.Actor)
		case "traceparent":
			return v.text(&m.Trace)
		case "hash":
			return v.text(&m.Hash)
		case "wake":
			return scan(v, func(name string, v value) bool {
				switch name {
				case "state":
					return v.text((*string)(&m.Wake.State))
				case "due":
					return v.time(&m.Wake.Due)
				case "busy":
					return v.flag(&m.Wake.Busy)
				case "events":
					return v.flag(&m.Wake.Events)
				case "node":
					return v.text(&m.Wake.Node)
				}
				return false
			})
		}
		return false
	})
}
