package runs

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Subject is what a [Match] looks at.
type Subject string

// The subjects of a [Match].
const (
	// OnKey is the caller's key; OnActor who started the run.
	OnKey   Subject = "key"
	OnActor Subject = "actor"
	// OnLabel is the label of the Match's Name.
	OnLabel Subject = "label"
	// OnStep is a step that is under way or stuck, or whose failure turned the run back. Which item
	// of a list a step is about makes no difference.
	OnStep Subject = "step"
	// OnField is a payload field that the plan marks as searchable, of the Match's Name; upper and
	// lower case are the same.
	OnField Subject = "field"
	// OnID is the run's id; its hyphens make no difference. Without Begins, the value is its end: 6
	// to 16 digits, or all.
	OnID Subject = "id"
)

// Match is a condition on one property of a run.
type Match struct {
	On Subject
	// Name is that of a label or field; else empty.
	Name string
	// Value is the whole value or, with Begins, its beginning. An empty beginning selects all runs
	// that have the label, the field, and so on.
	Value  string
	Begins bool
}

// Check says what is wrong with the match.
func (m *Match) Check() error {
	_, err := m.conditions()
	return err
}

// conditions returns the match as conditions on the table.
func (m *Match) conditions() ([]projections.Cond, error) {
	var tag string
	switch m.On {
	case OnKey:
		switch {
		case !m.Begins:
			return []projections.Cond{projections.Eq("key", m.Value)}, nil
		case m.Value == "":
			return []projections.Cond{projections.NotNull("key1")}, nil
		}
		return projections.BeginsBy("key1", "key2", "key", m.Value), nil
	case OnID:
		return m.idConditions()
	case OnActor:
		tag = actorTag(m.Value)
	case OnLabel:
		tag = labelTag(m.Name, m.Value)
	case OnStep:
		tag = stepTag(m.Value)
	case OnField:
		tag = fieldTag(m.Name, domain.CutText(m.Value, fieldBytes))
	default:
		return nil, fmt.Errorf("runs are not found by %q", m.On)
	}
	if m.Begins {
		return []projections.Cond{projections.Begins("tags", tag)}, nil
	}
	return []projections.Cond{projections.Has("tags", tag)}, nil
}

// A condition on a part of a run's id has at least ShortestID digits, and at most longestID, which
// are all that the column id_end has.
const (
	ShortestID = 6
	longestID  = 16
)

// idConditions compares the id's beginning, or its end.
func (m *Match) idConditions() ([]projections.Cond, error) {
	digits := strings.ToLower(strings.ReplaceAll(m.Value, "-", ""))
	switch {
	case strings.Trim(digits, "0123456789abcdef") != "" || len(digits) < ShortestID || len(digits) > longestID && len(digits) != 32:
		return nil, fmt.Errorf("%q is no part of a run's id: give its first or last %d to %d digits, or all", m.Value, ShortestID, longestID)
	case len(digits) == 32:
		id, err := uuid.Parse(digits)
		return []projections.Cond{projections.Eq("run", id)}, err
	}
	if m.Begins {
		from, err := hex.DecodeString(digits + strings.Repeat("0", len(digits)%2))
		if err != nil {
			return nil, err
		}
		to, err := hex.DecodeString(digits + strings.Repeat("f", len(digits)%2))
		if err != nil {
			return nil, err
		}
		return []projections.Cond{projections.Within("run", from, append(to, slices.Repeat([]byte{0xff}, 16)...))}, nil
	}
	end := []byte(digits)
	slices.Reverse(end)
	return []projections.Cond{projections.Begins("id_end", string(end))}, nil
}
