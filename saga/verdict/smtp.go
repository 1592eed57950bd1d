package verdict

import (
	"errors"
	"net/smtp"
	"net/textproto"

	"github.com/atonehq/atone/saga"
)

// SMTP classifies an error from before a message's data: dialling, the greeting, STARTTLS, AUTH,
// MAIL, RCPT. The server has no message yet, so nothing was done; a 5yz answer is a refusal.
func SMTP(err error) error {
	if err == nil || says(err) {
		return err
	}
	var answer *textproto.Error
	if errors.As(err, &answer) && answer.Code >= 500 && answer.Code < 600 {
		return saga.Permanent(err)
	}
	return saga.NothingDone(err)
}

// SendMail sends one message (headers, an empty line, body; lines may end in \n) over a connection
// that is ready for it: greeted, and STARTTLS and AUTH done. It leaves the connection open.
//
// Up to the end of the data the errors are those of [SMTP]. After that all errors are in doubt,
// even answers: a server may have sent the message to some recipients, or to the next server, and
// still answer with an error. Derive the message's Message-ID from the attempt's key, so that a
// repeat is recognised.
func SendMail(c *smtp.Client, from string, to []string, message []byte) error {
	if len(to) == 0 {
		return saga.Permanent(errors.New("the message has no recipient"))
	}
	if err := c.Mail(from); err != nil {
		return SMTP(err)
	}
	for _, r := range to {
		if err := c.Rcpt(r); err != nil {
			return SMTP(err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return SMTP(err)
	}
	if _, err := w.Write(message); err != nil {
		// Without the final dot the server must not accept the message (RFC 5321, 4.1.1.4).
		return saga.NothingDone(err)
	}
	if err := w.Close(); err != nil {
		return saga.InDoubt(err)
	}
	return nil
}
