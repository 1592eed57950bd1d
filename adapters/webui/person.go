package webui

import (
	"net/http"
	"slices"
)

// Sessions tells who makes a request. Methods are called concurrently.
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
	// Operate allows the levers; Signal allows to signal runs.
	Operate, Signal bool
	// Sagas are those that the person may see and steer; empty means all.
	Sagas []string
	// Open means that nobody has to log in here: there is nothing to log out of.
	Open bool
}

// sees reports whether the person may see runs of the saga.
func (p Person) sees(saga string) bool {
	return len(p.Sagas) == 0 || slices.Contains(p.Sagas, saga)
}

// seesAny reports whether the person may see runs of one of the sagas.
func (p Person) seesAny(sagas []string) bool { return slices.ContainsFunc(sagas, p.sees) }

// narrow keeps a person bound to some sagas from seeing others. It reports whether anything is left
// to be seen.
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

// open is the [Sessions] of a page that asks nobody for a token.
type open struct{}

func (open) Who(*http.Request) (Person, bool) {
	return Person{Name: "local", Operate: true, Signal: true, Open: true}, true
}
func (open) Login(http.ResponseWriter, *http.Request, string) error { return nil }
func (open) Logout(http.ResponseWriter, *http.Request)              {}
