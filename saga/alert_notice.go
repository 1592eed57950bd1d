package saga

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// noticeStream holds the alerts that do not follow from an event of a run. Whoever tells alerts finds them there, on
// whichever node.
const noticeStream = domain.SystemPrefix + "notices"

const noticeType = "atone.notice.v1"

// notify has an alert told. It is written to the log in the background and tried again for a while, because the
// one who notices must not wait. The same alert twice is one.
func (c *Coordinator) notify(a Alert) {
	c.goBackground(func(ctx context.Context) {
		data, err := json.Marshal(a)
		if err != nil {
			c.logger.Error("alert not told: it can't be written", "alert", a.ID, "error", err)
			return
		}
		e := domain.NewEvent{ID: uuid.NewSHA1(planSpace, []byte("notice "+a.ID)), Type: noticeType, Data: data}
		for delay := 100 * time.Millisecond; delay < time.Minute; delay *= 2 {
			if _, err = c.log.Append(ctx, noticeStream, domain.AnyRevision, e); err == nil {
				return
			}
			select {
			case <-time.After(delay):
			case <-ctx.Done():
				return // a process that stops has nothing that hangs
			}
		}
		c.logger.Error("alert not told: the log does not take it", "alert", a.ID, "error", err)
	})
}

// noticeOf reads an alert that [Coordinator.notify] wrote.
func noticeOf(e *domain.Recorded) (a Alert, err error) {
	if err = json.Unmarshal(e.Data, &a); err != nil {
		err = fmt.Errorf("read %s at %d: %w", e.Stream, e.Revision, err)
	}
	return a, err
}
