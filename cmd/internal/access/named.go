package access

import (
	"context"
	"errors"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
)

// CheckRun returns an error if the text can't name a run. It opens nothing.
func (env *Env) CheckRun(name string) error {
	if console.IsRunEnd(name) {
		return nil
	}
	_, err := env.ParseRun(name)
	return err
}

// Named sets the run that a flag names so, which must exist. It does nothing where the flag is not
// given.
func (env *Env) Named(ctx context.Context, c *client.Client, name string, id *domain.RunID) error {
	if name == "" {
		return nil
	}
	if err := env.CheckRun(name); err != nil {
		return err
	}
	run, err := c.Named(ctx, name)
	*id = run.ID
	return err
}

// MeantRun adds to the error of a run that does not exist which saga may have been meant. It
// returns other errors unchanged.
func (env *Env) MeantRun(ctx context.Context, c *client.Client, name string, err error) error {
	if !errors.Is(err, domain.ErrNotFound) || console.IsRunEnd(name) {
		return err
	}
	if _, asked := c.Named(ctx, name); errors.Is(asked, domain.ErrUnknownSaga) {
		return asked
	}
	return err
}

// Run returns the run that the command line names. It asks the API only if the name is the end of
// an id.
func (env *Env) Run(ctx context.Context, c *client.Client, name string) (domain.RunID, error) {
	if !console.IsRunEnd(name) {
		return env.ParseRun(name)
	}
	run, err := c.Named(ctx, name)
	return run.ID, err
}
