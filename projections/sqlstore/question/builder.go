package question

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/atonehq/atone/projections"
)

// builder writes one statement. The table that rows are read from is called t in it.
type builder struct {
	*Tables
	table *projections.Table
	strings.Builder
	args []any
}

func (b *builder) write(s string) { _, _ = b.WriteString(s) } // it never fails

// arg adds an argument and returns its placeholder.
func (b *builder) arg(v any) (string, error) {
	s, err := ToSQL(v)
	if err != nil {
		return "", err
	}
	b.args = append(b.args, s)
	return b.Dialect.Arg(len(b.args)), nil
}

func (b *builder) column(name string) (string, error) {
	if b.table.Column(name) < 0 {
		return "", fmt.Errorf("table %s has no column %q", b.table.Name, name)
	}
	return "t." + Quote(name), nil
}

var comparisons = map[projections.Op]string{
	projections.OpEq: " = ", projections.OpLt: " < ", projections.OpLe: " <= ", projections.OpGt: " > ", projections.OpGe: " >= ",
}

// conditions writes each condition after an AND.
func (b *builder) conditions(conds []projections.Cond) error {
	for _, c := range conds {
		b.write(" AND ")
		if err := b.condition(c); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) condition(c projections.Cond) error {
	if c.Op == projections.OpWords || c.Op == projections.OpHas {
		return fmt.Errorf("table %s has no lists to find words and texts in", b.table.Name)
	}
	if c.Op == projections.OpAny {
		return b.alternatives(c.Any)
	}
	col, err := b.column(c.Column)
	if err != nil {
		return err
	}
	switch c.Op {
	case projections.OpNull:
		b.write(col + " IS NULL")
	case projections.OpNotNull:
		b.write(col + " IS NOT NULL")
	case projections.OpIn:
		return b.in(col, c.Values)
	case projections.OpWithin:
		from, err := b.arg(c.Value)
		if err != nil {
			return err
		}
		to, err := b.arg(c.Values[0])
		b.write(col + " >= " + from + " AND " + col + " < " + to)
		return err
	default:
		op, ok := comparisons[c.Op]
		if !ok {
			return fmt.Errorf("unknown comparison %d", c.Op)
		}
		arg, err := b.arg(c.Value)
		if err != nil {
			return err
		}
		b.write(col + op + arg)
	}
	return nil
}

// alternatives writes that one of the conditions holds.
func (b *builder) alternatives(conds []projections.Cond) error {
	b.write("(1 = 0")
	for _, c := range conds {
		b.write(" OR ")
		if err := b.condition(c); err != nil {
			return err
		}
	}
	b.write(")")
	return nil
}

func (b *builder) in(col string, values []any) error {
	if len(values) == 0 {
		b.write("1 = 0")
		return nil
	}
	b.write(col + " IN (")
	for i, v := range values {
		if i > 0 {
			b.write(", ")
		}
		arg, err := b.arg(v)
		if err != nil {
			return err
		}
		b.write(arg)
	}
	b.write(")")
	return nil
}

// plain adds an argument that needs no conversion.
func (b *builder) plain(v any) string {
	b.args = append(b.args, v)
	return b.Dialect.Arg(len(b.args))
}

// oneOf writes that what was written before is one of the numbers.
func (b *builder) oneOf(numbers []int64) {
	if !b.Dialect.Local() {
		b.write(" = ANY (" + b.plain(numbers) + ")")
		return
	}
	b.write(" IN (")
	for i, n := range numbers {
		if i > 0 {
			b.write(",")
		}
		b.write(strconv.FormatInt(n, 10))
	}
	b.write(")")
}

// plain answers a query from the table alone.
func (s *Tables) plain(ctx context.Context, with Queryer, t *projections.Table, q projections.Query) ([]projections.Row, error) {
	b := builder{Tables: s, table: t}
	b.write("SELECT " + columns(t) + " FROM " + Quote(s.Physical(t)) + " AS t WHERE 1=1")
	if err := b.rest(q); err != nil {
		return nil, err
	}
	return s.fetch(ctx, with, t, &b)
}

func columns(t *projections.Table) string {
	var b strings.Builder
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("t." + Quote(c.Name))
	}
	return b.String()
}

// rest writes what follows the FROM: conditions, the place to continue, order and limit.
func (b *builder) rest(q projections.Query) error {
	if err := b.conditions(q.Where); err != nil {
		return err
	}
	order := make([]string, len(q.Order))
	for i, o := range q.Order {
		order[i] = "t." + Quote(o)
	}
	if err := b.behind(q, order); err != nil {
		return err
	}
	b.ordered(q, order)
	return nil
}

// ordered writes the order, in the given columns, and the limit.
func (b *builder) ordered(q projections.Query, columns []string) {
	for i, c := range columns {
		b.write(map[bool]string{true: " ORDER BY ", false: ", "}[i == 0] + c)
		if q.Desc {
			b.write(" DESC")
		}
	}
	if q.Limit > 0 {
		b.write(fmt.Sprintf(" LIMIT %d", q.Limit))
	}
}

// behind writes the condition that a row comes behind the one to continue after. Its values in the
// order's columns are in those given.
func (b *builder) behind(q projections.Query, columns []string) error {
	if len(q.After) == 0 {
		return nil
	}
	b.write(" AND (" + strings.Join(columns, ", ") + ")")
	b.write(map[bool]string{false: " > (", true: " < ("}[q.Desc])
	for i, v := range q.After {
		arg, err := b.arg(v)
		if err != nil {
			return err
		}
		if i > 0 {
			b.write(", ")
		}
		b.write(arg)
	}
	b.write(")")
	return nil
}

func (s *Tables) fetch(ctx context.Context, with Queryer, t *projections.Table, b *builder) (out []projections.Row, err error) {
	rows, err := with.QueryContext(ctx, b.String(), b.args...)
	if err != nil {
		return nil, fmt.Errorf("query %s.%s: %w", s.View.Name, t.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	sc := newScanner(t)
	for rows.Next() {
		if err := rows.Scan(sc.into...); err != nil {
			return nil, fmt.Errorf("read a row of %s.%s: %w", s.View.Name, t.Name, err)
		}
		out = append(out, sc.row())
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("query %s.%s: %w", s.View.Name, t.Name, err)
	}
	return out, nil
}
