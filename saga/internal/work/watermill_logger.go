package work

import (
	"context"
	"errors"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
)

// watermillLogger adapts a slog.Logger for Watermill, whose own messages are for debugging.
func watermillLogger(l *slog.Logger) watermill.LoggerAdapter {
	return routerLogger{watermill.NewSlogLoggerWithLevelMapping(l, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug}),
		!l.Enabled(context.Background(), watermill.LevelTrace)}
}

// routerLogger does not log an orderly stop as a failure: the next start takes up the attempts that
// the stop cancelled. It also skips traces, of which the router writes several per message.
type routerLogger struct {
	watermill.LoggerAdapter
	noTraces bool
}

// Trace implements [watermill.LoggerAdapter].
func (l routerLogger) Trace(msg string, fields watermill.LogFields) {
	if !l.noTraces {
		l.LoggerAdapter.Trace(msg, fields)
	}
}

// Error implements [watermill.LoggerAdapter].
func (l routerLogger) Error(msg string, err error, fields watermill.LogFields) {
	if errors.Is(err, ErrShutdown) {
		l.Debug(msg, fields.Add(watermill.LogFields{"error": err}))
		return
	}
	l.LoggerAdapter.Error(msg, err, fields)
}

// With implements [watermill.LoggerAdapter].
func (l routerLogger) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return routerLogger{l.LoggerAdapter.With(fields), l.noTraces}
}
