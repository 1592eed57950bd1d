package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"
	_ "modernc.org/sqlite"

	"github.com/atonehq/atone/saga"
)

// What the guide's program leaves to its reader: the systems that the shop calls. Each keeps what a
// key did, so that a repeat has its effect once, and prints what it does.

var (
	warehouse = &office{name: "warehouse"}
	courier   = &office{name: "courier"}
	bank      = &office{name: "bank"}
)

// office does work under a key, once, and takes it back.
type office struct {
	name string
	mu   sync.Mutex
	done map[string]string
	// loseAnswers is of how many calls the answer is lost after the work was done.
	loseAnswers int
}

var errNoAnswer = errors.New("the connection broke")

func (o *office) do(key, what string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done == nil {
		o.done = map[string]string{}
	}
	if o.done[key] == "" {
		fmt.Printf("%s: %s\n", o.name, what)
	}
	o.done[key] = what
	if o.loseAnswers > 0 {
		o.loseAnswers--
		return errNoAnswer
	}
	return nil
}

func (o *office) undo(key string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if what := o.done[key]; what != "" {
		fmt.Printf("%s: undo %s\n", o.name, what)
	}
	delete(o.done, key)
	return nil
}

// find tells what was done under a key.
func (o *office) find(key string) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	what, ok := o.done[key]
	return what, ok
}

func (o *office) Reserve(key string, items []string) error {
	return o.do(key, "reserve "+strings.Join(items, ", "))
}

func (o *office) Charge(key, card string, amount int) (Receipt, error) {
	if card == "expired" {
		return Receipt{}, saga.Permanent(errors.New("the card has expired"))
	}
	return Receipt{Charge: card + "-1"}, o.do(key, fmt.Sprintf("charge %d to %s", amount, card))
}

func (o *office) Book(key, what string) error    { return o.do(key, "book "+what) }
func (o *office) Release(key string) error       { return o.undo(key) }
func (o *office) Refund(key string) error        { return o.undo(key) }
func (o *office) Cancel(key string) error        { return o.undo(key) }
func (o *office) Find(key string) (string, bool) { return o.find(key) }

// paymentsURL is an HTTP API of payments. It declines the card "declined".
var paymentsURL = func() string {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "declined") {
			http.Error(w, "card declined", http.StatusPaymentRequired)
			return
		}
		fmt.Printf("payments: %s %s, keyed %t\n", r.Method, r.URL.Path, r.Header.Get("Idempotency-Key") != "")
		_, _ = io.WriteString(w, `{"charge": "ch-7"}`)
	})).URL
}()

// db is the shop's database.
var db = func() *sql.DB {
	dir, err := os.MkdirTemp("", "guide")
	if err != nil {
		panic(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "shop.db"))
	if err == nil {
		_, err = db.Exec(`CREATE TABLE invoices (key TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE)`)
	}
	if err != nil {
		panic(err)
	}
	return db
}()

// mailAddr is a mail server that knows nobody at nowhere.example.
var mailAddr = func() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return mailbox{}, nil }))
	go func() { _ = server.Serve(l) }() // ends with the process
	return l.Addr().String()
}()

type mailbox struct{}

func (mailbox) Mail(string, *smtp.MailOptions) error { return nil }
func (mailbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasSuffix(to, "@nowhere.example") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	return nil
}
func (mailbox) Reset()        {}
func (mailbox) Logout() error { return nil }
func (mailbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	lines := strings.Split(string(text), "\r\n")
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Subject: ") }); i >= 0 {
		fmt.Println("mail:", lines[i])
	}
	return err
}
