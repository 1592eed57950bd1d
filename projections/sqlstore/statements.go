package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

func (x *tx) exec(ctx context.Context, query string, args []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if x.Dialect.Local() {
		ctx = context.WithoutCancel(ctx)
	}
	st, err := x.bind(ctx, query) //nolint:sqlclosecheck // the transaction closes it
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx, args...)
	return err
}

// bind returns the prepared statement for a query in this transaction.
func (x *tx) bind(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := x.bound[query]; st != nil {
		return st, nil
	}
	st, err := x.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if x.bound == nil {
		x.bound = make(map[string]*sql.Stmt)
	}
	x.bound[query] = x.sql.StmtContext(ctx, st)
	return x.bound[query], nil
}

// statement returns the prepared statement for a query, on the writing database.
func (s *Space) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.statements[query]; st != nil {
		return st, nil
	}
	st, err := s.DB.PrepareContext(ctx, query) //nolint:sqlclosecheck // Close does
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	if s.statements == nil {
		s.statements = make(map[string]*sql.Stmt)
	}
	s.statements[query] = st
	return st, nil
}

// QueryContext implements [question.Queryer] with the writing database's prepared statements.
func (x *tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := x.bind(ctx, query) //nolint:sqlclosecheck // the transaction closes it
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}
