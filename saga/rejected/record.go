package rejected

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Stream is the stream of rejected events.
const Stream = domain.SystemPrefix + "rejected"

// The wire names of the events in the stream.
const (
	rejectedType  = "atone.event_rejected.v1"
	startedType   = "atone.rejected_started.v1"
	dismissedType = "atone.rejected_dismissed.v1"
)

// rejection is the data of the event that a domain event was rejected.
type rejection struct {
	ID       uuid.UUID       `json:"id"`
	Event    uuid.UUID       `json:"event"`
	Type     string          `json:"type"`
	Stream   string          `json:"stream"`
	Revision uint64          `json:"revision"`
	Position domain.Position `json:"position"`
	Saga     string          `json:"saga"`
	Version  int             `json:"version"`
	Error    string          `json:"error"`
	At       time.Time       `json:"at"`
}

// settlement is the data of the events that end a rejection; a dismissal has no run.
type settlement struct {
	ID     uuid.UUID    `json:"id"`
	Run    domain.RunID `json:"run,omitzero"`
	Actor  string       `json:"actor"`
	Reason string       `json:"reason"`
	At     time.Time    `json:"at"`
}

// written is the data as an event to append.
func written(id uuid.UUID, wireName string, data any) (domain.NewEvent, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return domain.NewEvent{}, fmt.Errorf("write %s: %w", wireName, err)
	}
	return domain.NewEvent{ID: id, Type: wireName, Data: raw}, nil
}
