package pebblelog_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/sagatest/killtest"
	"github.com/atonehq/atone/saga/sagatest/logtest"
	"github.com/atonehq/atone/saga/sagatest/ordertest"
)

func TestMain(m *testing.M) {
	killtest.BeChild(killtest.Children{"append": appendUntilKilled})
	goleak.VerifyTestMain(m)
}

// quiet is a configuration for tests: small, and silent about the faults that they cause.
func quiet() pebblelog.Config {
	return pebblelog.Config{MemTableBytes: 4 << 20, Logger: slog.New(slog.DiscardHandler)}
}

// open opens a log and closes it when the test ends.
func open(t testing.TB, dir string, cfg pebblelog.Config) *pebblelog.Log {
	t.Helper()
	l, err := pebblelog.Open(dir, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// event returns an event of about this many bytes.
func event(size int) domain.NewEvent {
	id := uuid.New()
	return domain.NewEvent{
		ID: id, Type: "happened.v1", Metadata: []byte(`{"$correlationId":"c"}`),
		Data: fmt.Appendf(nil, `{"id":%q,"pad":"%0*d"}`, id, size, 7),
	}
}

func eventsOf(n, size int) []domain.NewEvent {
	events := make([]domain.NewEvent, n)
	for i := range events {
		events[i] = event(size)
	}
	return events
}

func TestKeepsTheContractOfALog(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]pebblelog.Config{
		"default":     quiet(),
		"tiny caches": {MemTableBytes: 1 << 20, TailBytes: 1, Heads: 1, Logger: quiet().Logger},
		"no sync":     {MemTableBytes: 4 << 20, NoSync: true, Logger: quiet().Logger},
	} {
		t.Run(name, func(t *testing.T) {
			dirs := make(chan map[domain.Log]string, 1)
			dirs <- map[domain.Log]string{}
			logtest.Suite{
				Open: func(t *testing.T) domain.Log {
					dir := t.TempDir()
					l := open(t, dir, cfg)
					m := <-dirs
					m[l] = dir
					dirs <- m
					return l
				},
				Reopen: func(t *testing.T, log domain.Log) domain.Log {
					require.NoError(t, log.(*pebblelog.Log).Close())
					m := <-dirs
					dir := m[log]
					dirs <- m
					return open(t, dir, cfg)
				},
			}.Run(t)
		})
	}
}

func TestCallsFitOneOrder(t *testing.T) {
	t.Parallel()
	ordertest.Check(t, open(t, t.TempDir(), quiet()))
}
