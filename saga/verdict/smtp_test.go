package verdict_test

import (
	"bufio"
	"errors"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/verdict"
)

// mailServer answers each command as script says, by its first word, "." being the end of the data;
// an empty answer cuts the connection. A command that is not in it is answered 250.
func mailServer(t *testing.T, script map[string]string) *smtp.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in := textproto.NewReader(bufio.NewReader(c))
		_, _ = c.Write([]byte("220 mail\r\n"))
		data := false
		for {
			line, err := in.ReadLine()
			if err != nil {
				return
			}
			if data && line != "." {
				continue
			}
			data = false
			word := strings.ToUpper(strings.SplitN(line, " ", 2)[0])
			answer, ok := script[word]
			switch {
			case ok && answer == "":
				return
			case !ok && word == "DATA":
				answer, data = "354 go on", true
			case !ok:
				answer = "250 ok"
			}
			_, _ = c.Write([]byte(answer + "\r\n"))
		}
	}()
	client, err := smtp.Dial(l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close(); _ = l.Close(); <-ended })
	return client
}

func TestMailIsInDoubtFromTheEndOfItsDataOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script map[string]string
		want   string
	}{
		"taken":                  {nil, none},
		"sender refused":         {map[string]string{"MAIL": "550 no"}, refused},
		"sender refused for now": {map[string]string{"MAIL": "451 later"}, nothingDone},
		"cut at MAIL":            {map[string]string{"MAIL": ""}, nothingDone},
		"recipient unknown":      {map[string]string{"RCPT": "550 no such user"}, refused},
		"greylisted":             {map[string]string{"RCPT": "450 later"}, nothingDone},
		"cut at DATA":            {map[string]string{"DATA": ""}, nothingDone},
		"data refused":           {map[string]string{"DATA": "554 no"}, refused},
		"cut after the data":     {map[string]string{".": ""}, inDoubt},
		"late trouble":           {map[string]string{".": "451 try again"}, inDoubt},
		"late refusal":           {map[string]string{".": "554 no"}, inDoubt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := verdict.SendMail(mailServer(t, c.script), "shop@example.org", []string{"ada@example.org"}, []byte("Subject: x\n\nhello\n"))
			require.Equal(t, c.want == none, err == nil)
			require.Equal(t, c.want, verdictOf(err))
		})
	}
}

func TestMailToNobodyIsRefused(t *testing.T) {
	t.Parallel()
	require.Equal(t, refused, verdictOf(verdict.SendMail(nil, "shop@example.org", nil, nil)))
}

func TestNothingIsMailedBeforeTheData(t *testing.T) {
	t.Parallel()
	require.NoError(t, verdict.SMTP(nil))
	require.Equal(t, nothingDone, verdictOf(verdict.SMTP(errors.New("no route to host"))))
	require.Equal(t, nothingDone, verdictOf(verdict.SMTP(&textproto.Error{Code: 421})))
	require.Equal(t, refused, verdictOf(verdict.SMTP(&textproto.Error{Code: 535, Msg: "who are you"})))
}
