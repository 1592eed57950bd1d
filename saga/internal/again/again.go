package again

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// lasting is how long a call must last for the next interval to be the first one again: a call that
// worked for a while and then broke is not a failure in a row.
const lasting = time.Minute

// Until calls f until it returns nil or an error of [Final], or until ctx ends, and returns the
// last error. The first interval between two calls is first; each further one doubles, up to most.
// After each failure Until calls tell, if not nil, with the error, the number of failures in a row,
// and the time until the next call.
func Until(ctx context.Context, first, most time.Duration, f func() error, tell func(err error, failed int, in time.Duration)) error {
	pace := &backoff.ExponentialBackOff{InitialInterval: first, Multiplier: 2, MaxInterval: most}
	failed := 0
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		began := time.Now()
		last = f()
		if failed++; time.Since(began) >= max(lasting, most) {
			failed = 1
			pace.Reset()
		}
		return struct{}{}, last
	}, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, in time.Duration) {
		if tell != nil {
			tell(err, failed, in)
		}
	}))
	var final *backoff.PermanentError
	switch {
	case err == nil:
		return nil
	case errors.As(last, &final):
		return final.Unwrap()
	}
	return last
}

// Final makes [Until] return err at once.
func Final(err error) error { return backoff.Permanent(err) }
