package saga_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// supplier is somebody else's system behind a bad network, as they should be: it keeps effects by
// their do's key, and takes a repeat of a do or an undo, under its own key, for what it is. A
// network may bring a request after its caller gave it up, so an undo that comes before its do has
// the do refused, and so does a question that found nothing, for the requests that were made before
// it: each brings a number that its caller counts up.
type supplier struct {
	mu      sync.Mutex
	there   map[string]int  // effects that exist, and how often each was made
	undone  map[string]bool // do keys that were taken back
	undos   map[string]bool // undos that were taken, by their own key
	asked   map[string]int  // the number of the last question that found nothing
	mails   map[string]int  // messages that were taken, by their id
	claimed map[int]string  // requests that did something, by number
	late    int             // requests that came too late
}

func newSupplier() *supplier {
	return &supplier{there: map[string]int{}, undone: map[string]bool{}, undos: map[string]bool{}, asked: map[string]int{},
		mails: map[string]int{}, claimed: map[int]string{}}
}

// serveHTTP starts the supplier's HTTP server and returns its address.
func (s *supplier) serveHTTP(t *testing.T) string {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// ServeHTTP serves PUT, DELETE and GET of /effects. The effect's key is a header, Idempotency-Key
// the request's own.
func (s *supplier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, own := r.Header.Get("Effect"), r.Header.Get("Idempotency-Key")
	number, err := strconv.Atoi(r.Header.Get("Number"))
	if err != nil || key == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := http.StatusOK
	switch r.Method {
	case http.MethodPut:
		switch {
		case number%31 == 0:
			status = http.StatusTooManyRequests // and nothing is done
		case s.undone[key] || number < s.asked[key]:
			s.late++
			status = http.StatusGone
		case s.there[key] == 0:
			s.there[key]++
			s.claimed[number] = key
			if number%17 == 0 {
				status = http.StatusInternalServerError // and it is done
			}
		}
	case http.MethodDelete:
		if !s.undos[own] {
			s.undos[own], s.undone[key] = true, true
			delete(s.there, key)
		}
	case http.MethodGet:
		if s.there[key] == 0 {
			s.asked[key] = max(s.asked[key], number)
			status = http.StatusNotFound
		}
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, strings.Repeat("an answer of some length. ", 1+number%40))
}

// serveSMTP starts the supplier's mail server (RFC 5321) and returns its address.
func (s *supplier) serveSMTP(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			require.NoError(t, err)
			mu.Lock()
			open[c] = true
			mu.Unlock()
			conns.Go(func() {
				defer c.Close()
				s.converse(c)
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range maps.Clone(open) {
			_ = c.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
	return l.Addr().String()
}

// converse talks to one client. A message is taken when its final dot has come, whatever becomes of
// the answer.
func (s *supplier) converse(c net.Conn) {
	conn := textproto.NewReader(bufio.NewReader(c))
	say := func(text string) { _, _ = fmt.Fprintf(c, "%s\r\n", text) }
	say("220 mail.example.org at your service")
	for {
		line, err := conn.ReadLine()
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "DATA":
			say("354 end with a dot")
			body, err := readData(conn)
			if err != nil {
				return
			}
			s.take(body)
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		case "EHLO", "HELO", "MAIL", "RCPT", "RSET", "NOOP":
			say("250 ok")
		default:
			say("500 what?")
		}
	}
}

// readData reads lines up to the dot. What ends before it is no message (RFC 5321, 4.1.1.4).
func readData(r *textproto.Reader) (string, error) {
	var all strings.Builder
	for {
		line, err := r.ReadLine()
		if err != nil || line == "." {
			return all.String(), err
		}
		fmt.Fprintln(&all, line)
	}
}

// take takes a message, known by its id: whoever reads mail sees a repeat once.
func (s *supplier) take(message string) {
	_, id, _ := strings.Cut(message, "Message-ID: <")
	id, _, _ = strings.Cut(id, "@")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails[id]++
}
