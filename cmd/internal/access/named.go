package access

import (
	"context"

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

// Named sets the run that a flag names so. It does nothing where the flag is not given.
func (env *Env) Named(ctx context.Context, c *client.Client, name string, id *domain.RunID) (err error) {
	if name != "" {
		*id, err = env.Run(ctx, c, name)
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
