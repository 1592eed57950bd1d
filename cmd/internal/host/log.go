package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// Log is a log that this process has open.
type Log interface {
	domain.Log
	Close() error
}

// LogDir is where a data directory has its log.
func LogDir(data string) string { return filepath.Join(data, "log") }

// OpenLog opens the embedded log in a data directory and creates it if needed. With mustExist a
// missing log is an error instead.
func OpenLog(data string, logger *slog.Logger, mustExist bool) (*pebblelog.Log, error) {
	if _, err := os.Stat(LogDir(data)); mustExist && errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s has no log: check --data, or start a run in it first", data)
	}
	return pebblelog.Open(LogDir(data), pebblelog.Config{Logger: logger})
}

// LoadTokens reads the tokens. It is the first read of a log: if the cluster does not answer, it
// waits and logs that it waits.
func LoadTokens(ctx context.Context, log Log, logger *slog.Logger) (*auth.Tokens, error) {
	late := time.AfterFunc(2*time.Second, func() {
		logger.Warn("the log does not answer yet: waiting for it (check --log and the cluster, or interrupt)")
	})
	defer late.Stop()
	tokens := auth.NewTokens(log, nil)
	return tokens, tokens.Load(ctx)
}
