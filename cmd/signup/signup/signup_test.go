package signup_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/mail"
	"path/filepath"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/cmd/signup/signup"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

func openUsers(t *testing.T) *signup.SQLiteUsers {
	t.Helper()
	users := new(signup.SQLiteUsers)
	require.NoError(t, users.Open(t.Context(), filepath.Join(t.TempDir(), "users of 100% #1?.db")))
	t.Cleanup(func() { require.NoError(t, users.Close()) })
	return users
}

func TestAccountIsMadeOnceForAKey(t *testing.T) {
	t.Parallel()
	users, ctx := openUsers(t), t.Context()
	ada := signup.Form{Name: "Ada", Email: "ada@example.org"}
	first, err := users.Create(ctx, "key 1", ada)
	require.NoError(t, err)
	again, err := users.Create(ctx, "key 1", ada)
	require.NoError(t, err)
	require.Equal(t, first, again)
	_, err = users.Create(ctx, "key 2", ada)
	require.ErrorIs(t, err, signup.ErrEmailTaken)
	require.NoError(t, users.Delete(ctx, "key 2"), "there is nothing to take back")
	all, err := users.All(ctx)
	require.NoError(t, err)
	require.Equal(t, []signup.User{first}, all)
	require.NoError(t, users.Delete(ctx, "key 1"))
	require.NoError(t, users.Delete(ctx, "key 1"))
	all, err = users.All(ctx)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestUnopenedTableCanBeClosed(t *testing.T) {
	t.Parallel()
	require.NoError(t, new(signup.SQLiteUsers).Close())
}

func TestCRMAnswersAreToldApart(t *testing.T) {
	t.Parallel()
	var got *http.Request
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "because\n")
	}))
	defer server.Close()
	crm := &signup.HTTPCRM{URL: server.URL}
	put := func(code int) error {
		status = code
		return crm.Put(t.Context(), "key", signup.Contact{ID: "a/b"})
	}
	require.NoError(t, put(http.StatusOK))
	require.Equal(t, "/contacts/a%2Fb", got.URL.EscapedPath())
	require.Equal(t, "key", got.Header.Get("Idempotency-Key"))
	require.ErrorIs(t, put(http.StatusUnprocessableEntity), signup.ErrRejected)
	require.ErrorContains(t, put(http.StatusServiceUnavailable), "503 Service Unavailable: because")
	effect, _ := saga.EffectOf(put(http.StatusServiceUnavailable))
	require.Equal(t, domain.EffectInDoubt, effect)
	require.NotErrorIs(t, put(http.StatusServiceUnavailable), signup.ErrRejected)
	status = http.StatusNotFound
	require.NoError(t, crm.Delete(t.Context(), "key", "gone"), "what is not there is deleted")
	require.Error(t, put(http.StatusNotFound))
	server.Close()
	err := put(http.StatusOK)
	require.ErrorContains(t, err, "crm: no answer")
	effect, _ = saga.EffectOf(err)
	require.Equal(t, domain.EffectNotDone, effect, "nobody listens")
}

// sentTwice is a transport that says that it sent each request twice.
type sentTwice struct{}

func (sentTwice) RoundTrip(req *http.Request) (*http.Response, error) {
	for range 2 {
		httptrace.ContextClientTrace(req.Context()).GotConn(httptrace.GotConnInfo{})
	}
	return &http.Response{StatusCode: http.StatusUnprocessableEntity, Body: http.NoBody, Request: req}, nil
}

func TestACRMThatRefusesACopyMayHaveTheContact(t *testing.T) {
	t.Parallel()
	crm := &signup.HTTPCRM{URL: "http://crm.invalid", Client: &http.Client{Transport: sentTwice{}}}
	err := crm.Put(t.Context(), "key", signup.Contact{ID: "7"})
	require.NotErrorIs(t, err, signup.ErrRejected)
	effect, _ := saga.EffectOf(err)
	require.Equal(t, domain.EffectInDoubt, effect)
}

func TestMailArrivesWithItsID(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	arrived := make(chan *mail.Message, 1)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return postbox(arrived), nil }))
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })

	mailer := &signup.SMTPMailer{Addr: l.Addr().String(), From: "hello@example.org"}
	m := signup.Mail{ID: "<1@x>", InReplyTo: "<0@x>", To: "ada@example.org", Subject: "Grüße", Body: "Hello.\n"}
	require.NoError(t, mailer.Send(t.Context(), m))
	msg := <-arrived
	require.Equal(t, "<1@x>", msg.Header.Get("Message-ID"))
	require.Equal(t, "<0@x>", msg.Header.Get("In-Reply-To"))
	require.Equal(t, "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", msg.Header.Get("Subject"))

	m.To = "ada@example.org\r\nBcc: all@example.org"
	require.ErrorContains(t, mailer.Send(t.Context(), m), "line break")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m.To = "ada@example.org"
	require.ErrorIs(t, mailer.Send(ended, m), context.Canceled)
}

// postbox is an SMTP session that hands on what arrives.
type postbox chan<- *mail.Message

func (p postbox) Mail(string, *smtp.MailOptions) error { return nil }
func (p postbox) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (p postbox) Reset()                               {}
func (p postbox) Logout() error                        { return nil }
func (p postbox) Data(r io.Reader) error {
	msg, err := mail.ReadMessage(r)
	if err == nil {
		_, err = io.Copy(io.Discard, msg.Body)
		p <- msg
	}
	return err
}

// office stands for the mail server and the CRM: it keeps what it is told and fails as it is told.
type office struct {
	mu       sync.Mutex
	mails    map[string]signup.Mail // by id
	contacts map[string]string      // key of the put, by id
	put      func(calls int) error
	puts     int
}

func (o *office) Send(_ context.Context, m signup.Mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mails[m.ID] = m
	return nil
}

func (o *office) Put(_ context.Context, key string, c signup.Contact) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.puts++
	if err := o.put(o.puts); err != nil {
		return err
	}
	o.contacts[c.ID] = key
	return nil
}

func (o *office) Delete(_ context.Context, _, id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.contacts, id)
	return nil
}

// signUp runs one sign-up over a real users table and an office.
func signUp(t *testing.T, put func(calls int) error) (*office, *signup.SQLiteUsers, explain.Run, error) {
	t.Helper()
	return signUpWith(t, nil, put)
}

// signUpWith does that with a CRM of its own, nil meaning the office.
func signUpWith(t *testing.T, crm signup.CRM, put func(calls int) error) (*office, *signup.SQLiteUsers, explain.Run, error) {
	t.Helper()
	o := &office{mails: map[string]signup.Mail{}, contacts: map[string]string{}, put: put}
	users := openUsers(t)
	if crm == nil {
		crm = o
	}
	_, view, err := runSignUp(t, signup.New(users, o, crm))
	return o, users, view, err
}

func runSignUp(t *testing.T, service *signup.Service) (*saga.Run[signup.Receipt], explain.Run, error) {
	t.Helper()
	c, err := saga.New(saga.Config{Log: memlog.New(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.Register(service.Signup))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	run, err := saga.Start(ctx, c, service.Signup, signup.Form{Name: "Ada", Email: "ada@example.org"})
	require.NoError(t, err)
	_, result := run.Wait(ctx)
	view, err := c.Describe(ctx, run.ID)
	require.NoError(t, err)
	stop()
	require.NoError(t, <-ended)
	return run, view, result
}

func TestSignupDoesAllThree(t *testing.T) {
	t.Parallel()
	o, users, view, err := signUp(t, func(calls int) error {
		if calls == 1 {
			return errors.New("not now")
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, view.Steps[2].Attempts)
	all, err := users.All(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Len(t, o.mails, 1)
	require.Equal(t, map[string]string{all[0].ID: domain.IdempotencyKey(view.ID, "update-crm", domain.Do)}, o.contacts)
	var receipt signup.Receipt
	require.NoError(t, json.Unmarshal(view.Output, &receipt))
	require.Equal(t, all[0].ID, receipt.UserID)
	require.Contains(t, o.mails, receipt.Welcome)
}

func TestRejectedSignupLeavesNothing(t *testing.T) {
	t.Parallel()
	o, users, view, err := signUp(t, func(int) error { return signup.ErrRejected })
	var undone *saga.CompensatedError
	require.ErrorAs(t, err, &undone)
	require.Equal(t, 1, view.Steps[2].Attempts, "what is rejected for good is not tried again")
	all, err := users.All(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
	require.Empty(t, o.contacts)
	require.Len(t, o.mails, 2)
	for _, m := range o.mails {
		if m.InReplyTo != "" {
			require.Contains(t, o.mails, m.InReplyTo, "the mail to ignore names the welcome")
		}
	}
}

// TestContactStoredBehindALostAnswerIsDeleted: the CRM stores the PUT and cuts the connection,
// every time.
func TestContactStoredBehindALostAnswerIsDeleted(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	contacts := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodDelete {
			delete(contacts, r.URL.Path)
			return
		}
		contacts[r.URL.Path] = r.Header.Get("Idempotency-Key")
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	defer server.Close()
	crm := &signup.HTTPCRM{URL: server.URL}
	_, users, view, err := signUpWith(t, crm, func(int) error { return nil })
	require.ErrorAs(t, err, new(*saga.CompensatedError))
	require.Equal(t, 4, view.Steps[2].Attempts)
	require.True(t, view.Steps[2].InDoubt)
	all, err := users.All(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
	mu.Lock()
	defer mu.Unlock()
	require.Empty(t, contacts, "it was stored, though every answer was lost")
}

// TestTakenAddressIsNotTakenBack: another sign-up's account is not this one's to delete, though the
// error that says that the address is taken says nothing else.
func TestTakenAddressIsNotTakenBack(t *testing.T) {
	t.Parallel()
	o := &office{mails: map[string]signup.Mail{}, contacts: map[string]string{}, put: func(int) error { return nil }}
	users := openUsers(t)
	first, err := users.Create(t.Context(), "another key", signup.Form{Name: "Ada", Email: "ada@example.org"})
	require.NoError(t, err)
	_, _, err = runSignUp(t, signup.New(silentUsers{users}, o, o))
	require.ErrorAs(t, err, new(*saga.CompensatedError))
	all, err := users.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, []signup.User{first}, all)
}

// silentUsers fails with errors that say nothing, as a hurried author's do.
type silentUsers struct{ *signup.SQLiteUsers }

func (s silentUsers) Create(ctx context.Context, key string, f signup.Form) (signup.User, error) {
	u, err := s.SQLiteUsers.Create(ctx, key, f)
	if err != nil {
		err = errors.New(err.Error())
	}
	return u, err
}

func TestContactStoredInDoubtIsDeleted(t *testing.T) {
	t.Parallel()
	o, _, view, err := signUp(t, func(int) error { return saga.InDoubt(saga.Permanent(context.DeadlineExceeded)) })
	var undone *saga.CompensatedError
	require.ErrorAs(t, err, &undone)
	require.Equal(t, 1, view.Steps[2].Undos, "nobody knows that it was not stored")
	require.Empty(t, o.contacts)
}
