package projections

// Query selects rows of one table.
type Query struct {
	Table string
	// Where lists conditions that must all hold.
	Where []Cond
	// Order names the columns to sort by, all ascending or, with Desc, all descending. To be
	// stable it ends with the key.
	Order []string
	Desc  bool
	// After continues behind the row that has these values in the columns of Order.
	After []any
	// Limit bounds the number of rows; 0 means all.
	Limit int
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
	OpExists
)

// Cond is a condition on a row. Make one with the functions below.
type Cond struct {
	Op     Op
	Column string
	Value  any   // for the comparisons and OpWords (a string)
	Values []any // for OpIn
	// Table, On and Where are for OpExists.
	Table string
	On    []string
	Where []Cond
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

// Match holds where the table's Words column has, for each word of the text, a word that
// begins with it. A text without words matches everything.
func Match(text string) Cond { return Cond{Op: OpWords, Value: Words(text)} }

// Exists holds where another table of the view has a row that agrees in the columns on, and for
// which the conditions hold.
func Exists(table string, on []string, where ...Cond) Cond {
	return Cond{Op: OpExists, Table: table, On: on, Where: where}
}
