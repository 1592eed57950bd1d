package verdict

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/atonehq/atone/saga"
)

// SQL classifies the error of a statement that ran before COMMIT was asked for, or that was a
// transaction of its own, by its SQLSTATE (any error with a method SQLState() string: pgx, lib/pq):
//
//   - class 23, a violated constraint: refused.
//   - class 08, 40003, and 57P01 to 57P03, which can cut a statement after its commit: in doubt.
//   - any other: the server answered, and rolled the statement back. Nothing was done.
//
// An error without a SQLSTATE is in doubt: the connection may have broken after the statement was
// sent. Inside a transaction [Tx] knows more.
//
// An error speaks for the last copy of a statement. A [sql.DB] sends one again, on another
// connection, when its driver says [database/sql/driver.ErrBadConn]. pgx says that only if nothing
// was sent. lib/pq says it also if the answer was lost: the first copy may have committed what the
// second finds in its way. With such a driver run statements with [Tx] or on a [sql.Conn], which
// repeat none.
func SQL(err error) error {
	if err == nil || says(err) {
		return err
	}
	state, ok := sqlState(err)
	switch {
	case !ok, strings.HasPrefix(state, "08"), state == "40003", strings.HasPrefix(state, "57P0"):
		return saga.InDoubt(err)
	case strings.HasPrefix(state, "23"):
		return saga.Permanent(err)
	}
	return saga.NothingDone(err)
}

// Commit classifies the error of a COMMIT. Nothing was done only if the server answered that it
// rolled back: a serialization failure or deadlock (40001, 40P01), or a deferred constraint (class
// 23, 40002), which is a refusal. All other errors are in doubt, because the answer may be lost.
func Commit(err error) error {
	if err == nil || says(err) {
		return err
	}
	state, _ := sqlState(err)
	switch {
	case state == "40001" || state == "40P01":
		return saga.NothingDone(err)
	case state == "40002" || strings.HasPrefix(state, "23"):
		return saga.Permanent(err)
	}
	return saga.InDoubt(err)
}

// Tx runs f in a transaction, commits it if f returns nil, and rolls it back otherwise. If f fails,
// COMMIT is never sent, so nothing was done, whatever the error, even a broken connection or an
// ended ctx. A violated constraint (SQLSTATE class 23) is a refusal. The error of the commit itself
// is classified by [Commit]. f must have no effect but through tx, and a verdict that its error has
// is kept. No statement of tx is ever sent twice. A panic in f rolls back and goes on.
func Tx(ctx context.Context, db *sql.DB, opts *sql.TxOptions, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return saga.NothingDone(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := f(tx); err != nil {
		state, _ := sqlState(err)
		switch {
		case says(err):
			return err
		case strings.HasPrefix(state, "23"):
			return saga.Permanent(err)
		}
		return saga.NothingDone(err)
	}
	return Commit(tx.Commit())
}

// sqlState returns the SQLSTATE in an error's tree.
func sqlState(err error) (string, bool) {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		if s := e.SQLState(); len(s) == 5 {
			return s, true
		}
	}
	return "", false
}
