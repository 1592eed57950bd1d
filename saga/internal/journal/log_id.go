package journal

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

// idTries bounds how often the id is read again after another process wrote first.
const idTries = 50

// ID returns the log's id, and names the log if it has none. A copy of a log has the same id.
func (j *Journal) ID(ctx context.Context) (uuid.UUID, error) {
	for range idTries {
		for e, err := range j.ReadStream(ctx, logIDStream, 0) {
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
		err = j.Persevere(ctx, logIDStream, domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: logIDType, Data: data})
		if err != nil && !errors.Is(err, domain.ErrConflict) {
			return uuid.Nil, fmt.Errorf("name the log: %w", err)
		}
	}
	return uuid.Nil, fmt.Errorf("name the log: %w", domain.ErrConflict)
}
