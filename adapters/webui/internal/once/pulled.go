package once

import (
	"strconv"

	"github.com/atonehq/atone/domain"
)

// Pulled reports whether the person pulled the lever after the revision that the form was drawn at,
// for the same reason and, if step is not empty, at the same step. Whoever sends one form twice
// meant one act, though the server may have forgotten the first.
func Pulled(facts []domain.Fact, drawn, person, act, step, reason string) bool {
	seen, err := strconv.ParseUint(drawn, 10, 64)
	if err != nil {
		return false
	}
	for i := range facts {
		f := &facts[i]
		if f.Revision <= seen || f.Meta.Actor != person {
			continue
		}
		if of, at, why := actOf(f.Event); of == act && why == reason && (step == "" || step == at) {
			return true
		}
	}
	return false
}

// actOf is the lever whose act an event is, with its step and reason.
func actOf(e domain.Event) (act, step, reason string) {
	switch e := e.(type) {
	case *domain.RunPaused:
		return "pause", "", e.Reason
	case *domain.RunResumed:
		return "resume", "", e.Reason
	case *domain.RunAbandoned:
		return "abandon", "", e.Reason
	case *domain.CancelRequested:
		return "cancel", "", e.Cause.Message
	case *domain.RunTurnedBack:
		return "cancel", "", e.Cause.Message
	case *domain.StepRetried:
		return "retry", e.Step, e.Reason
	case *domain.StepResolved:
		return string(e.How), e.Step, e.Reason
	}
	return "", "", ""
}
