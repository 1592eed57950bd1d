package signup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net"
	"net/smtp"
	"strings"
	"time"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/verdict"
)

// SMTPMailer sends mail through a mail server without authentication, such as one on the same
// machine.
type SMTPMailer struct {
	// Addr is the server's host and port.
	Addr string
	// From is the sender's address.
	From string
	// Dial opens a connection; nil means a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// messageID derives the Message-ID (RFC 5322) from the attempt's key: a mail that is sent again
// after a crash carries the same one, and mail systems deliver it once.
func messageID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "<" + hex.EncodeToString(sum[:16]) + "@signup.example>"
}

// Send implements [Mailer].
func (s *SMTPMailer) Send(ctx context.Context, m Mail) error {
	if strings.ContainsAny(m.To+m.ID+m.InReplyTo, "\r\n") {
		return saga.Permanent(fmt.Errorf("mail to %q: a line break in an address", m.To))
	}
	dial := s.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("reach mail server: %w", verdict.SMTP(err))
	}
	// net/smtp has no contexts, so the connection is closed when ctx ends.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	host, _, _ := net.SplitHostPort(s.Addr)
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		_ = conn.Close()
		return fmt.Errorf("greet mail server: %w", verdict.SMTP(err))
	}
	defer func() { _ = client.Close() }()
	// The errors say whether the mail may have been sent all the same, which is possible once the
	// whole message is transmitted.
	if err := verdict.SendMail(client, s.From, []string{m.To}, m.message(s.From, time.Now())); err != nil {
		return fmt.Errorf("send mail to %s: %w", m.To, err)
	}
	_ = client.Quit() // the mail is sent: a failed QUIT must not cause a retry
	return nil
}

// message writes the mail in the format of RFC 5322.
func (m Mail) message(from string, at time.Time) []byte {
	var b strings.Builder
	header := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	header("Message-ID", m.ID)
	header("In-Reply-To", m.InReplyTo)
	header("Date", at.Format(time.RFC1123Z))
	header("From", from)
	header("To", m.To)
	header("Subject", mime.QEncoding.Encode("utf-8", m.Subject))
	header("MIME-Version", "1.0")
	header("Content-Type", `text/plain; charset="utf-8"`)
	b.WriteString("\r\n" + strings.ReplaceAll(m.Body, "\n", "\r\n"))
	return []byte(b.String())
}
