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

// look reads the newest mark that can be read, or else where an older version stood.
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

// start is where telling may begin.
type start struct {
	// position is from where to read, with slow as the list up to there. Nothing up to told is told
	// again, nor are the runs in slow whose time was before slowTo.
	position, told domain.Position
	slowTo         time.Time
	slow           []slowRun
}

// starts yields where telling may begin, the best first: the newest whole list, older ones for when
// its position is refused, and in the end the log's beginning. Nothing that the newest mark says
// was told is told again.
func (m *marks) starts(ctx context.Context) iter.Seq2[start, error] {
	return func(yield func(start, error) bool) {
		s := start{told: m.newest.Position, slowTo: m.newest.SlowTo}
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

// slowParts are the parts of a list that were read so far, from the last one on.
type slowParts struct {
	next int
	slow []slowRun
}

// collect adds a part to the lists that were read so far, and returns its list if that is whole
// now.
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

// old yields what older versions noted, newest first. What lay open then came after the position
// that they noted.
func (m *marks) old(ctx context.Context) iter.Seq2[mark, error] {
	return func(yield func(mark, error) bool) {
		for e, err := range m.a.Log.ReadStreamBackward(ctx, oldStream, domain.End) {
			if err != nil {
				yield(mark{}, fmt.Errorf("read %s: %w", oldStream, err))
				return
			}
			old, err := m.read(&e)
			if err != nil {
				continue // another sink's, or of no use
			}
			if old.Whole = true; !yield(old, nil) {
				return
			}
		}
	}
}

// read refuses what can't be used.
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

// stream is named after the sink, in the characters that names have.
func (m *marks) stream() string {
	return oldStream + "-" + strings.Map(func(r rune) rune {
		if r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' {
			return '.'
		}
		return r
	}, m.sink)
}
