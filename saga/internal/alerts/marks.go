package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// oldStream is where versions without marks saved how far each sink had come. It is read if a sink
// has no mark.
const oldStream = domain.SystemPrefix + "alerts"

const (
	oldType  = "atone.alert_checkpoint.v1"
	markType = "atone.alert_mark.v1"
)

// mark says how far a sink has come, and which node sent its alerts. Each sink has a stream of
// marks. A node appends a mark at the revision after its last one: if another node's mark is there,
// the node has lost its turn.
type mark struct {
	Sink string `json:"sink"`
	Node string `json:"node"`
	// Left means that the node sends no more alerts.
	Left     bool            `json:"left,omitempty"`
	Position domain.Position `json:"position"`
	// SlowTo is the time up to which slow runs were reported, of the runs that started up to
	// Position.
	SlowTo time.Time `json:"slow_to,omitzero"`
	// Whole means that Slow has all the runs up to Position that may yet be slow. A long list is
	// written in parts with one id, numbered from 0. It counts when its last part (without More) is
	// there.
	Whole bool      `json:"whole,omitempty"`
	Slow  []slowRun `json:"slow,omitempty"`
	ID    string    `json:"id,omitempty"`
	Part  int       `json:"part,omitempty"`
	More  bool      `json:"more,omitempty"`
	// Blocked are the versions with blocked runs up to Position, in each part.
	Blocked []blockedRuns `json:"blocked,omitempty"`
}

// errElsewhere means that another node sends a sink's alerts.
var errElsewhere = errors.New("another node tells the alerts")

// marks are the marks of one sink, as one node writes them.
type marks struct {
	a    *Alerts
	sink string
	// last is the revision of the newest mark, newest what it says.
	last   domain.Expected
	newest mark
}

// claim blocks until it is this node's turn, and records that in the log. If the log is not shared,
// it always is.
func (m *marks) claim(ctx context.Context) error {
	for {
		if err := m.look(ctx); err != nil {
			return err
		}
		if !m.taken() {
			break
		}
		select {
		case <-time.After(m.a.ClaimEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !m.a.Shared {
		return nil // its first alert, or its stop, will leave a mark
	}
	return m.save(ctx, mark{Position: m.newest.Position, SlowTo: m.newest.SlowTo, Blocked: m.newest.Blocked})
}

// taken reports whether another living node sends the alerts.
func (m *marks) taken() bool {
	n := m.newest
	return m.a.Shared && n.Node != "" && !n.Left && n.Node != m.a.Incarnation && m.a.Alive(n.Node)
}

// save appends this node's mark, in parts if its list is long. It returns [errElsewhere] if another
// node has appended a mark since.
func (m *marks) save(ctx context.Context, mark mark) error {
	const perPart = 2_000
	mark.Sink, mark.Node = m.sink, m.a.Incarnation
	slow := mark.Slow
	if len(slow) > perPart {
		mark.ID = uuid.NewString()
	}
	for part := 0; ; part++ {
		n := min(perPart, len(slow))
		mark.Slow, mark.Part, mark.More = slow[:n], part, n < len(slow)
		if err := m.append(ctx, mark); err != nil {
			return err
		}
		if slow = slow[n:]; len(slow) == 0 {
			m.newest = mark
			return nil
		}
	}
}

// conflicts bounds how often a mark is appended again after a conflict that is not with another
// node.
const conflicts = 50

func (m *marks) append(ctx context.Context, mark mark) error {
	data, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	e := domain.NewEvent{ID: uuid.New(), Type: markType, Data: data}
	for try := 1; ; try++ {
		err := m.a.Persevere(ctx, m.stream(), m.last, e)
		if err == nil {
			m.last = max(m.last+1, 0)
			return nil
		}
		if !errors.Is(err, domain.ErrConflict) {
			return err
		}
		was := m.last
		if bad := m.look(ctx); bad != nil {
			return bad
		}
		switch {
		case m.last != was && m.a.Shared && m.newest.Node != m.a.Incarnation:
			return errElsewhere
		case try == conflicts:
			return err
		}
	}
}
