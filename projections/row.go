package projections

import (
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Row is a row of a table: a value for each column, in their order. The methods read one value; nil
// is read as the zero value.
type Row []any

// Int returns a number.
func (r Row) Int(column int) int64 {
	n, _ := r[column].(int64)
	return n
}

// Text returns a text.
func (r Row) Text(column int) string {
	s, _ := r[column].(string)
	return s
}

// Bytes returns bytes.
func (r Row) Bytes(column int) []byte {
	b, _ := r[column].([]byte)
	return b
}

// Texts returns texts.
func (r Row) Texts(column int) []string {
	t, _ := r[column].([]string)
	return t
}

// Time returns a time.
func (r Row) Time(column int) time.Time {
	n, ok := r[column].(int64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// Run returns the id of a run.
func (r Row) Run(column int) domain.RunID {
	if id, ok := r[column].(domain.RunID); ok {
		return id
	}
	b, _ := r[column].([]byte)
	id, _ := uuid.FromBytes(b) // the zero id for nil
	return id
}

// TextOrNil is the value of a text column that stores an empty text as nil.
func TextOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
