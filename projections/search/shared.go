package search

import (
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// sagasOf is the condition saga of a language.
func sagasOf[F any](help string, of func(*F) *[]string) condition[F] {
	return namesCondition("saga", help, runs.Sagas, of)
}

// actionsOf is the condition action of a language.
func actionsOf[F any](help string, of func(*F) *[]string) condition[F] {
	return namesCondition("action", help, runs.Actions, of)
}

// namesCondition takes names, of which either may hold.
func namesCondition[F any](name, help string, names runs.Of, of func(*F) *[]string) condition[F] {
	return condition[F]{name: name, form: name + ":NAME or " + name + ":BEGIN*", help: help, open: true, values: namesOf(names),
		set: func(r *reading[F], p *part) error {
			found, err := known(r.names, names, name, p)
			list := of(&r.filter)
			*list = append(*list, found...)
			return err
		}}
}

// runOf takes one run.
func runOf[F any](name, help string, of func(*F) *domain.RunID) condition[F] {
	return condition[F]{name: name, form: name + ":ID or " + name + ":SAGA:KEY", help: help, set: func(r *reading[F], p *part) (err error) {
		*of(&r.filter), err = r.names.run(p.value)
		return errors.Join(r.once(name), err)
	}}
}

// textOf takes words.
func textOf[F any](help string, of func(*F) *string) condition[F] {
	return condition[F]{name: "text", form: `text:"card gone"`, help: help, set: func(r *reading[F], p *part) error {
		return addWords(of(&r.filter), p.value)
	}}
}

// periodOf narrows a time.
func periodOf[F any](name, form, help string, of func(*F) (from, to *time.Time)) condition[F] {
	return condition[F]{name: name, form: form, help: help, set: func(r *reading[F], p *part) error {
		from, to := of(&r.filter)
		return bounds(p, r.now, from, to)
	}}
}
