package data

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
)

// Uses is what a program has that its sagas as data may use.
type Uses struct {
	// Actions may be used, and those of the sagas, which need not be listed.
	Actions []saga.AnyAction
	// Sagas may be started as children.
	Sagas []saga.AnySaga
	// Calls makes the calls of actions that are files. Without one such files are refused.
	Calls Caller
}

// library is what a program has, by name.
type library struct {
	actions map[string]definition.ActionUse
	// sagas are by name and version, latest the newest versions.
	sagas  map[string]map[int]*definition.Definition
	latest map[string]int
	// files are the sagas of the files that are read: of one that is missing, a problem is told
	// there.
	files map[string]bool
	// broken are the actions of files that have problems.
	broken map[string]bool
}

func newLibrary(u Uses) (*library, error) {
	l := &library{actions: map[string]definition.ActionUse{}, sagas: map[string]map[int]*definition.Definition{}, latest: map[string]int{}, broken: map[string]bool{}}
	var errs []error
	for _, a := range u.Actions {
		if a == nil {
			errs = append(errs, errors.New("an action is nil"))
			continue
		}
		use := bridge.Action(a)
		if use.Err != nil {
			errs = append(errs, use.Err)
			continue
		}
		l.addAction(use.Action)
	}
	for _, s := range u.Sagas {
		if s == nil {
			errs = append(errs, errors.New("a saga is nil"))
			continue
		}
		d, err := bridge.Definition(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		l.addSaga(d)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("the program's own definitions: %w", err)
	}
	return l, nil
}

func (l *library) addAction(a *definition.Action) {
	for ; a != nil; a = a.OnFailure {
		if _, known := l.actions[a.Spec.Name]; !known {
			l.actions[a.Spec.Name] = definition.ActionUse{Identity: a.Identity, Action: a}
		}
	}
}

// addFile adds the action of a file, and returns false where another one has its name.
func (l *library) addFile(a saga.AnyAction) bool {
	if _, known := l.actions[a.ActionName()]; known {
		return false
	}
	l.actions[a.ActionName()] = bridge.Action(a)
	return true
}

func (l *library) addSaga(d *definition.Definition) {
	name, version := d.Plan.Saga, d.Plan.Version
	if l.sagas[name] == nil {
		l.sagas[name] = map[int]*definition.Definition{}
	}
	if l.sagas[name][version] != nil {
		return
	}
	l.sagas[name][version] = d
	l.latest[name] = max(l.latest[name], version)
	for _, a := range d.Actions {
		l.addAction(a)
	}
	for _, c := range d.Children {
		l.addSaga(c)
	}
}

func (l *library) actionNames() []string { return slices.Sorted(maps.Keys(l.actions)) }

func (l *library) sagaNames() []string { return slices.Sorted(maps.Keys(l.sagas)) }
