package signup

import (
	"context"
	"fmt"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
)

// Exploration plays sign-ups in a town in memory through every way in which it can answer.
func Exploration() *explore.Exploration {
	mail := New(nil, nil, nil).SendWelcome
	return explore.Of(newTown, Form{Name: "Ada", Email: "ada@example.org"},
		explore.WithoutIn(mail, explore.Stray), // no mail server takes back what is on its way
		explore.Completed("there is an account, a mail and a contact", func(w *town) error {
			if len(w.accounts) != 1 || len(w.mails) != 1 || len(w.contacts) != 1 {
				return fmt.Errorf("accounts, mails, contacts: %d, %d, %d", len(w.accounts), len(w.mails), len(w.contacts))
			}
			return nil
		}),
		explore.Undone("no account and no contact is left", func(w *town) error {
			if len(w.accounts) != 0 || len(w.contacts) != 0 {
				return fmt.Errorf("accounts, contacts: %d, %d", len(w.accounts), len(w.contacts))
			}
			return nil
		}))
}

// town has the systems of a sign-up in memory.
type town struct {
	accounts map[string]User // by key
	mails    map[string]Mail // by id
	contacts map[string]Contact
	gone     map[string]bool // keys and contacts that were undone
}

func (w *town) Create(_ context.Context, key string, f Form) (User, error) {
	if w.gone[key] {
		return User{}, ErrUndone
	}
	for k, u := range w.accounts {
		if k == key {
			return u, nil
		}
		if u.Email == f.Email {
			return User{}, ErrEmailTaken
		}
	}
	u := User{ID: key, Name: f.Name, Email: f.Email}
	w.accounts[key] = u
	return u, nil
}

func (w *town) Delete(_ context.Context, key string) error {
	w.gone[key] = true
	delete(w.accounts, key)
	return nil
}

func (w *town) Send(_ context.Context, m Mail) error { w.mails[m.ID] = m; return nil }

type crm struct{ *town }

func (c crm) Put(_ context.Context, _ string, contact Contact) error {
	if c.gone[contact.ID] {
		return ErrRejected
	}
	c.contacts[contact.ID] = contact
	return nil
}

func (c crm) Delete(_ context.Context, _, id string) error {
	c.gone[id] = true
	delete(c.contacts, id)
	return nil
}

func newTown(*explore.Edges) (*town, *saga.Saga[Form, Receipt]) {
	w := &town{accounts: map[string]User{}, mails: map[string]Mail{}, contacts: map[string]Contact{}, gone: map[string]bool{}}
	return w, New(w, w, crm{w}).Signup
}

// Fingerprint lets Explore see whether a second delivery under one key changes anything.
func (w *town) Fingerprint() string { return fmt.Sprint(w.accounts, w.mails, w.contacts, w.gone) }
