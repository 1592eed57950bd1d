package verdict_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/verdict"
)

// state is an error with a SQLSTATE, as pgx and lib/pq have.
type state string

func (s state) Error() string    { return "SQLSTATE " + string(s) }
func (s state) SQLState() string { return string(s) }

func TestStatementsAreJudgedByTheirSQLSTATE(t *testing.T) {
	t.Parallel()
	require.NoError(t, verdict.SQL(nil))
	for _, c := range []struct {
		err  error
		want string
	}{
		{state("23505"), refused}, {state("23503"), refused}, {fmt.Errorf("insert: %w", state("23514")), refused},
		{state("40001"), nothingDone}, {state("40P01"), nothingDone}, {state("42P01"), nothingDone}, {state("57014"), nothingDone},
		{state("08006"), inDoubt}, {state("08007"), inDoubt}, {state("40003"), inDoubt}, {state("57P01"), inDoubt}, {state(""), inDoubt},
		{driver.ErrBadConn, inDoubt}, {io.EOF, inDoubt}, {context.Canceled, inDoubt}, {errors.New("?"), inDoubt},
		{saga.Permanent(state("08006")), refused}, {saga.NothingDone(io.EOF), nothingDone}, {saga.InDoubt(state("23505")), inDoubt},
	} {
		require.Equal(t, c.want, verdictOf(verdict.SQL(c.err)), "%v", c.err)
	}
}

func TestCommitsAreInDoubtUnlessTheServerRolledBack(t *testing.T) {
	t.Parallel()
	require.NoError(t, verdict.Commit(nil))
	for _, c := range []struct {
		err  error
		want string
	}{
		{state("40001"), nothingDone}, {state("40P01"), nothingDone}, {state("23505"), refused}, {state("40002"), refused},
		{state("57014"), inDoubt}, {state("57P01"), inDoubt}, {state("42P01"), inDoubt}, {io.EOF, inDoubt}, {sql.ErrTxDone, inDoubt},
		{errors.New("disk I/O error"), inDoubt}, {saga.NothingDone(io.EOF), nothingDone},
	} {
		require.Equal(t, c.want, verdictOf(verdict.Commit(c.err)), "%v", c.err)
	}
}

// db is a database whose BEGIN, statements and COMMIT end as the test says.
type db struct {
	begin, exec, commit error
	again               error // of statements after the first
	execs               int
	committed           bool
}

func (d *db) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *db) Driver() driver.Driver                        { return nil }
func (d *db) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("not prepared") }
func (d *db) Close() error                                 { return nil }
func (d *db) Begin() (driver.Tx, error)                    { return d, d.begin }
func (d *db) Commit() error                                { d.committed = true; return d.commit }
func (d *db) Rollback() error                              { return nil }
func (d *db) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	if d.execs++; d.execs > 1 {
		return driver.ResultNoRows, d.again
	}
	return driver.ResultNoRows, d.exec
}

func TestTxKnowsWhetherACommitWasAskedFor(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		db        db
		f         error
		want      string
		committed bool
	}{
		"committed":              {want: none, committed: true},
		"no connection":          {db: db{begin: broken}, want: nothingDone},
		"broken statement":       {db: db{exec: driver.ErrBadConn}, want: nothingDone},
		"lost in a statement":    {db: db{exec: io.ErrUnexpectedEOF}, want: nothingDone},
		"constraint":             {db: db{exec: state("23505")}, want: refused},
		"own error":              {f: broken, want: nothingDone},
		"own refusal":            {f: saga.Permanent(broken), want: refused},
		"own doubt":              {f: saga.InDoubt(broken), want: inDoubt},
		"lost in the commit":     {db: db{commit: driver.ErrBadConn}, want: inDoubt, committed: true},
		"serialization failure":  {db: db{commit: state("40001")}, want: nothingDone, committed: true},
		"deferred constraint":    {db: db{commit: state("23503")}, want: refused, committed: true},
		"anything in the commit": {db: db{commit: broken}, want: inDoubt, committed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := c.db
			pool := sql.OpenDB(&fake)
			err := verdict.Tx(t.Context(), pool, nil, func(tx *sql.Tx) error {
				if _, err := tx.ExecContext(t.Context(), "insert"); err != nil {
					return err
				}
				return c.f
			})
			require.NoError(t, pool.Close())
			require.Equal(t, c.want == none, err == nil)
			require.Equal(t, c.want, verdictOf(err))
			require.Equal(t, c.committed, fake.committed)
		})
	}
}

func TestTxRollsBackAndPanicsOn(t *testing.T) {
	t.Parallel()
	fake := new(db)
	pool := sql.OpenDB(fake)
	require.PanicsWithValue(t, "oh", func() {
		_ = verdict.Tx(t.Context(), pool, nil, func(*sql.Tx) error { panic("oh") })
	})
	require.NoError(t, pool.Close(), "the connection was given back")
	require.False(t, fake.committed)
}

// TestAStatementOfATransactionIsSentOnce has a driver lose the answer to a statement and say that
// the connection was bad from the start. On its own the statement is sent again, and finds itself.
func TestAStatementOfATransactionIsSentOnce(t *testing.T) {
	t.Parallel()
	lost := db{exec: driver.ErrBadConn, again: state("23505")}
	alone, inTx := lost, lost
	pool := sql.OpenDB(&alone)
	_, err := pool.ExecContext(t.Context(), "insert")
	require.NoError(t, pool.Close())
	require.ErrorIs(t, err, state("23505"))
	require.Equal(t, 2, alone.execs, "database/sql sends it again")

	pool = sql.OpenDB(&inTx)
	err = verdict.Tx(t.Context(), pool, nil, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "insert")
		return err
	})
	require.NoError(t, pool.Close())
	require.ErrorIs(t, err, driver.ErrBadConn)
	require.Equal(t, nothingDone, verdictOf(err))
	require.Equal(t, 1, inTx.execs)
}
