package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// Catalog creates the table that lists generations. It is the same in every engine.
const Catalog = `CREATE TABLE IF NOT EXISTS atone_generations (
	view TEXT NOT NULL, generation BIGINT NOT NULL, version BIGINT NOT NULL, shape TEXT NOT NULL,
	live BIGINT NOT NULL, begun BIGINT NOT NULL,
	position BIGINT NOT NULL, events BIGINT NOT NULL, at BIGINT NOT NULL,
	PRIMARY KEY (view, generation))`

// The values of the catalog's column live. Versions that do not know liveButOld treat it as live.
const (
	building   = 0
	live       = 1
	liveButOld = 2
)

// Shape returns a digest of the view's tables. Views of the same shape can query each other's rows.
func Shape(v *projections.View) string {
	b, err := json.Marshal(v.Tables)
	if err != nil {
		panic(fmt.Sprintf("tables are plain data and always marshal: %v", err))
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Execer is a database, connection or transaction to write with.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Listed is a generation with the shape of its tables.
type Listed struct {
	projections.Generation
	Shape string
}

// Generations reads the catalog's entries for a view, oldest first.
func Generations(ctx context.Context, db question.Queryer, d Dialect, view string) (list []Listed, err error) {
	rows, err := db.QueryContext(ctx, `SELECT generation, version, shape, live, begun, position, events, at FROM atone_generations WHERE view = `+d.Arg(1)+` ORDER BY generation`, view)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var g Listed
		var state, begun, position, at int64
		if err := rows.Scan(&g.Number, &g.Version, &g.Shape, &state, &begun, &position, &g.Events, &at); err != nil {
			return nil, err
		}
		g.Live, g.Old, g.Begun, g.Position = state != building, state == liveButOld, fromNanos(begun), domain.Position(position)
		g.At = fromNanos(at)
		list = append(list, g)
	}
	return list, rows.Err()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return question.UnixNano(t)
}

// Choose returns the generation that answers the queries of a view, see [projections.Store], or -1.
func Choose(v *projections.View, n int, at func(int) Listed) int {
	shape, best := Shape(v), -1
	for i := range n {
		if g := at(i); g.Shape == shape && (best < 0 || better(g, at(best))) {
			best = i
		}
	}
	return best
}

// better reports whether to query a later generation instead of an earlier one. Of several that are
// being built, the keeper continues the first of the newest version.
func better(later, earlier Listed) bool {
	if later.Live != earlier.Live {
		return later.Live
	}
	return later.Live || later.Version > earlier.Version
}
