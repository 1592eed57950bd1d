package act

import (
	"context"
	"errors"
	"strings"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
)

// needReason returns the given reason. If there is none, it asks for it at a terminal; elsewhere
// it returns a usage error.
func needReason(ctx context.Context, env *access.Env, what, given string) (string, error) {
	reason := strings.TrimSpace(given)
	if reason == "" && tty.Is(env.In) {
		var err error
		if reason, err = env.Ask(ctx, "why "+what+"? (for the audit trail) "); err != nil {
			return "", err
		}
	}
	if reason == "" {
		return "", console.UsageError{Err: errors.New(what + " needs a --reason: it is recorded for good")}
	}
	return reason, nil
}

// canGiveReason refuses, before a plan is shown, an act whose reason is missing and can't be asked
// for.
func canGiveReason(env *access.Env, what, given string) error {
	if tty.Is(env.In) {
		return nil
	}
	_, err := needReason(context.Background(), env, what, given) // it asks nothing here
	return err
}
