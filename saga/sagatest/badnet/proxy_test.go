package badnet_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/sagatest/badnet"
)

const request, answer = "a request", "an answer"

// server reads one request from each connection, tells what came of it, and answers.
func server(t *testing.T) (addr string, came chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	came = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buffer := make([]byte, len(request))
				n, _ := io.ReadFull(c, buffer)
				came <- string(buffer[:n])
				if n == len(request) {
					_, _ = io.WriteString(c, answer)
				}
			}()
		}
	}()
	return l.Addr().String(), came
}

// ask makes a request and returns the answer.
func ask(t *testing.T, addr string, patience time.Duration) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return "", err
	}
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	b, err := io.ReadAll(c)
	return string(b), err
}

// TestFaultsAreWhatTheySay has each fault come at the first byte, and looks from both ends.
func TestFaultsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	const short, long = 100 * time.Millisecond, time.Minute
	for fault, want := range map[badnet.Fault]struct {
		arrives bool
		answer  string
		err     error
		wait    time.Duration
	}{
		badnet.ResetAtOnce:    {err: syscall.ECONNRESET, wait: long},
		badnet.NeverAnswers:   {err: os.ErrDeadlineExceeded, wait: short},
		badnet.ResetRequest:   {err: syscall.ECONNRESET, wait: long},
		badnet.ResetAnswer:    {arrives: true, err: syscall.ECONNRESET, wait: long},
		badnet.CutAnswer:      {arrives: true, wait: long},
		badnet.HalfOpenAnswer: {arrives: true, err: os.ErrDeadlineExceeded, wait: short},
		badnet.HalfOpen:       {err: os.ErrDeadlineExceeded, wait: short},
		badnet.CloseRequests:  {wait: long},
		badnet.StallRequest:   {arrives: true, answer: answer, wait: long},
		badnet.StallAnswer:    {arrives: true, answer: answer, wait: long},
		badnet.Slow:           {arrives: true, answer: answer, wait: long},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			target, came := server(t)
			p, err := badnet.Start(badnet.Config{Target: target, Share: 1, Faults: []badnet.Fault{fault}, After: 1, Stall: time.Millisecond})
			require.NoError(t, err)
			t.Cleanup(p.Stop)
			got, err := ask(t, p.Addr(), want.wait)
			require.Equal(t, want.answer, got)
			if want.err == nil {
				require.NoError(t, err)
			} else if !errors.Is(err, syscall.EPIPE) { // it may be seen while it is written
				require.ErrorIs(t, err, want.err)
			}
			require.Equal(t, map[badnet.Fault]int{fault: 1}, p.Counts())
			p.Heal()
			got, err = ask(t, p.Addr(), long)
			require.NoError(t, err)
			require.Equal(t, answer, got)
			p.Stop()
			arrived := 0
			for len(came) > 0 {
				if <-came == request {
					arrived++
				}
			}
			require.Equal(t, map[bool]int{false: 1, true: 2}[want.arrives], arrived)
		})
	}
}

// TestAnswersMayTakeTheirTime wants each answer after the delay, and whole.
func TestAnswersMayTakeTheirTime(t *testing.T) {
	t.Parallel()
	target, _ := server(t)
	const delay, slack = 50 * time.Millisecond, time.Millisecond
	p, err := badnet.Start(badnet.Config{Target: target, Delay: delay})
	require.NoError(t, err)
	t.Cleanup(p.Stop)
	for range 5 {
		began := time.Now()
		got, err := ask(t, p.Addr(), time.Minute)
		require.NoError(t, err)
		require.Equal(t, answer, got)
		require.GreaterOrEqual(t, time.Since(began), delay-slack, "the answer came before its time")
	}
}
