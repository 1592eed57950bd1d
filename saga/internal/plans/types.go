package plans

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
)

// storeTypes sees to it that the latest event beside the plan says what the payloads of its runs
// are here. Types that are too large for an event are not told of; they stop nobody.
func (s *Store) storeTypes(ctx context.Context, d *definition.Definition) error {
	p := d.Plan
	data, err := payload.Marshal(d.Types())
	if err != nil {
		return err
	}
	if len(data) > domain.MaxAppendSize/2 {
		s.logger.Warn("the types of a saga are too large to be kept in the log", "saga", p.Saga, "version", p.Version, "bytes", len(data))
		return nil
	}
	stream := domain.PlanTypesStream(p.Hash())
	for range tries {
		known, last, rerr := domain.ReadTypesStream(s.journal.ReadStream(ctx, stream, 0))
		if rerr != nil {
			err = rerr
			break
		}
		if known != nil {
			same, merr := payload.Marshal(known)
			if merr == nil && string(same) == string(data) {
				return nil
			}
		}
		// What is told may change back: the revision keeps two events of one text apart.
		id := uuid.NewSHA1(space, append([]byte(stream+"@"+strconv.FormatInt(int64(last), 10)), data...))
		e := domain.NewEvent{ID: id, Type: domain.PlanTyped, Data: data}
		if err = s.journal.Persevere(ctx, stream, last, e); err == nil || !errors.Is(err, domain.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("store the types of %s v%d: %w", p.Saga, p.Version, err)
	}
	return nil
}
