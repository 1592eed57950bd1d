package ordertest

import (
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/atonehq/atone/domain"
)

// standing is a run as its callers see it.
type standing struct {
	run   domain.RunID
	input string
	// said are the values of the signals that the run took, in their order, ids the ids of these.
	said, ids []string
	// ended means that somebody was told so: with all signals it may end at any time.
	ended bool
}

// runModel is the run of one key.
var runModel = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		by := make(map[string][]porcupine.Operation)
		for _, op := range all {
			key := op.Input.(call).key
			by[key] = append(by[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return standing{} },
	Step: func(state, input, output any) (bool, any) {
		return state.(standing).take(input.(call), output.(answer))
	},
	Equal: func(a, b any) bool { return a.(standing).equal(b.(standing)) },
}

// take reports whether a call may be answered so, and returns how the run stands then.
func (s standing) take(in call, out answer) (bool, standing) {
	none := s.run == domain.RunID{}
	switch in.what {
	case start:
		if none { // nobody started it yet
			s.run, s.input = out.run, in.text
			return out.refused == "" && out.run != domain.RunID{}, s
		}
		if in.text != s.input {
			return out.refused == "another input", s
		}
		return out.refused == "" && out.run == s.run, s
	case signal:
		switch {
		case none:
			return out.refused == "no such run", s
		case in.id != "" && slices.Contains(s.ids, in.id): // a repeat
			return out.refused == "", s
		case out.refused == "past its awaits":
			return len(s.said) >= wanted && !s.ended, s
		case out.refused == "ended":
			s.ended = true
			return len(s.said) >= wanted, s
		case out.refused != "" || s.ended:
			return false, s
		}
		s.said = append(slices.Clone(s.said), in.text)
		if in.id != "" {
			s.ids = append(slices.Clone(s.ids), in.id)
		}
		return true, s
	default:
		s.ended = true
		return out.refused == "" && len(s.said) >= wanted && slices.Equal(out.output, append([]string{s.input}, s.said[:wanted]...)), s
	}
}

func (s standing) equal(o standing) bool {
	return s.run == o.run && s.input == o.input && s.ended == o.ended && slices.Equal(s.said, o.said) && slices.Equal(s.ids, o.ids)
}
