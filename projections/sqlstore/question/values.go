package question

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/projections"
)

// ToSQL turns a value of a row into one that every engine stores alike.
func ToSQL(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64:
		return v, nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case string:
		// PostgreSQL takes neither NUL nor invalid UTF-8 in a text; all stores keep the same.
		if strings.IndexByte(v, 0) >= 0 {
			v = strings.ReplaceAll(v, "\x00", "\uFFFD")
		}
		return strings.ToValidUTF8(v, "\uFFFD"), nil
	case []string:
		return writeTexts(v)
	case int:
		return int64(v), nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case uuid.UUID:
		return v[:], nil
	case time.Time:
		if v.IsZero() {
			return nil, nil
		}
		return UnixNano(v), nil
	}
	return nil, fmt.Errorf("a row has a value of type %T: use int64, string, []string, []byte, int, bool, time.Time, uuid.UUID or nil", v)
}

// The times that nanoseconds since 1970 hold.
var firstNano, lastNano = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

// UnixNano is t.UnixNano where that is defined. A time before or after counts as the first or the
// last one, so that it is sorted and compared as the earliest or the latest.
func UnixNano(t time.Time) int64 {
	switch {
	case t.Before(firstNano):
		return math.MinInt64
	case t.After(lastNano):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// ToSQLs appends values as [ToSQL] returns them.
func ToSQLs(into []any, values []any) ([]any, error) {
	for _, v := range values {
		s, err := ToSQL(v)
		if err != nil {
			return nil, err
		}
		into = append(into, s)
	}
	return into, nil
}

// scanner reads rows of a table.
type scanner struct {
	table  *projections.Table
	values []any
	into   []any
}

func newScanner(t *projections.Table) *scanner {
	s := &scanner{table: t, values: make([]any, len(t.Columns)), into: make([]any, len(t.Columns))}
	for i := range s.values {
		s.into[i] = &s.values[i]
	}
	return s
}

// row returns a copy of the scanned row in the columns' own types.
func (s *scanner) row() projections.Row {
	row := make(projections.Row, len(s.values))
	for i, v := range s.values {
		switch v := v.(type) {
		case []byte:
			row[i] = typed(s.table.Columns[i].Type, string(v))
		case string:
			row[i] = typed(s.table.Columns[i].Type, v)
		default:
			row[i] = v
		}
	}
	return row
}

// typed returns a text of the database in the column's own type.
func typed(t projections.Type, text string) any {
	switch t {
	case projections.Bytes:
		return []byte(text)
	case projections.Texts:
		return readTexts(text)
	}
	return text
}

// writeTexts returns texts as one, a JSON array; nil for none.
func writeTexts(texts []string) (any, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	clean := make([]string, len(texts))
	for i, t := range texts {
		v, err := ToSQL(t)
		if err != nil {
			return nil, err
		}
		clean[i], _ = v.(string)
	}
	b, err := json.Marshal(clean)
	return string(b), err
}

// readTexts reads what writeTexts returned.
func readTexts(text string) (texts []string) {
	_ = json.Unmarshal([]byte(text), &texts) // it was written above
	return texts
}
