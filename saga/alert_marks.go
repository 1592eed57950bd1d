package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// oldAlertStream is where versions without marks kept how far each sink was told. It is read where a sink has no mark.
const oldAlertStream = domain.SystemPrefix + "alerts"

const (
	oldAlertType  = "atone.alert_checkpoint.v1"
	alertMarkType = "atone.alert_mark.v1"
)

// alertMark says how far a sink was told, and by which node. The marks of a sink have a stream of their own, and each is
// appended at the revision after the one before: whoever finds another's there has lost the turn.
type alertMark struct {
	Sink string `json:"sink"`
	Node string `json:"node"`
	// Left means that the node tells nothing more.
	Left     bool            `json:"left,omitempty"`
	Position domain.Position `json:"position"`
	// SlowTo is up to which time runs were told to be slow, of those that were started up to Position.
	SlowTo time.Time `json:"slow_to,omitzero"`
	// Whole means that Slow are all the runs up to Position that may yet be slow. A long list is written in parts of
	// one id, numbered from 0, and counts when its last part, after which there are no More, is there.
	Whole bool      `json:"whole,omitempty"`
	Slow  []slowRun `json:"slow,omitempty"`
	ID    string    `json:"id,omitempty"`
	Part  int       `json:"part,omitempty"`
	More  bool      `json:"more,omitempty"`
}

// alertStart is where telling may begin.
type alertStart struct {
	// position is from where to read, with slow as the list up to there; nothing up to told is told again, nor
	// are the runs in it whose time was before slowTo.
	position, told domain.Position
	slowTo         time.Time
	slow           []slowRun
}

// errAlertsElsewhere means that another node tells a sink's alerts.
var errAlertsElsewhere = errors.New("another node tells the alerts")

// alertMarks are the marks of one sink, as one node writes them.
type alertMarks struct {
	c    *Coordinator
	sink string
	// last is the revision of the newest mark, newest what it says.
	last   domain.Expected
	newest alertMark
}

// stream is named after the sink, in the characters that names have.
func (m *alertMarks) stream() string {
	return oldAlertStream + "-" + strings.Map(func(r rune) rune {
		if r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' {
			return '.'
		}
		return r
	}, m.sink)
}

// claim waits until it is this node's turn to tell, and says so in the log. Where the log is not shared it always is.
func (m *alertMarks) claim(ctx context.Context) error {
	pause := m.c.cluster.Interval() / 2
	for {
		if err := m.look(ctx); err != nil {
			return err
		}
		if !m.taken() {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !m.c.cfg.Shared {
		return nil // its first alert, or its stop, will leave a mark
	}
	mark := m.newest
	return m.save(ctx, alertMark{Position: mark.Position, SlowTo: mark.SlowTo})
}

// taken reports whether another node that lives tells the alerts.
func (m *alertMarks) taken() bool {
	n := m.newest
	return m.c.cfg.Shared && n.Node != "" && !n.Left && n.Node != m.c.incarnation && m.c.cluster.Alive(n.Node)
}

// look reads the newest mark that can be read, or else where an older version stood.
func (m *alertMarks) look(ctx context.Context) error {
	m.last, m.newest = domain.NoStream, alertMark{}
	for e, err := range m.c.log.ReadStreamBackward(ctx, m.stream(), domain.End) {
		if err != nil {
			return fmt.Errorf("read %s: %w", m.stream(), err)
		}
		m.last = max(m.last, domain.Expected(e.Revision))
		if mark, err := m.read(&e); err == nil {
			m.newest = mark
			return nil
		}
	}
	for mark, err := range m.old(ctx) {
		if err != nil {
			return err
		}
		m.newest = mark
		break
	}
	return nil
}

// read refuses what can't be used.
func (m *alertMarks) read(e *domain.Recorded) (mark alertMark, err error) {
	err = json.Unmarshal(e.Data, &mark)
	switch {
	case err != nil:
	case e.Type != alertMarkType && e.Type != oldAlertType, mark.Sink != m.sink:
		err = fmt.Errorf("it is a %s of %q", e.Type, mark.Sink)
	case mark.Position >= e.Position:
		err = fmt.Errorf("it is about position %d, and was written at %d", mark.Position, e.Position)
	}
	return mark, err
}

// old yields what older versions noted, newest first. What lay open then came after the position that they noted.
func (m *alertMarks) old(ctx context.Context) iter.Seq2[alertMark, error] {
	return func(yield func(alertMark, error) bool) {
		for e, err := range m.c.log.ReadStreamBackward(ctx, oldAlertStream, domain.End) {
			if err != nil {
				yield(alertMark{}, fmt.Errorf("read %s: %w", oldAlertStream, err))
				return
			}
			mark, err := m.read(&e)
			if err != nil {
				continue // another sink's, or of no use
			}
			if mark.Whole = true; !yield(mark, nil) {
				return
			}
		}
	}
}

// starts yields where telling may begin, the best first: the newest whole list that there is, older ones for when its
// position is refused, and in the end the log's beginning. Nothing that the newest mark says was told is told again.
func (m *alertMarks) starts(ctx context.Context) iter.Seq2[alertStart, error] {
	return func(yield func(alertStart, error) bool) {
		start := alertStart{told: m.newest.Position, slowTo: m.newest.SlowTo}
		try := func(position domain.Position, slow []slowRun) bool {
			start.position, start.slow = position, slow
			return yield(start, nil)
		}
		collected, warned := make(map[string]*slowParts), false
		for e, err := range m.c.log.ReadStreamBackward(ctx, m.stream(), domain.End) {
			if err != nil {
				yield(start, fmt.Errorf("read %s: %w", m.stream(), err))
				return
			}
			mark, err := m.read(&e)
			if err != nil && !warned {
				warned = true
				m.c.logger.Warn("a mark of alerts is not used, trying an older one", "sink", m.sink, "revision", e.Revision, "error", err)
			}
			if err != nil || !mark.Whole {
				continue
			}
			if !mark.More {
				collected[mark.ID] = &slowParts{next: mark.Part}
			}
			parts := collected[mark.ID]
			if parts == nil || parts.next != mark.Part {
				continue // its last part, or one in between, is missing
			}
			parts.slow, parts.next = append(parts.slow, mark.Slow...), mark.Part-1
			if mark.Part == 0 && !try(mark.Position, parts.slow) {
				return
			}
		}
		for mark, err := range m.old(ctx) {
			if err != nil {
				yield(start, err)
				return
			}
			if !try(mark.Position, nil) {
				return
			}
		}
		try(0, nil)
	}
}

// slowParts are the parts of a list that were read so far, from the last one on.
type slowParts struct {
	next int
	slow []slowRun
}

// save appends a mark of this node's, in parts where its list is long. It returns [errAlertsElsewhere] where another node
// has appended one since.
func (m *alertMarks) save(ctx context.Context, mark alertMark) error {
	const perPart = 2_000
	mark.Sink, mark.Node = m.sink, m.c.incarnation
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

func (m *alertMarks) append(ctx context.Context, mark alertMark) error {
	data, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	e := domain.NewEvent{ID: uuid.New(), Type: alertMarkType, Data: data}
	for try := 1; ; try++ {
		err := m.c.persevere(ctx, m.stream(), m.last, e)
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
		case m.last != was && m.c.cfg.Shared && m.newest.Node != m.c.incarnation:
			return errAlertsElsewhere
		case try == turnTries:
			return err
		}
	}
}
