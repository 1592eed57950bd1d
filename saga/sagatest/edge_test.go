package sagatest_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/smtp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest"
	"github.com/atonehq/atone/saga/verdict"
)

// bank is an HTTP server that keeps charges by Idempotency-Key.
type bank struct {
	charges map[string]int
	void    map[string]bool
	client  *http.Client
	ignores bool // the server does not heed the key
}

func newBank(e *sagatest.Edges) *bank {
	b := &bank{charges: map[string]int{}, void: map[string]bool{}}
	b.client = e.Client(b)
	return b
}

func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	switch r.Method {
	case http.MethodPost:
		if b.void[key] {
			http.Error(w, "voided before it came", http.StatusUnprocessableEntity)
			return
		}
		if b.ignores {
			b.charges[key]++
		} else {
			b.charges[key] = 1
		}
		_ = json.NewEncoder(w).Encode(row{Name: key})
	case http.MethodDelete:
		of := r.URL.Query().Get("of")
		b.void[of] = true
		delete(b.charges, of)
	}
}

func (b *bank) total() (n int) {
	for _, c := range b.charges {
		n += c
	}
	return n
}

// charge is an action as somebody in a hurry writes it, over HTTP.
func charge(b *bank, swallow bool) *saga.Action[order, row] {
	call := func(ctx context.Context, method, url string) (row, error) {
		req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("{}"))
		if err != nil {
			return row{}, err
		}
		req.Header.Set("Idempotency-Key", saga.AttemptOf(ctx).Key)
		res, err := verdict.Client(b.client).Do(req)
		if err != nil {
			if swallow {
				return row{}, nil
			}
			return row{}, err
		}
		defer res.Body.Close()
		if err := verdict.Response(res); err != nil {
			return row{}, err
		}
		var out row
		if method == http.MethodPost {
			err = json.NewDecoder(res.Body).Decode(&out)
		}
		return out, err
	}
	return &saga.Action[order, row]{Name: "charge", Retry: few, UndoRetry: few,
		Do: func(ctx context.Context, _ order) (row, error) {
			return call(ctx, http.MethodPost, "http://bank/charges")
		},
		Undo: func(ctx context.Context, did saga.Did[order, row]) error {
			_, err := call(ctx, http.MethodDelete, "http://bank/charges?of="+did.Key)
			return err
		}}
}

func charged(n int) func(*bank) error {
	return func(b *bank) error {
		if got := b.total(); got != n {
			return fmt.Errorf("%d charges", got)
		}
		return nil
	}
}

func TestHandlersOverHTTPAreExploredAtTheirCalls(t *testing.T) {
	t.Parallel()
	explored := func(swallow, ignores bool) string {
		return failed(t, func(t testing.TB) {
			sagatest.Explore(t, func(e *sagatest.Edges) (*bank, *saga.Saga[order, saga.None]) {
				b := newBank(e)
				b.ignores = ignores
				return b, then(charge(b, swallow), self)
			}, order{ID: "7"}, sagatest.Completed("the customer is charged once", charged(1)), sagatest.Undone("nobody is charged", charged(0)))
		})
	}
	require.Empty(t, explored(false, false))
	swallowed := explored(true, false)
	require.Contains(t, swallowed, "the customer is charged once")
	require.Contains(t, swallowed, "charge do #1 > 1 = never-left")
	require.Contains(t, explored(false, true), "the customer is charged once")
}

// ledgerOf is a database in memory.
type ledgerOf struct{ db *sql.DB }

// newLedger opens a database with one table. e is the edge that handlers use it by.
func newLedger(t testing.TB, e *sagatest.Edges) *ledgerOf {
	t.Helper()
	c, err := sqlite.NewConnector("file::memory:?cache=private")
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	db := e.SQL(c)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE entries (key TEXT, gone INTEGER)"); err != nil {
		t.Fatalf("create: %v", err)
	}
	return &ledgerOf{db}
}

func (l *ledgerOf) entries() (n int, err error) {
	err = l.db.QueryRow("SELECT count(*) FROM entries WHERE gone = 0").Scan(&n)
	return n, err
}

func TestHandlersOverSQLAreExploredAtTheirCommits(t *testing.T) {
	t.Parallel()
	explored := func(insert string) string {
		return failed(t, func(t testing.TB) {
			sagatest.Explore(t, func(e *sagatest.Edges) (*ledgerOf, *saga.Saga[order, saga.None]) {
				l := newLedger(t, e)
				a := &saga.Action[order, row]{Name: "enter", Retry: few, UndoRetry: few,
					Do: func(ctx context.Context, _ order) (row, error) {
						tx, err := l.db.BeginTx(ctx, nil)
						if err != nil {
							return row{}, err
						}
						defer tx.Rollback()
						if _, err := tx.ExecContext(ctx, insert, saga.AttemptOf(ctx).Key); err != nil {
							return row{}, err
						}
						return row{}, tx.Commit()
					},
					Undo: func(ctx context.Context, did saga.Did[order, row]) error {
						res, err := l.db.ExecContext(ctx, "UPDATE entries SET gone = 1 WHERE key = ?", did.Key)
						if err != nil {
							return err
						}
						if n, err := res.RowsAffected(); err != nil || n > 0 {
							return err
						}
						_, err = l.db.ExecContext(ctx, "INSERT INTO entries VALUES (?, 1)", did.Key)
						return err
					}}
				return l, then(a, self)
			}, order{ID: "7"}, sagatest.Faults(1), sagatest.Without(sagatest.Twice, sagatest.Late, sagatest.Stray), sagatest.Invariant("entries", func(l *ledgerOf) error {
				if n, err := l.entries(); err != nil || n > 1 {
					return fmt.Errorf("%d entries, error %v", n, err)
				}
				return nil
			}))
		})
	}
	require.Empty(t, explored("INSERT INTO entries SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM entries WHERE key = ?1)"))
	require.Contains(t, explored("INSERT INTO entries VALUES (?, 0)"), "enter do #1 > 1 = answer-lost")
}

// TestQueriesAreEdges has statements that write and return rows, which are read as queries are.
func TestQueriesAreEdges(t *testing.T) {
	t.Parallel()
	explored := func(times int, opts ...sagatest.Option) string {
		return failed(t, func(t testing.TB) {
			sagatest.Explore(t, func(e *sagatest.Edges) (*ledgerOf, *saga.Saga[order, saga.None]) {
				l := newLedger(t, e)
				a := &saga.Action[order, row]{Name: "enter", Retry: few, UndoRetry: few,
					Do: func(ctx context.Context, _ order) (row, error) {
						var key string
						enter := func() error {
							return l.db.QueryRowContext(context.WithoutCancel(ctx), "INSERT INTO entries VALUES (?, 0) RETURNING key", saga.AttemptOf(ctx).Key).Scan(&key)
						}
						if times == 2 {
							defer enter() //nolint:errcheck // what it says does not matter here
						}
						return row{}, enter()
					},
					Undo: func(ctx context.Context, did saga.Did[order, row]) error {
						_, err := l.db.ExecContext(ctx, "UPDATE entries SET gone = 1 WHERE key = ?", did.Key)
						return err
					}}
				return l, then(a, self)
			}, order{ID: "7"}, append(opts, sagatest.Faults(1), sagatest.Without(sagatest.Twice, sagatest.Late, sagatest.Stray), sagatest.Always("entries", func(l *ledgerOf) error {
				if n, err := l.entries(); err != nil || n > times {
					return fmt.Errorf("%d entries, error %v", n, err)
				}
				return nil
			}))...)
		})
	}
	require.Contains(t, explored(1), "enter do #1 > 1 = answer-lost")
	require.Empty(t, explored(2, sagatest.Replay("enter do #1 > 1 = died")), "a dead process enters nothing")
}

// postOffice is a mail server that speaks as much SMTP as net/smtp needs.
type postOffice struct{ mails map[string]int }

func (p *postOffice) serve(c net.Conn) {
	r, say := bufio.NewReader(c), func(line string) { _, _ = fmt.Fprint(c, line+"\r\n") }
	say("220 post office")
	var body strings.Builder
	for data := false; ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); {
		case data && line == ".":
			data = false
			p.mails[body.String()]++
			say("250 sent")
		case data:
			body.WriteString(line)
		case verb == "DATA":
			data = true
			body.Reset()
			say("354 go on")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func TestHandlersOverSMTPAreExploredAtEachRequest(t *testing.T) {
	t.Parallel()
	got := failed(t, func(t testing.TB) {
		sagatest.Explore(t, func(e *sagatest.Edges) (*postOffice, *saga.Saga[order, saga.None]) {
			p := &postOffice{mails: map[string]int{}}
			dial := e.Dial(p.serve)
			a := &saga.Action[order, saga.None]{Name: "mail", Retry: few, Effect: saga.NoEffect,
				Do: func(ctx context.Context, _ order) (saga.None, error) {
					conn, err := dial(ctx, "tcp", "post:25")
					if err != nil {
						return saga.None{}, err
					}
					client, err := smtp.NewClient(conn, "post")
					if err != nil {
						return saga.None{}, err
					}
					defer client.Close()
					return saga.None{}, verdict.SendMail(client, "a@example.org", []string{"b@example.org"}, []byte("hello"))
				}}
			return p, then(a, self)
		}, order{ID: "7"}, sagatest.Faults(1), sagatest.Without(sagatest.Twice, sagatest.Late, sagatest.Stray), sagatest.Invariant("a mail is sent once", func(p *postOffice) error {
			for body, n := range p.mails {
				if n > 1 {
					return fmt.Errorf("%q was sent %d times", body, n)
				}
			}
			return nil
		}))
	})
	require.Contains(t, got, "a mail is sent once")
	require.Contains(t, got, "answer-lost")
}

// board is a broker's topic.
type board struct{ posted []string }

func (b *board) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		b.posted = append(b.posted, topic+"/"+m.UUID)
	}
	return nil
}
func (b *board) Close() error { return nil }

func TestHandlersThatPublishOrCallAFakeAreExploredThere(t *testing.T) {
	t.Parallel()
	got := failed(t, func(t testing.TB) {
		sagatest.Explore(t, func(e *sagatest.Edges) (*board, *saga.Saga[order, saga.None]) {
			b := &board{}
			p := e.Publisher(b)
			a := &saga.Action[order, saga.None]{Name: "post", Effect: saga.NoEffect, Retry: few,
				Do: func(ctx context.Context, o order) (saga.None, error) {
					return saga.None{}, errors.Join(p.Publish("orders", message.NewMessage(o.ID, nil)), e.Call("ring the bell", func() error { return nil }))
				}}
			return b, then(a, self)
		}, order{ID: "7"}, sagatest.Faults(1), sagatest.Without(sagatest.Twice, sagatest.Late, sagatest.Stray), sagatest.Completed("each message is posted once", func(b *board) error {
			if len(b.posted) != 1 {
				return fmt.Errorf("posted %v", b.posted)
			}
			return nil
		}))
	})
	require.Contains(t, got, "post do #1 > 1 = answer-lost")
}

func TestExploreSaysWhatIsWrongWithATest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		test func(testing.TB)
		says string
	}{
		"a check of another world": {func(t testing.TB) {
			explored(booked(nil), sagatest.Invariant("x", func(int) error { return nil })).in(t)
		}, `the check "x" takes a int, and the world is a *sagatest_test.shop`},
		"a saga with errors": {func(t testing.TB) {
			sagatest.Explore(t, func(*sagatest.Edges) (None, *saga.Saga[order, saga.None]) {
				return None{}, saga.Define[order, saga.None]("", 0, nil)
			}, order{})
		}, "name"},
		"no saga": {func(t testing.TB) {
			sagatest.Explore(t, func(*sagatest.Edges) (None, *saga.Saga[order, saga.None]) { return None{}, nil }, order{})
		}, "saga is nil"},
		"a handler that exits": {func(t testing.TB) {
			explored(booked(func(_ *shop, a *saga.Action[order, row]) {
				a.Do = func(context.Context, order) (row, error) { runtime.Goexit(); return row{}, nil }
			})).in(t)
		}, "ended its goroutine"},
		"a handler that panics": {func(t testing.TB) {
			explored(booked(func(_ *shop, a *saga.Action[order, row]) {
				a.Do = func(context.Context, order) (row, error) { panic("no") }
			}), one("booking")).in(t)
		}, "panicked: no"},
		"chance": {func(t testing.TB) {
			n := 0
			explored(booked(func(_ *shop, a *saga.Action[order, row]) {
				a.Do = func(context.Context, order) (row, error) {
					if n++; n == 1 {
						return row{}, nil
					}
					return row{}, saga.Permanent(errors.New("no"))
				}
			}), sagatest.Completed("never", func(*shop) error { return errors.New("it completed") })).in(t)
		}, "must not depend on time, chance"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := failed(t, c.test)
			if c.says == "" {
				require.Empty(t, got)
				return
			}
			require.Contains(t, got, c.says)
		})
	}
}

// TestAReportCanBeKeptAsATest replays what was found: it fails as long as the mistake is there, and
// where the run no longer comes to a choice.
func TestAReportCanBeKeptAsATest(t *testing.T) {
	t.Parallel()
	mistake := booked(func(s *shop, a *saga.Action[order, row]) {
		a.Undo = func(_ context.Context, did saga.Did[order, row]) error { delete(s.rows, did.Output.Name); return nil }
	})
	got := found(t, explored(mistake, empty("booking")))
	_, line, ok := strings.Cut(got, "sagatest.Replay(")
	require.True(t, ok, got)
	require.Contains(t, got, "func TestOfAnAuthorAgain(t *testing.T) {")
	schedule, err := strconv.QuotedPrefix(line)
	require.NoError(t, err)
	schedule, err = strconv.Unquote(schedule)
	require.NoError(t, err)
	require.Contains(t, found(t, explored(mistake, empty("booking"), sagatest.Replay(schedule))), "no booking is left")
	require.Empty(t, found(t, explored(booked(nil), empty("booking"), sagatest.Replay(schedule))))
	require.Contains(t, found(t, explored(booked(nil), sagatest.Replay("pay do #9 = failed"))), `never came to "pay do #9"`)
	require.Contains(t, found(t, explored(booked(nil), sagatest.Replay("nonsense"))), "is not a choice")
}

func TestTimeInAScheduleJumps(t *testing.T) {
	t.Parallel()
	began := time.Now()
	sagatest.Explore(t, func(*sagatest.Edges) (None, *saga.Saga[order, saga.None]) {
		return None{}, saga.Define("approval", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
			saga.Await[bool](f, "approved", saga.Within(30*24*time.Hour))
			saga.Sleep(f, 365*24*time.Hour)
			return saga.Ref[saga.None]{}
		})
	}, order{ID: "7"})
	require.Less(t, time.Since(began), time.Hour)
}
