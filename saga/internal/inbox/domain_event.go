package inbox

import (
	"strings"

	"github.com/atonehq/atone/domain"
)

// isDomainEvent reports whether an event is one that an app, or an action, emitted.
func isDomainEvent(e *domain.Recorded) bool {
	_, isRun := domain.RunOfStream(e.Stream)
	return !strings.HasPrefix(e.Type, "$") && !strings.HasPrefix(e.Stream, "$") &&
		(isRun && !domain.ReservedType(e.Type) || !isRun && !domain.ReservedStream(e.Stream))
}

// correlationOf returns the correlation id of an event, if there is one.
func correlationOf(e *domain.Recorded) string {
	m, err := domain.DecodeMeta(e.Metadata)
	if err != nil {
		return "" // an app's own metadata need not be atone's
	}
	return m.CorrelationID
}
