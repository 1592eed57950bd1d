package holds

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// Stream is the stream of holds.
const Stream = domain.SystemPrefix + "holds"

// The wire names of the events in the stream.
const (
	heldType     = "atone.action_held.v1"
	releasedType = "atone.action_released.v1"
)

// event is the data of both events; a release has no undos.
type event struct {
	Action string    `json:"action"`
	Undos  bool      `json:"undos,omitempty"`
	Reason string    `json:"reason"`
	Actor  string    `json:"actor"`
	At     time.Time `json:"at"`
}

// written is the event as it is appended.
func (e *event) written(wireName string) (domain.NewEvent, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return domain.NewEvent{}, fmt.Errorf("write %s: %w", wireName, err)
	}
	return domain.NewEvent{ID: uuid.New(), Type: wireName, Data: data}, nil
}
