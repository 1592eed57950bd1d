package verdict

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

var errPlain = errors.New("plain")

// TestWhatAnErrorSays: of its attempt's effect, of a retry and of its delay. The outermost word
// counts.
func TestWhatAnErrorSays(t *testing.T) {
	t.Parallel()
	const unsaid, none, doubt = domain.EffectUnsaid, domain.EffectNotDone, domain.EffectInDoubt
	for name, test := range map[string]struct {
		err       error
		effect    domain.FailureEffect
		permanent bool
		after     time.Duration
	}{
		"a plain error":                   {err: errPlain, effect: unsaid},
		"a network error":                 {err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, effect: unsaid},
		"refused":                         {err: Permanent(errPlain), effect: none, permanent: true},
		"nothing done":                    {err: NothingDone(errPlain), effect: none},
		"in doubt":                        {err: InDoubt(errPlain), effect: doubt},
		"only a delay":                    {err: RetryAfter(time.Second, errPlain), effect: unsaid, after: time.Second},
		"a delay, and nothing done":       {err: RetryAfter(time.Second, NothingDone(errPlain)), effect: none, after: time.Second},
		"nothing done, and a delay":       {err: NothingDone(RetryAfter(time.Second, errPlain)), effect: none, after: time.Second},
		"the outer delay":                 {err: RetryAfter(time.Second, RetryAfter(time.Minute, errPlain)), effect: unsaid, after: time.Second},
		"wrapped":                         {err: fmt.Errorf("a: %w", fmt.Errorf("b: %w", Permanent(errPlain))), effect: none, permanent: true},
		"in doubt around refused":         {err: InDoubt(fmt.Errorf("x: %w", Permanent(errPlain))), effect: doubt, permanent: true},
		"refused around in doubt":         {err: Permanent(InDoubt(errPlain)), effect: none, permanent: true},
		"nothing done around refused":     {err: NothingDone(Permanent(errPlain)), effect: none},
		"joined with one that is silent":  {err: errors.Join(errPlain, Permanent(errPlain)), effect: none, permanent: true},
		"joined, one in doubt":            {err: fmt.Errorf("%w, %w", NothingDone(errPlain), InDoubt(errPlain)), effect: doubt},
		"joined, one of a connection":     {err: errors.Join(NothingDone(errPlain), fmt.Errorf("put: %w", io.EOF)), effect: doubt},
		"refused, and one of its time":    {err: fmt.Errorf("%w, %w", context.DeadlineExceeded, Permanent(errPlain)), effect: doubt, permanent: true},
		"joined, and all connections say": {err: errors.Join(errPlain, NothingDone(io.EOF)), effect: none},
		"outside of a join":               {err: NothingDone(errors.Join(errPlain, InDoubt(errPlain))), effect: none},
		"the attempt's time":              {err: fmt.Errorf("get: %w", context.DeadlineExceeded), effect: doubt},
		"a context that was cancelled":    {err: errors.Join(errPlain, context.Canceled), effect: doubt},
		"nothing done within the time":    {err: NothingDone(context.DeadlineExceeded), effect: none},
		"a commit":                        {err: Commit(commits{errPlain}), effect: doubt},
		"a commit that lost its answer":   {err: Commit(commits{driver.ErrBadConn}), effect: doubt},
		"nothing done by a lost answer":   {err: NothingDone(io.EOF), effect: none},
		"a delay around a wrapped doubt":  {err: RetryAfter(time.Second, fmt.Errorf("x: %w", InDoubt(errPlain))), effect: doubt, after: time.Second},
		"longest of two delays in a join": {err: errors.Join(RetryAfter(time.Second, errPlain), RetryAfter(time.Minute, errPlain)), effect: unsaid, after: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := Failure(test.err, "step", false)
			require.Equal(t, test.effect, EffectOf(test.err, false))
			require.Equal(t, test.permanent, f.Kind == domain.FailurePermanent)
			require.Equal(t, test.after, time.Duration(f.RetryAfter))
		})
	}
	require.NoError(t, Permanent(nil))
	require.NoError(t, NothingDone(nil))
	require.NoError(t, InDoubt(nil))
	require.NoError(t, RetryAfter(time.Second, nil))
	require.NoError(t, Commit(commits{}))
	require.ErrorIs(t, Permanent(NothingDone(errPlain)), errPlain)
	require.ErrorAs(t, InDoubt(&net.OpError{Op: "read", Err: errPlain}), new(*net.OpError))
	require.EqualError(t, RetryAfter(time.Second, InDoubt(errPlain)), "plain")
}

// pgxLost is what pgx's Commit returns where the answer is lost: neither a net.Error nor an io.EOF,
// and safe to retry in its own view.
type pgxLost struct{}

func (pgxLost) Error() string     { return "conn closed" }
func (pgxLost) SafeToRetry() bool { return true }

type sqlState string

func (s sqlState) Error() string    { return "ERROR (" + string(s) + ")" }
func (s sqlState) SQLState() string { return string(s) }

type commits struct{ err error }

func (c commits) Commit() error { return c.err }

// TestCleanFailuresEndAtTheConnection: what an action that fails cleanly says nothing of means that
// nothing was done, save where a connection, a context or the commit failed.
func TestCleanFailuresEndAtTheConnection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		effect domain.FailureEffect
	}{
		"a plain error":               {errPlain, domain.EffectNotDone},
		"a constraint":                {fmt.Errorf("insert: %w", errors.New("duplicate key")), domain.EffectNotDone},
		"the connection":              {driver.ErrBadConn, domain.EffectUnsaid},
		"the end of an answer":        {fmt.Errorf("read: %w", io.EOF), domain.EffectUnsaid},
		"half an answer":              {errors.Join(errPlain, fmt.Errorf("read: %w", io.ErrUnexpectedEOF)), domain.EffectUnsaid},
		"a reset":                     {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, domain.EffectUnsaid},
		"a bare errno":                {syscall.EPIPE, domain.EffectUnsaid},
		"a closed connection":         {fmt.Errorf("write: %w", net.ErrClosed), domain.EffectUnsaid},
		"an HTTP client's":            {&url.Error{Op: "Put", Err: errPlain}, domain.EffectUnsaid},
		"one deep in a join":          {fmt.Errorf("%w; %w", errPlain, errors.Join(errPlain, &net.DNSError{})), domain.EffectUnsaid},
		"pgx's lost connection":       {fmt.Errorf("commit: %w", pgxLost{}), domain.EffectUnsaid},
		"MySQL's lost connection":     {fmt.Errorf("commit: %w", errors.New("invalid connection")), domain.EffectUnsaid},
		"a server that goes down":     {sqlState("57P01"), domain.EffectUnsaid},
		"a state of the connection":   {sqlState("08006"), domain.EffectUnsaid},
		"completion unknown":          {sqlState("40003"), domain.EffectUnsaid},
		"a state of a constraint":     {sqlState("23505"), domain.EffectNotDone},
		"the attempt's time":          {context.DeadlineExceeded, domain.EffectInDoubt},
		"a cancelled context":         {errors.Join(errPlain, context.Canceled), domain.EffectInDoubt},
		"the commit":                  {Commit(commits{errPlain}), domain.EffectInDoubt},
		"the author's word, in doubt": {InDoubt(errPlain), domain.EffectInDoubt},
		"the author's word, nothing":  {NothingDone(driver.ErrBadConn), domain.EffectNotDone},
		"only a delay":                {RetryAfter(time.Second, errPlain), domain.EffectNotDone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.effect, EffectOf(test.err, true))
		})
	}
}
