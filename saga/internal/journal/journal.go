package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
)

// Log is what a journal is kept in.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
	ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
	Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error]
}

// Journal is a log that notes how appends to it are answered. It is safe for concurrent use.
type Journal struct {
	Log

	logger *slog.Logger
	answers
	// failed is why the log takes no more appends, nil while it does.
	failed atomic.Pointer[error]
	// failures has an element when the log takes no more appends.
	failures chan error
}

// New returns a journal that is kept in the log.
func New(log Log, logger *slog.Logger) *Journal {
	return &Journal{Log: log, logger: logger, failures: make(chan error, 1)}
}

// Append is the log's, once.
func (j *Journal) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	j.began()
	done := false
	defer func() {
		if !done {
			j.ended(context.Canceled)
		}
	}()
	at, err := j.Log.Append(ctx, stream, expected, events...)
	done = true
	j.ended(err)
	return at, err
}

// Persevere appends to a stream. While the log's answer is unknown it tries the identical batch
// again, until ctx ends: the same write twice is one write.
//
// Errors: [domain.ErrConflict], [domain.ErrTooLarge], [domain.ErrStreamDeleted],
// [domain.ErrAccessDenied], those with which the log has ended ([domain.ErrClosed],
// [domain.ErrFailed]; see [Journal.Failures]), and, where ctx has ended, the last one of the log.
func (j *Journal) Persevere(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) error {
	_, err := j.Append(ctx, stream, expected, events...)
	if err == nil || j.final(stream, err) {
		return err
	}
	return j.repeat(ctx, err, stream, expected, events)
}

// repeat goes on with an append whose first answer was err.
func (j *Journal) repeat(ctx context.Context, err error, stream string, expected domain.Expected, events []domain.NewEvent) error {
	first := true
	return again.Until(ctx, 5*time.Millisecond, 2*time.Second, func() error {
		if !first {
			_, err = j.Append(ctx, stream, expected, events...)
		}
		switch {
		case err == nil, !first && errors.Is(err, domain.ErrConflict) && j.written(ctx, stream, expected, events):
			return nil
		case j.final(stream, err):
			return again.Final(err)
		}
		first = false
		return fmt.Errorf("append to %s: %w", stream, err)
	}, func(err error, _ int, in time.Duration) {
		j.logger.Warn("append failed, trying the same again", "stream", stream, "in", in, "error", err)
	})
}

// final reports whether an error answers an append for good, and notes an end of the log.
func (j *Journal) final(stream string, err error) bool {
	for _, final := range [...]error{domain.ErrClosed, domain.ErrFailed} {
		if errors.Is(err, final) {
			j.fail(fmt.Errorf("append to %s: %w", stream, err))
			return true
		}
	}
	for _, final := range [...]error{domain.ErrConflict, domain.ErrTooLarge, domain.ErrStreamDeleted, domain.ErrAccessDenied} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// written reports whether the events stand in the stream where they were to be appended: whether
// the conflict is with this process's own write, whose answer was lost. This process then performs
// what they ask for; no other one would.
func (j *Journal) written(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) bool {
	n := 0
	for r, err := range j.ReadStream(ctx, stream, uint64(expected+1)) {
		if err != nil || n == len(events) || r.ID != events[n].ID {
			break
		}
		n++
	}
	return n == len(events)
}

// fail notes that the log takes no more appends.
func (j *Journal) fail(err error) {
	j.failed.CompareAndSwap(nil, &err)
	select {
	case j.failures <- err:
	default:
	}
}

// Failures has an element when the log takes no more appends. What was not appended goes on when
// the log was opened again.
func (j *Journal) Failures() <-chan error { return j.failures }

// Failed returns why the log takes no more appends, nil while it does.
func (j *Journal) Failed() error {
	if err := j.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// HasFailed reports whether the log takes no more appends.
func (j *Journal) HasFailed() bool { return j.failed.Load() != nil }
