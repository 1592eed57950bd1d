package incidents

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// What an entry of a history tells, besides [Retried] and [Resolved].
const (
	Opened   = "opened"
	Again    = "failed again"
	Noted    = "noted"
	Assigned = "assigned"
	Snoozed  = "snoozed"
)

// Entry is one thing that happened to an incident.
type Entry struct {
	At   time.Time `json:"at" doc:"When it happened."`
	What string    `json:"what" doc:"What happened: opened, retried, failed again, noted, assigned, snoozed or resolved."`
	// How is how the incident was resolved, see [Row.How].
	How string `json:"how,omitempty" doc:"How it was resolved."`
	By  string `json:"by,omitempty" doc:"Who did it."`
	// Text is the failure, the note, or the reason.
	Text string `json:"text,omitempty" doc:"The failure, the note, or why."`
	// To is who looks after the incident now.
	To string `json:"to,omitempty" doc:"Who looks after it from then on."`
	// Until is when the snooze ends; zero if it ended.
	Until time.Time `json:"until,omitzero" doc:"When the snooze ends."`
	// Position is that of the event.
	Position domain.Position `json:"position" doc:"The position of the event."`
}

// maxEntries bounds a history.
const maxEntries = 1000

// History returns what happened to an incident, oldest first: the last 1000 entries. no is its
// [Row.No].
func History(ctx context.Context, r *projections.Reader, no domain.Position, fresh projections.Fresh) ([]Entry, error) {
	q := projections.Query{Table: "history", Where: []projections.Cond{projections.Eq("no", int64(no))}, Order: []string{"h"}, Desc: true, Limit: maxEntries}
	found, err := r.Rows(ctx, &view, q, fresh)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(found.Rows))
	for i, row := range found.Rows {
		if err := json.Unmarshal([]byte(row.Text(historyDoc)), &entries[len(entries)-1-i]); err != nil {
			return nil, fmt.Errorf("read the history of incident %d: %w", no, err)
		}
	}
	return entries, nil
}
