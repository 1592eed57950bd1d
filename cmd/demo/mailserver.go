package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// mailServer is an SMTP server on loopback that delivers into a directory, one file a message. Like
// other mail systems it drops a message whose Message-ID it has already delivered.
type mailServer struct {
	Addr     string
	dir      string
	server   *smtp.Server
	listener net.Listener
	done     chan error
	// repeats counts messages that came again and were dropped.
	repeats atomic.Int64
}

func startMailServer(dir string) (*mailServer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	m := &mailServer{Addr: l.Addr().String(), dir: dir, listener: l, done: make(chan error, 1)}
	m.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{server: m}, nil }))
	m.server.Domain = "localhost"
	m.server.MaxMessageBytes = 1 << 20
	m.server.ReadTimeout, m.server.WriteTimeout = 10*time.Second, 10*time.Second
	m.server.ErrorLog = log.New(io.Discard, "", 0) // killed clients are part of the show
	go func() { m.done <- m.server.Serve(l) }()
	return m, nil
}

// Close stops the server.
func (m *mailServer) Close() error {
	err := m.server.Close()
	// If the server is closed before it serves, it does not know its listener and would serve for
	// ever.
	_ = m.listener.Close()
	if served := <-m.done; served != nil && !errors.Is(served, smtp.ErrServerClosed) && !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// letter is a delivered message.
type letter struct {
	File, ID, InReplyTo, To, Subject string
}

// letters reads everything that was delivered to the directory.
func letters(dir string) ([]letter, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	var all []letter
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("mailbox: %w", err)
		}
		msg, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("mailbox: %s: %w", name, err)
		}
		h := msg.Header
		all = append(all, letter{File: name, ID: h.Get("Message-ID"), InReplyTo: h.Get("In-Reply-To"), To: h.Get("To"), Subject: h.Get("Subject")})
	}
	return all, nil
}

// mailSession is one client's connection.
type mailSession struct {
	server *mailServer
	to     string
}

// Mail implements [smtp.Session].
func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt implements [smtp.Session].
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

// Data implements [smtp.Session]: it returns nil when the message is in the mailbox, once.
func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "not a message: " + err.Error()}
	}
	id := msg.Header.Get("Message-ID")
	if id == "" {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "the message has no Message-ID"}
	}
	// The server delivers first and acknowledges later, so a client that is killed in between must
	// send again.
	err = s.server.deliver(id, raw)
	time.Sleep(mailLatency)
	return err
}

// mailLatency is how long the server takes to acknowledge a message.
const mailLatency = 40 * time.Millisecond

// deliver writes the message under a name made from its id. A link either makes the name or fails,
// so of two racing deliveries of one message only one stays.
func (m *mailServer) deliver(id string, raw []byte) error {
	sum := sha256.Sum256([]byte(id))
	name := filepath.Join(m.dir, hex.EncodeToString(sum[:12])+".eml")
	temp, err := os.CreateTemp(m.dir, "incoming-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(raw)
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	err = os.Link(temp.Name(), name)
	if errors.Is(err, os.ErrExist) {
		m.repeats.Add(1)
		return nil
	}
	return err
}

// Reset implements [smtp.Session].
func (s *mailSession) Reset() { s.to = "" }

// Logout implements [smtp.Session].
func (s *mailSession) Logout() error { return nil }
