package signup_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/atonehq/atone/cmd/signup/signup"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest"
)

// town has the systems of a sign-up in memory.
type town struct {
	accounts map[string]signup.User // by key
	mails    map[string]signup.Mail // by id
	contacts map[string]signup.Contact
	gone     map[string]bool // keys and contacts that were undone
}

func (w *town) Create(_ context.Context, key string, f signup.Form) (signup.User, error) {
	if w.gone[key] {
		return signup.User{}, signup.ErrUndone
	}
	for k, u := range w.accounts {
		if k == key {
			return u, nil
		}
		if u.Email == f.Email {
			return signup.User{}, signup.ErrEmailTaken
		}
	}
	u := signup.User{ID: key, Name: f.Name, Email: f.Email}
	w.accounts[key] = u
	return u, nil
}

func (w *town) Delete(_ context.Context, key string) error {
	w.gone[key] = true
	delete(w.accounts, key)
	return nil
}

func (w *town) Send(_ context.Context, m signup.Mail) error { w.mails[m.ID] = m; return nil }

type crm struct{ *town }

func (c crm) Put(_ context.Context, _ string, contact signup.Contact) error {
	if c.gone[contact.ID] {
		return signup.ErrRejected
	}
	c.contacts[contact.ID] = contact
	return nil
}

func (c crm) Delete(_ context.Context, _, id string) error {
	c.gone[id] = true
	delete(c.contacts, id)
	return nil
}

func newTown(*sagatest.Edges) (*town, *saga.Saga[signup.Form, signup.Receipt]) {
	w := &town{accounts: map[string]signup.User{}, mails: map[string]signup.Mail{}, contacts: map[string]signup.Contact{}, gone: map[string]bool{}}
	return w, signup.New(w, w, crm{w}).Signup
}

// Fingerprint lets Explore see whether a second delivery under one key changes anything.
func (w *town) Fingerprint() string { return fmt.Sprint(w.accounts, w.mails, w.contacts, w.gone) }

func TestASignUpIsAllOrNothing(t *testing.T) {
	t.Parallel()
	mail := signup.New(nil, nil, nil).SendWelcome
	sagatest.Explore(t, newTown, signup.Form{Name: "Ada", Email: "ada@example.org"},
		sagatest.WithoutIn(mail, sagatest.Stray), // no mail server takes back what is on its way
		sagatest.Completed("there is an account, a mail and a contact", func(w *town) error {
			if len(w.accounts) != 1 || len(w.mails) != 1 || len(w.contacts) != 1 {
				return fmt.Errorf("accounts, mails, contacts: %d, %d, %d", len(w.accounts), len(w.mails), len(w.contacts))
			}
			return nil
		}),
		sagatest.Undone("no account and no contact is left", func(w *town) error {
			if len(w.accounts) != 0 || len(w.contacts) != 0 {
				return fmt.Errorf("accounts, contacts: %d, %d", len(w.accounts), len(w.contacts))
			}
			return nil
		}))
}
