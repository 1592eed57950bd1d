package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/signup/signup"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

var quiet = slog.New(slog.DiscardHandler)

// systems has the addresses of the real systems.
type systems struct {
	users, mail, crm string
}

func (s *show) systems() systems {
	return systems{users: usersFile(s.Data), mail: mailDir(s.Data), crm: s.crm.URL}
}

// world is the content of the systems at the end.
type world struct {
	users    []signup.User
	letters  []letter
	contacts []signup.Contact
}

// survey reads the systems.
func survey(ctx context.Context, s systems) (w world, err error) {
	users := new(signup.SQLiteUsers)
	if err := users.Open(ctx, s.users); err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, users.Close()) }()
	if w.users, err = users.All(ctx); err != nil {
		return w, err
	}
	if w.letters, err = letters(s.mail); err != nil {
		return w, err
	}
	w.contacts, err = contactsOf(ctx, s.crm)
	return w, err
}

// outcome is the end of one sign-up according to the log.
type outcome struct {
	person person
	run    domain.RunID
	view   explain.Run
	// found is false where the log has no run for the sign-up.
	found bool
	// tampered says what is wrong with the run's hash chain, or is nil.
	tampered error
}

// outcomes folds every run from the log, and counts all runs in the log.
func outcomes(ctx context.Context, log *pebblelog.Log, all []person) (_ []outcome, runs int, _ error) {
	for r, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return nil, 0, err
		}
		if r.Revision == 0 {
			runs++
		}
	}
	ends := make([]outcome, 0, len(all))
	for _, p := range all {
		o := outcome{person: p, run: domain.RunIDForKey("signup", p.Key)}
		state, err := saga.FoldAt(ctx, log, o.run, saga.Latest)
		switch {
		case errors.Is(err, saga.ErrNotFound):
		case err != nil:
			return nil, 0, err
		default:
			o.view, o.found = explain.Describe(state), true
		}
		if o.tampered, err = verifyChain(ctx, log, o.run); err != nil {
			return nil, 0, err
		}
		ends = append(ends, o)
	}
	return ends, runs, nil
}

// verifyChain follows the run's hash chain.
func verifyChain(ctx context.Context, log *pebblelog.Log, run domain.RunID) (broken, err error) {
	var prev domain.ChainHash
	for r, err := range log.ReadStream(ctx, domain.RunStream(run), 0) {
		if err != nil {
			return nil, err
		}
		if prev, broken = domain.Verify(&r, prev); broken != nil {
			return broken, nil
		}
	}
	return nil, nil
}

// holdings counts what the systems have about one person.
type holdings struct{ users, welcomes, ignores, contacts int }

// violations compares the ends of the runs with the systems. A completed run has one row, one mail
// and one contact. A compensated run has no row and no contact, and for each welcome mail one mail
// that takes it back. Nobody else has anything.
func violations(ends []outcome, runs int, w world) []string {
	var found []string
	bad := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	held := make(map[string]*holdings)
	of := func(email string) *holdings {
		if held[email] == nil {
			held[email] = new(holdings)
		}
		return held[email]
	}
	for _, u := range w.users {
		of(u.Email).users++
	}
	for _, c := range w.contacts {
		of(c.Email).contacts++
	}
	welcomed := make(map[string]bool)
	for _, l := range w.letters {
		if l.InReplyTo == "" {
			of(l.To).welcomes++
			welcomed[l.ID] = true
		} else {
			of(l.To).ignores++
		}
	}
	for _, l := range w.letters {
		if l.InReplyTo != "" && !welcomed[l.InReplyTo] {
			bad("%s was asked to ignore a mail that was never sent", l.To)
		}
	}
	if runs != len(ends) {
		bad("the log has %d runs for %d sign-ups", runs, len(ends))
	}
	for _, o := range ends {
		for _, v := range o.violations(*of(o.person.Form.Email)) {
			bad("%s (%s): %s", o.person.Key, o.person.Form.Email, v)
		}
		delete(held, o.person.Form.Email)
	}
	for email, h := range held {
		bad("%s never signed up, but there is %+v", email, *h)
	}
	return found
}

func (o *outcome) violations(h holdings) (found []string) {
	bad := func(cond bool, format string, args ...any) {
		if cond {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	bad(o.tampered != nil, "its hash chain is broken: %v", o.tampered)
	if !o.found {
		return append(found, "the log has no run for it")
	}
	switch o.view.State {
	case domain.RunIsCompleted:
		bad(h.users != 1, "completed, but with %d rows in the users table", h.users)
		bad(h.welcomes != 1, "completed, but with %d welcome mails", h.welcomes)
		bad(h.ignores != 0, "completed, but with %d mails to ignore the welcome", h.ignores)
		bad(h.contacts != 1, "completed, but with %d contacts in the CRM", h.contacts)
	case domain.RunIsCompensated:
		bad(h.users != 0, "compensated, but with %d rows in the users table", h.users)
		bad(h.ignores != h.welcomes, "compensated, but with %d welcome mails and %d to ignore them", h.welcomes, h.ignores)
		bad(h.contacts != 0, "compensated, but with %d contacts in the CRM", h.contacts)
	default:
		bad(true, "it is %s: it has not ended", o.view.State)
	}
	return found
}
