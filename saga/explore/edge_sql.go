package explore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// SQL returns a database over the connector. A commit, and a statement or query outside of a
// transaction, may not happen, or happen without an answer. Close the database where the world
// ends; nothing else does.
func (e *Edges) SQL(c driver.Connector) *sql.DB { return sql.OpenDB(connector{c, e}) }

type connector struct {
	driver.Connector
	e *Edges
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	in, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &sqlConn{Conn: in, e: c.e}, nil
}

// sqlConn is a connection of the driver's. A connection is used by one goroutine at a time.
type sqlConn struct {
	driver.Conn
	e  *Edges
	in bool // a transaction is open
}

// statement passes a statement: outside of a transaction it commits.
func (c *sqlConn) statement(query string, far func() error) error {
	if !c.in {
		return c.e.Call("sql: "+firstWord(query), far)
	}
	if c.e.in.Dead() {
		return errDied
	}
	return far()
}

// query passes a statement that returns rows; it may write, too. Where its answer is lost, it takes
// effect nevertheless: some drivers carry it out as its rows are read.
func (c *sqlConn) query(text string, far func() (driver.Rows, error)) (rows driver.Rows, err error) {
	err = c.statement(text, func() error {
		rows, err = far()
		return err
	})
	if err == nil || rows == nil {
		return rows, err
	}
	for into := make([]driver.Value, len(rows.Columns())); rows.Next(into) == nil; {
	}
	_ = rows.Close()
	return nil, err
}

func firstWord(query string) string {
	for i, r := range query {
		if r == ' ' || r == '\n' || r == '\t' {
			if i > 0 {
				return query[:i]
			}
		}
	}
	return query
}

// BeginTx implements driver.ConnBeginTx.
func (c *sqlConn) BeginTx(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	in, ok := c.Conn.(driver.ConnBeginTx)
	if !ok {
		return nil, errOldDriver
	}
	if tx, err = in.BeginTx(ctx, opts); err != nil {
		return nil, err
	}
	c.in = true
	return &sqlTx{tx, c}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *sqlConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	in, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	err = c.statement(query, func() error {
		res, err = in.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

// QueryContext implements driver.QueryerContext.
func (c *sqlConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	in, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return c.query(query, func() (driver.Rows, error) { return in.QueryContext(ctx, query, args) })
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *sqlConn) PrepareContext(ctx context.Context, query string) (s driver.Stmt, err error) {
	if in, ok := c.Conn.(driver.ConnPrepareContext); ok {
		s, err = in.PrepareContext(ctx, query)
	} else {
		s, err = c.Conn.Prepare(query)
	}
	if err != nil {
		return nil, err
	}
	return &sqlStmt{s, c, query}, nil
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *sqlConn) CheckNamedValue(v *driver.NamedValue) error {
	if in, ok := c.Conn.(driver.NamedValueChecker); ok {
		return in.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// ResetSession implements driver.SessionResetter.
func (c *sqlConn) ResetSession(ctx context.Context) error {
	if in, ok := c.Conn.(driver.SessionResetter); ok {
		return in.ResetSession(ctx)
	}
	return nil
}

// IsValid implements driver.Validator.
func (c *sqlConn) IsValid() bool {
	in, ok := c.Conn.(driver.Validator)
	return !ok || in.IsValid()
}

type sqlTx struct {
	driver.Tx
	c *sqlConn
}

// Commit implements driver.Tx.
func (t *sqlTx) Commit() error {
	t.c.in = false
	committed := false
	err := t.c.e.Call("sql: commit", func() error { committed = true; return t.Tx.Commit() })
	if !committed {
		_ = t.Tx.Rollback() // what a server does with a connection that is gone
	}
	return err
}

// Rollback implements driver.Tx.
func (t *sqlTx) Rollback() error {
	t.c.in = false
	return t.Tx.Rollback()
}

type sqlStmt struct {
	driver.Stmt
	c     *sqlConn
	query string
}

// ExecContext implements driver.StmtExecContext.
func (s *sqlStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	in, ok := s.Stmt.(driver.StmtExecContext)
	if !ok {
		return nil, errOldDriver
	}
	err = s.c.statement(s.query, func() error {
		res, err = in.ExecContext(ctx, args)
		return err
	})
	return res, err
}

// QueryContext implements driver.StmtQueryContext.
func (s *sqlStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	in, ok := s.Stmt.(driver.StmtQueryContext)
	if !ok {
		return nil, errOldDriver
	}
	return s.c.query(s.query, func() (driver.Rows, error) { return in.QueryContext(ctx, args) })
}

// errOldDriver says that a driver lacks what database/sql has asked for since Go 1.8.
var errOldDriver = errors.New("this driver has no BeginTx, ExecContext or QueryContext: Edges.SQL needs one that has")
