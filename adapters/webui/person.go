package webui

import (
	"net/http"
	"slices"
	"strings"
)

// Sessions says who makes a request. Its methods are called concurrently.
type Sessions interface {
	// Who returns the person behind a request. It returns false for a person who may not read.
	Who(r *http.Request) (Person, bool)
	// Login opens a session for an API token and sets its cookie. The error's text is shown.
	Login(w http.ResponseWriter, r *http.Request, token string) error
	// Logout ends the request's session, if it has one.
	Logout(w http.ResponseWriter, r *http.Request)
}

// Person is who makes a request, and what they may do.
type Person struct {
	// Name is the actor in the audit.
	Name string
	// Operate allows the levers, Signal signalling runs, and Start starting them.
	Operate, Signal, Start bool
	// Sagas are the sagas that the person may see and steer; empty means all.
	Sagas []string
	// Open means that no login is needed, so that there is no logout either.
	Open bool
}

// sees reports whether the person may see runs of the saga.
func (p Person) sees(saga string) bool {
	return len(p.Sagas) == 0 || slices.Contains(p.Sagas, saga)
}

// seesAny reports whether the person may see runs of one of the sagas.
func (p Person) seesAny(sagas []string) bool { return slices.ContainsFunc(sagas, p.sees) }

// narrow removes the sagas that the person may not see. It reports whether any saga is left to see.
func (p Person) narrow(sagas *[]string) bool {
	if len(p.Sagas) == 0 {
		return true
	}
	if len(*sagas) == 0 {
		*sagas = p.Sagas
		return true
	}
	*sagas = slices.DeleteFunc(slices.Clone(*sagas), func(s string) bool { return !p.sees(s) })
	return len(*sagas) > 0
}

// key stands for the person: people of one name that see different sagas are not one.
func (p Person) key() string { return p.Name + "\x00" + strings.Join(p.Sagas, ",") }

// open is the [Sessions] of a page that requires no token.
type open struct{}

func (open) Who(*http.Request) (Person, bool) {
	return Person{Name: "local", Operate: true, Signal: true, Start: true, Open: true}, true
}
func (open) Login(http.ResponseWriter, *http.Request, string) error { return nil }
func (open) Logout(http.ResponseWriter, *http.Request)              {}
