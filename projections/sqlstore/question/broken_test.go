package question

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/projections"
)

// A database that fails between two rows ends the rows as if there were no more.
func TestAListThatBreaksOffIsAnError(t *testing.T) {
	t.Parallel()
	lost := errors.New("the connection is lost")
	for _, c := range []struct {
		name string
		ends error
		want error
	}{
		{"whole", io.EOF, nil},
		{"broken off", lost, lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := sql.OpenDB(numbers{ends: c.ends})
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			r := reader{Tables: &Tables{Dialect: anyDialect{}, View: &projections.View{Name: "v"}}, with: db, table: &projections.Table{Name: "rows"}}
			rows, err := r.list(t.Context(), "state=stuck")
			require.ErrorIs(t, err, c.want)
			require.Empty(t, rows)
		})
	}
}

type anyDialect struct{}

func (anyDialect) Arg(int) string { return "?" }
func (anyDialect) Local() bool    { return true }

// numbers is a database whose every answer ends with an error before its first row.
type numbers struct {
	driver.Conn
	ends error
}

func (n numbers) Connect(context.Context) (driver.Conn, error) { return n, nil }
func (n numbers) Driver() driver.Driver                        { return nil }
func (n numbers) Close() error                                 { return nil }
func (n numbers) Columns() []string                            { return []string{"chunk", "bits"} }
func (n numbers) Next([]driver.Value) error                    { return n.ends }

func (n numbers) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return n, nil
}
