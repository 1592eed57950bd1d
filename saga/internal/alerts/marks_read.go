package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// look reads the newest readable mark or, if there is none, the position that an older version
// saved.
func (m *marks) look(ctx context.Context) error {
	m.last, m.newest = domain.NoStream, mark{}
	for e, err := range m.a.Log.ReadStreamBackward(ctx, m.stream(), domain.End) {
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

// start is a point where sending may begin.
type start struct {
	// position is where to begin reading; slow is the list up to there. Alerts up to told are not
	// sent again, nor those for runs in slow whose time was before slowTo.
	position, told domain.Position
	slowTo         time.Time
	slow           []slowRun
	blocked        []blockedRuns // up to told
}

// starts yields the points where sending may begin, the best first: the newest whole list, then
// older ones in case the log refuses its position, and finally the log's beginning. Alerts that the
// newest mark covers are never sent again.
func (m *marks) starts(ctx context.Context) iter.Seq2[start, error] {
	return func(yield func(start, error) bool) {
		s := start{told: m.newest.Position, slowTo: m.newest.SlowTo, blocked: m.newest.Blocked}
		try := func(position domain.Position, slow []slowRun) bool {
			s.position, s.slow = position, slow
			return yield(s, nil)
		}
		collected, warned := make(map[string]*slowParts), false
		for e, err := range m.a.Log.ReadStreamBackward(ctx, m.stream(), domain.End) {
			if err != nil {
				yield(s, fmt.Errorf("read %s: %w", m.stream(), err))
				return
			}
			mark, err := m.read(&e)
			if err != nil && !warned {
				warned = true
				m.a.Logger.Warn("a mark of alerts is not used, trying an older one", "sink", m.sink, "revision", e.Revision, "error", err)
			}
			if err != nil || !mark.Whole {
				continue
			}
			slow, whole := collect(collected, &mark)
			if whole && !try(mark.Position, slow) {
				return
			}
		}
		for mark, err := range m.old(ctx) {
			if err != nil {
				yield(s, err)
				return
			}
			if !try(mark.Position, nil) {
				return
			}
		}
		try(0, nil)
	}
}

// slowParts are the parts of a list that were read so far, the last one first.
type slowParts struct {
	next int
	slow []slowRun
}

// collect adds a part, and returns its list if that is complete now.
func collect(lists map[string]*slowParts, m *mark) (slow []slowRun, whole bool) {
	if !m.More {
		lists[m.ID] = &slowParts{next: m.Part}
	}
	parts := lists[m.ID]
	if parts == nil || parts.next != m.Part {
		return nil, false // its last part, or one in between, is missing
	}
	parts.slow, parts.next = append(parts.slow, m.Slow...), m.Part-1
	return parts.slow, m.Part == 0
}

// old yields the positions that older versions saved, newest first. Alerts that were open then came
// after the saved position.
func (m *marks) old(ctx context.Context) iter.Seq2[mark, error] {
	return func(yield func(mark, error) bool) {
		for e, err := range m.a.Log.ReadStreamBackward(ctx, oldStream, domain.End) {
			if err != nil {
				yield(mark{}, fmt.Errorf("read %s: %w", oldStream, err))
				return
			}
			old, err := m.read(&e)
			if err != nil {
				continue // another sink's, or unusable
			}
			if old.Whole = true; !yield(old, nil) {
				return
			}
		}
	}
}

// read refuses marks that can't be used.
func (m *marks) read(e *domain.Recorded) (found mark, err error) {
	err = json.Unmarshal(e.Data, &found)
	switch {
	case err != nil:
	case e.Type != markType && e.Type != oldType, found.Sink != m.sink:
		err = fmt.Errorf("it is a %s of %q", e.Type, found.Sink)
	case found.Position >= e.Position:
		err = fmt.Errorf("it is about position %d, and was written at %d", found.Position, e.Position)
	}
	return found, err
}

// stream returns the name of the sink's stream: the sink's name, in characters that names may have.
func (m *marks) stream() string {
	return oldStream + "-" + strings.Map(func(r rune) rune {
		if r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' {
			return '.'
		}
		return r
	}, m.sink)
}
