package again

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// lasting is for how long an attempt must have lasted for the next interval to be the first again:
// what went well for a while and then broke has not failed in a row.
const lasting = time.Minute

// Until calls f until it returns nil, or until ctx ends; it returns the last error then. The first
// interval between two calls is first; each is twice the one before, up to most. After each failure
// tell, if not nil, is told the error, how often f has failed in a row, and when it is called next.
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
	if err == nil {
		return nil
	}
	return last
}
