package projections

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// AuditRow is an act or an outcome.
type AuditRow struct {
	Position domain.Position `json:"position"`
	Run      domain.RunID    `json:"run"`
	Revision uint64          `json:"revision"`
	At       time.Time       `json:"at"`
	Saga     string          `json:"saga,omitempty"`
	// What is the event's wire name without its version, or [Emitted].
	What      string           `json:"what"`
	Step      string           `json:"step,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Attempt   int              `json:"attempt,omitempty"`
	Action    string           `json:"action,omitempty"`
	Actor     string           `json:"actor,omitempty"`
	Error     string           `json:"error,omitempty"`
	// Note is what else is worth telling: a reason, the time of the retry, the type of an emitted event.
	Note string `json:"note,omitempty"`
}

// AuditFilter selects rows of the audit; all of its conditions must hold. The zero value selects
// everything, newest first.
type AuditFilter struct {
	Run domain.RunID
	// Sagas, Whats, Actions and Actors each select rows that have one of the values.
	Sagas, Whats, Actions, Actors []string
	Step                          string
	// From (inclusive) and To (exclusive) bound the time.
	From, To time.Time
	// Text has words (or beginnings of words) that all occur in the row's error or in the payload's
	// searchable fields. With it the order is that of the log.
	Text string
	// Failed selects the rows that have an error.
	Failed bool
	// Ascending turns the order round: oldest first. The rows of one run are in its own order.
	Ascending bool
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	Fresh
}

// AuditPage is a page of the audit.
type AuditPage struct {
	Rows []AuditRow
	// Next is the cursor of the following page, empty on the last one.
	Next string
	As   Generation
}

// Audit returns a page of the audit across runs, or of one.
func (r *Reader) Audit(ctx context.Context, f AuditFilter) (AuditPage, error) {
	page, next, err := r.page(ctx, &auditView, f.query(), f.Fresh)
	if err != nil {
		return AuditPage{}, err
	}
	out := AuditPage{Next: next, As: page.As, Rows: make([]AuditRow, len(page.Rows))}
	for i, row := range page.Rows {
		out.Rows[i] = AuditRow{
			Position: domain.Position(number(row[0])), Run: runID(row[1]), Revision: uint64(number(row[2])), At: instant(row[3]), Saga: text(row[4]),
			What: text(row[5]), Step: text(row[6]), Direction: domain.Direction(text(row[7])), Attempt: int(number(row[8])),
			Action: text(row[9]), Actor: text(row[10]), Error: text(row[11]), Note: text(row[12]),
		}
	}
	return out, nil
}

func (f *AuditFilter) query() pageQuery {
	q := pageQuery{Query: Query{Table: "audit", Desc: !f.Ascending, Order: []string{"at", "pos"}}, cursor: f.Cursor, limit: f.Limit}
	at := "at"
	if f.Failed { // the failed rows have an index of their own, in the same order
		at = "failed"
		q.Where = append(q.Where, NotNull(at))
		q.Order[0] = at
	}
	where := func(c Cond) { q.Where = append(q.Where, c) }
	if f.Run != (domain.RunID{}) {
		where(Eq("run", f.Run))
		q.Order = []string{"pos"}
	}
	for _, in := range []struct {
		column string
		values []string
	}{{"saga", f.Sagas}, {"what", f.Whats}, {"action", f.Actions}, {"actor", f.Actors}} {
		if len(in.values) > 0 {
			where(anyOf(in.column, in.values, func(s string) any { return s }))
		}
	}
	if f.Step != "" {
		where(Eq("step", f.Step))
	}
	if !f.From.IsZero() {
		where(Ge(at, f.From))
	}
	if !f.To.IsZero() {
		where(Lt(at, f.To))
	}
	if Words(f.Text) != "" {
		where(Match(f.Text))
		q.Order = []string{"pos"}
	}
	return q
}

// The values of a row as Go values; nil is the zero value.

func number(v any) int64 {
	n, _ := v.(int64)
	return n
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func instant(v any) time.Time {
	n, ok := v.(int64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func runID(v any) domain.RunID {
	if id, ok := v.(domain.RunID); ok {
		return id
	}
	b, _ := v.([]byte)
	id, _ := uuid.FromBytes(b) // the zero id for nil
	return id
}
