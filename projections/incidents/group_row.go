package incidents

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/projections"
)

// GroupRow is a group of incidents: those of one saga, step, direction and cause.
type GroupRow struct {
	// ID is the group's id, see [cause.Group.ID].
	ID        string           `json:"id"`
	Saga      string           `json:"saga"`
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction"`
	Action    string           `json:"action,omitempty"`
	Type      string           `json:"type,omitempty"`
	// Cause is what the causes have in common, Example the latest of them as it is.
	Cause   string `json:"cause"`
	Example string `json:"example"`
	// Open and Retrying count incidents now; Arrived counts how often one was opened.
	Open     int `json:"open"`
	Retrying int `json:"retrying,omitempty"`
	Arrived  int `json:"arrived"`
	// First is when the first incident was opened, Last when the latest was.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Assignees counts, by who looks after them, the incidents that are not resolved.
	Assignees map[string]int `json:"assignees,omitempty"`
	// Note is the beginning of the latest note on one of the incidents.
	Note *Note `json:"note,omitempty"`
	// Arrivals are those of the last day before Last, oldest first.
	Arrivals []Arrivals `json:"arrivals"`
	// Snoozed counts open incidents that are snoozed by themselves. It is not stored.
	Snoozed int `json:"-"`

	g int64 // the number of its row
}

// Key returns what the incidents have in common.
func (r *GroupRow) Key() cause.Group {
	return cause.Group{Saga: r.Saga, Step: r.Step, Direction: r.Direction, Type: r.Type, Cause: r.Cause}
}

// Arrivals counts the incidents that were opened in the half hour from a time on.
type Arrivals struct {
	From  time.Time `json:"from"`
	Count int       `json:"count"`
}

// The spark of a group.
const (
	SparkWidth  = 30 * time.Minute
	SparkPoints = 48
)

// Spark returns the arrivals of the 24 hours that end with the half hour of now, one number for
// each half hour.
func (r *GroupRow) Spark(now time.Time) []int {
	spark := make([]int, SparkPoints)
	end := now.Truncate(SparkWidth)
	for _, a := range r.Arrivals {
		if i := SparkPoints - 1 - int(end.Sub(a.From)/SparkWidth); i >= 0 && i < SparkPoints {
			spark[i] += a.Count
		}
	}
	return spark
}

// arrived notes that an incident was opened.
func (r *GroupRow) arrived(at time.Time) {
	r.Arrived++
	if r.First.IsZero() || at.Before(r.First) {
		r.First = at
	}
	if at.After(r.Last) {
		r.Last = at
	}
	from := at.UTC().Truncate(SparkWidth)
	i := len(r.Arrivals)
	for i > 0 && r.Arrivals[i-1].From.After(from) {
		i-- // another node's clock is a little behind
	}
	if i > 0 && r.Arrivals[i-1].From.Equal(from) {
		r.Arrivals[i-1].Count++
	} else {
		r.Arrivals = append(r.Arrivals[:i:i], append([]Arrivals{{from, 1}}, r.Arrivals[i:]...)...)
	}
	for oldest := r.Last.UTC().Truncate(SparkWidth).Add(-SparkPoints * SparkWidth); !r.Arrivals[0].From.After(oldest); {
		r.Arrivals = r.Arrivals[1:]
	}
}

// encode returns the row of the table.
func (r *GroupRow) encode() (projections.Row, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write group %s: %w", r.ID, err)
	}
	row := projections.Row{groupG: r.g, groupID: r.ID, groupSaga: r.Saga, groupOpen: int64(r.Open + r.Retrying), groupLast: r.Last, groupFirst: r.First,
		groupWords: projections.TextOrNil(projections.Words(r.Cause, r.Example, r.Step)), groupDoc: string(doc)}
	if r.Open+r.Retrying > 0 {
		row[groupLive] = int64(1)
	}
	return row, nil
}

// decodeGroup reads a row of the table.
func decodeGroup(row projections.Row) (r GroupRow, err error) {
	if err = json.Unmarshal([]byte(row.Text(groupDoc)), &r); err != nil {
		err = fmt.Errorf("read group %s: %w", row.Text(groupID), err)
	}
	r.g = row.Int(groupG)
	return r, err
}
