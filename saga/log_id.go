package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// logIDStream holds, in its first event, the id of the log that it is in.
const (
	logIDStream = domain.SystemPrefix + "log-id"
	logIDType   = "atone.log_named.v1"
)

type logName struct {
	ID uuid.UUID `json:"id"`
}

// logID returns the log's id, and names the log where nobody has. A copy of a log has its id.
func (c *Coordinator) logID(ctx context.Context) (uuid.UUID, error) {
	for range turnTries {
		for e, err := range c.log.ReadStream(ctx, logIDStream, 0) {
			if err != nil {
				return uuid.Nil, fmt.Errorf("read the log's id: %w", err)
			}
			var name logName
			if err := json.Unmarshal(e.Data, &name); err != nil || name.ID == uuid.Nil {
				return uuid.Nil, fmt.Errorf("the log's id in %s can't be read: %q", logIDStream, e.Data)
			}
			return name.ID, nil
		}
		data, err := json.Marshal(logName{uuid.New()})
		if err != nil {
			return uuid.Nil, err
		}
		err = c.persevere(ctx, logIDStream, domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: logIDType, Data: data})
		if err != nil && !errors.Is(err, domain.ErrConflict) {
			return uuid.Nil, fmt.Errorf("name the log: %w", err)
		}
	}
	return uuid.Nil, fmt.Errorf("name the log: %w", domain.ErrConflict)
}
