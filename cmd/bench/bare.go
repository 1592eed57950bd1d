package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// barePrefix begins the names of the streams for appends that belong to no run. No view, no audit
// and no other coordinator reads these streams.
const barePrefix = domain.SystemPrefix + "bench-"

// bareStreams remembers the streams that a measurement of bare appends has written to.
type bareStreams struct {
	mu    sync.Mutex
	names []string
}

// next names a new stream.
func (b *bareStreams) next() string {
	name := barePrefix + uuid.NewString()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names = append(b.names, name)
	return name
}

// remove soft-deletes the streams on an EventStoreDB server, whose scavenge then frees their space.
// It does nothing on other logs. It also runs after an interrupt, for at most a minute.
func (b *bareStreams) remove(ctx context.Context, connection string, callers int) error {
	if connection == "" || len(b.names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute+time.Duration(len(b.names))*10*time.Millisecond)
	defer cancel()
	cfg, err := esdb.ParseConnectionString(connection)
	if err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	cfg.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(cfg)
	if err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	next := make(chan string, len(b.names))
	for _, name := range b.names {
		next <- name
	}
	_, err = repeat(ctx, callers, len(b.names), func(ctx context.Context) error {
		_, err := client.DeleteStream(ctx, <-next, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
		if e, _ := esdb.FromError(err); e != nil && e.IsErrorCode(esdb.ErrorCodeResourceNotFound) {
			return nil // the append failed, so there is no stream
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("soft-delete the bench's own streams: some of %d with names that begin with %s are left: delete them: %w", len(b.names), barePrefix, err)
	}
	return errors.Join(err, client.Close())
}

// errHoldsRuns refuses a log that somebody may need.
var errHoldsRuns = errors.New("this log holds runs, and the bench would add thousands of its own, for good: give another log, or --yes")

// checkLogs returns an error if a log that the scenario would write to holds runs.
func checkLogs(ctx context.Context, o Options) error {
	if o.Yes {
		return nil
	}
	e := engine(o.Log)
	if e != embedded && e != served {
		return checkLog(ctx, e, "")
	}
	if o.Data == "" {
		return nil // a temporary one
	}
	for _, dir := range []string{".", "runs", "recovery", "with-0"} {
		if err := checkLog(ctx, embedded, filepath.Join(o.Data, dir)); err != nil {
			return err
		}
	}
	return nil
}

// checkLog refuses a log that holds runs. A directory without a log holds none.
func checkLog(ctx context.Context, e engine, dir string) (err error) {
	if e == embedded {
		if _, err := os.Stat(filepath.Join(dir, "log")); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	log, _, closeLog, err := e.open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	for r, err := range log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return fmt.Errorf("look for runs in the log: %w", err)
		}
		if _, ok := domain.RunOfStream(r.Stream); ok {
			return errHoldsRuns
		}
	}
	return nil
}
