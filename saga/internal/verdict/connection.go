package verdict

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
)

func endedByContext(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// mayHideSuccess reports whether a connection failed, anywhere in the error's tree. The request may
// then have arrived and only the answer been lost.
func mayHideSuccess(err error) bool {
	var network net.Error // syscall.Errno and *url.Error are among them
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) || driverLostConnection(err)
}

// driverLostConnection reports whether an error, or one that it wraps, is a database driver's error
// for a broken connection. A COMMIT whose answer is lost returns it too, and then looks like any
// other failed statement.
func driverLostConnection(err error) bool {
	switch e := err.(type) {
	case interface{ SafeToRetry() bool }:
		return true // pgx's "conn closed", which pgx calls safe to retry even after such a COMMIT
	case interface{ SQLState() string }:
		// A broken connection, a server that goes down, completion unknown.
		s := e.SQLState()
		return strings.HasPrefix(s, "08") || strings.HasPrefix(s, "57P0") || s == "40003"
	case interface{ Unwrap() error }:
		return driverLostConnection(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), driverLostConnection)
	}
	return err != nil && err.Error() == "invalid connection" // MySQL's driver has no type for it
}
