package projections

import "time"

// Query selects rows of one table.
type Query struct {
	Table string
	// Where lists conditions that must all hold.
	Where []Cond
	// Order names the columns to sort by, all ascending or, with Desc, all descending. End it with
	// the key to make it stable.
	Order []string
	Desc  bool
	// After continues after the row with these values in the columns of Order.
	After []any
	// Limit bounds the number of rows; 0 means all.
	Limit int
}

// Among adds the condition that the column has one of the texts. Without texts it adds none.
func (q *Query) Among(column string, texts []string) {
	if len(texts) > 0 {
		q.Where = append(q.Where, InTexts(column, texts))
	}
}

// Between adds the conditions that the column has a time from the one (inclusive) to the other
// (exclusive). A zero time adds none.
func (q *Query) Between(column string, from, to time.Time) {
	if !from.IsZero() {
		q.Where = append(q.Where, Ge(column, from))
	}
	if !to.IsZero() {
		q.Where = append(q.Where, Lt(column, to))
	}
}

// About adds [Match] if the text has words, and reports whether it has.
func (q *Query) About(text string) bool {
	if Words(text) == "" {
		return false
	}
	q.Where = append(q.Where, Match(text))
	return true
}

// Op is how a condition compares.
type Op int

// The comparisons.
const (
	OpEq Op = iota
	OpLt
	OpLe
	OpGt
	OpGe
	OpIn
	OpNull
	OpNotNull
	OpWords
	OpHas
	OpWithin
	OpAny
)

// Cond is a condition on a row. Make one with the functions below.
type Cond struct {
	Op     Op
	Column string
	Value  any    // for the comparisons, OpWords (a string), and OpWithin: the lower bound
	Values []any  // for OpIn and OpHas; for OpWithin the upper bound
	Any    []Cond // for OpAny
}

// Eq holds where the column has the value.
func Eq(column string, value any) Cond { return Cond{Op: OpEq, Column: column, Value: value} }

// Lt holds where the column is below the value.
func Lt(column string, value any) Cond { return Cond{Op: OpLt, Column: column, Value: value} }

// Le holds where the column is at most the value.
func Le(column string, value any) Cond { return Cond{Op: OpLe, Column: column, Value: value} }

// Gt holds where the column is above the value.
func Gt(column string, value any) Cond { return Cond{Op: OpGt, Column: column, Value: value} }

// Ge holds where the column is at least the value.
func Ge(column string, value any) Cond { return Cond{Op: OpGe, Column: column, Value: value} }

// In holds where the column has one of the values; without values it never holds.
func In(column string, values ...any) Cond {
	if len(values) == 1 {
		return Eq(column, values[0])
	}
	return Cond{Op: OpIn, Column: column, Values: values}
}

// InTexts is [In] for texts of any type.
func InTexts[T ~string](column string, values []T) Cond {
	texts := make([]any, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return In(column, texts...)
}

// Null holds where the column is nil.
func Null(column string) Cond { return Cond{Op: OpNull, Column: column} }

// NotNull holds where the column is not nil.
func NotNull(column string) Cond { return Cond{Op: OpNotNull, Column: column} }

// AnyOf holds where one of the conditions does; without conditions it never holds.
func AnyOf(conds ...Cond) Cond { return Cond{Op: OpAny, Any: conds} }

// Match holds where the table's Words column has, for each word of the text, a word that
// begins with it. A text without words matches everything.
func Match(text string) Cond { return Cond{Op: OpWords, Value: Words(text)} }

// Has holds where one of the texts of a Texts column is one of the texts; without texts it never
// holds.
func Has(column string, texts ...string) Cond {
	values := make([]any, len(texts))
	for i, t := range texts {
		values[i] = t
	}
	return Cond{Op: OpHas, Column: column, Values: values}
}

// Within holds where the column is from (inclusive) to (exclusive) the values, which are texts or
// bytes; of a Texts column, where one of its texts is.
func Within(column string, from, to any) Cond {
	return Cond{Op: OpWithin, Column: column, Value: from, Values: []any{to}}
}

// Begins holds where the text in the column begins with the prefix; of a Texts column, where one of
// its texts does.
func Begins(column, prefix string) Cond {
	return Within(column, prefix, prefix+"\U0010FFFF") // which sorts behind every letter
}
