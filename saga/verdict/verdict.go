package verdict

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// says reports whether an error has a verdict already.
func says(err error) bool {
	effect, _ := saga.EffectOf(err)
	return effect != domain.EffectUnsaid
}
