package signup

import (
	"context"
	"errors"
	"time"

	"github.com/atonehq/atone/saga"
)

// Form is what a person fills in.
type Form struct {
	Name  string `json:"name" doc:"How the person is addressed." example:"Ada"`
	Email string `json:"email" atone:"search" format:"email" doc:"Where the welcome mail goes; each address can have one account." example:"ada@example.com"`
}

// User is a person with an account.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Sent identifies the message that was sent.
type Sent struct {
	MessageID string `json:"message_id"`
}

// Contact is what the CRM knows of a user.
type Contact struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Receipt is the output of a sign-up.
type Receipt struct {
	UserID  string `json:"user_id"`
	Welcome string `json:"welcome"`
}

// Errors of the systems that a retry can't mend.
var (
	ErrEmailTaken = errors.New("an account with this e-mail address exists already")
	ErrRejected   = errors.New("rejected for good")
	ErrUndone     = errors.New("this sign-up was undone before the request came")
)

// Users keeps the accounts.
type Users interface {
	// Create makes an account, once for each key: a repeat returns the account that it made
	// before. It fails with [ErrEmailTaken] if the address belongs to another key's account.
	Create(ctx context.Context, key string, f Form) (User, error)
	// Delete removes the account that the key made, if there is one. A Create under the key that
	// comes after it fails with [ErrUndone]: a request that timed out may still be on its way.
	Delete(ctx context.Context, key string) error
}

// Mailer sends mail. Receivers treat messages with the same id as one message.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
}

// Mail is a message to one person.
type Mail struct {
	ID, To, Subject, Body string
	// InReplyTo is the id of the message that this one is about, or empty.
	InReplyTo string
}

// CRM keeps contacts for the sales department. Another company runs it, and it is not always
// available.
type CRM interface {
	// Put stores the contact under its ID. It fails with [ErrRejected] if the CRM will never
	// accept the contact.
	Put(ctx context.Context, key string, c Contact) error
	// Delete removes the contact, if there is one. A Put of it that comes later is refused.
	Delete(ctx context.Context, key, id string) error
}

// Service has the actions and the saga over some systems.
type Service struct {
	CreateUser  *saga.Action[Form, User]
	SendWelcome *saga.Action[User, Sent]
	UpdateCRM   *saga.Action[Contact, saga.None]
	// Signup does all three actions, or undoes what it did.
	Signup *saga.Saga[Form, Receipt]
}

// New returns the service over the systems.
func New(users Users, mailer Mailer, crm CRM) *Service {
	s := &Service{
		CreateUser:  createUser(users),
		SendWelcome: sendWelcome(mailer),
		UpdateCRM:   updateCRM(crm),
	}
	s.Signup = saga.Define("signup", 1, func(f *saga.Flow, form saga.Ref[Form]) saga.Ref[Receipt] {
		user := saga.Do(f, s.CreateUser, form.In)
		mail := saga.Do(f, s.SendWelcome, user.In)
		saga.Do(f, s.UpdateCRM, func(v saga.Scope) Contact { return Contact(user.In(v)) })
		return saga.Return(f, func(v saga.Scope) Receipt {
			return Receipt{UserID: user.In(v).ID, Welcome: mail.In(v).MessageID}
		})
	}, saga.Description("Make an account, welcome its owner, tell the CRM; or none of it."))
	return s
}

func createUser(users Users) *saga.Action[Form, User] {
	return &saga.Action[Form, User]{
		Name:        "create-user",
		Description: "insert the account into the users table",
		Timeout:     5 * time.Second,
		Do: func(ctx context.Context, f Form) (User, error) {
			u, err := users.Create(ctx, saga.AttemptOf(ctx).Key, f)
			if errors.Is(err, ErrEmailTaken) || errors.Is(err, ErrUndone) {
				return u, saga.Permanent(err) // refused before anything was done
			}
			return u, err // any other error: the row may exist
		},
		Undo: func(ctx context.Context, did saga.Did[Form, User]) error {
			return users.Delete(ctx, did.Key) // another key's account is another sign-up's
		},
	}
}

func sendWelcome(mailer Mailer) *saga.Action[User, Sent] {
	return &saga.Action[User, Sent]{
		Name:        "send-welcome-email",
		Description: "welcome the new user; undone by a mail that says to ignore it",
		Timeout:     5 * time.Second,
		Do: func(ctx context.Context, u User) (Sent, error) {
			id := messageID(saga.AttemptOf(ctx).Key)
			return Sent{MessageID: id}, mailer.Send(ctx, Mail{ID: id, To: u.Email,
				Subject: "Welcome, " + u.Name, Body: "Your account is ready.\n"})
		},
		Undo: func(ctx context.Context, did saga.Did[User, Sent]) error {
			return mailer.Send(ctx, Mail{ID: messageID(saga.AttemptOf(ctx).Key), InReplyTo: messageID(did.Key), To: did.Input.Email,
				Subject: "Please ignore our welcome", Body: "Your account could not be made after all. Please ignore our last mail.\n"})
		},
	}
}

func updateCRM(crm CRM) *saga.Action[Contact, saga.None] {
	return &saga.Action[Contact, saga.None]{
		Name:        "update-crm",
		Description: "tell the CRM of the new contact",
		Timeout:     600 * time.Millisecond,
		Retry:       saga.Retry{MaxAttempts: 4, Initial: 150 * time.Millisecond, Max: 2 * time.Second},
		UndoRetry:   saga.Retry{MaxAttempts: 20, Initial: 100 * time.Millisecond, Max: 5 * time.Second},
		Do: func(ctx context.Context, c Contact) (saga.None, error) {
			err := crm.Put(ctx, saga.AttemptOf(ctx).Key, c)
			if errors.Is(err, ErrRejected) {
				return saga.None{}, saga.Permanent(err)
			}
			return saga.None{}, err
		},
		Undo: func(ctx context.Context, did saga.Did[Contact, saga.None]) error {
			return crm.Delete(ctx, saga.AttemptOf(ctx).Key, did.Input.ID)
		},
	}
}
