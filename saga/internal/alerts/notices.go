package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
)

// noticeStream holds the alerts that do not follow from an event of a run. The node that sends
// alerts reads them there.
const noticeStream = domain.SystemPrefix + "notices"

const noticeType = "atone.notice.v1"

// noticePatience is how long Notify keeps trying to append a notice.
const noticePatience = 2 * time.Minute

// Notify writes an alert to the log, from where it is sent. It blocks for a while if the log does
// not answer. Writing the same alert twice has no further effect.
func (a *Alerts) Notify(ctx context.Context, alert domain.Alert) {
	data, err := json.Marshal(alert)
	if err != nil {
		a.Logger.Error("alert not told: it can't be written", "alert", alert.ID, "error", err)
		return
	}
	id := uuid.NewSHA1(domain.SystemSpace, []byte("notice "+alert.ID))
	within, stop := context.WithTimeout(ctx, noticePatience)
	defer stop()
	err = again.Until(within, 100*time.Millisecond, time.Minute, func() error {
		e := domain.NewEvent{ID: id, Type: noticeType, Data: data}
		_, err := a.Log.Append(within, noticeStream, domain.AnyRevision, e)
		return err
	}, nil)
	if err != nil && ctx.Err() == nil { // in a process that stops, nothing hangs any longer
		a.Logger.Error("alert not told: the log does not take it", "alert", alert.ID, "error", err)
	}
}

// noticeOf reads an alert that [Alerts.Notify] wrote.
func noticeOf(e *domain.Recorded) (alert domain.Alert, err error) {
	if err = json.Unmarshal(e.Data, &alert); err != nil {
		err = fmt.Errorf("read %s at %d: %w", e.Stream, e.Revision, err)
	}
	return alert, err
}
