package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga"
)

// Meant adds a suggestion ("did you mean …?") to an error about an unknown saga or action. It
// returns other errors unchanged.
func (env *Env) Meant(ctx context.Context, name string, err error) error {
	if !errors.Is(err, saga.ErrUnknownSaga) && !errors.Is(err, saga.ErrUnknownAction) {
		return err
	}
	var names []string
	asked := env.With(ctx, Use{Definitions: true}, func(ctx context.Context, c *client.Client) error {
		if errors.Is(err, saga.ErrUnknownAction) {
			list, err := c.Actions(ctx)
			for i := range list {
				names = append(names, list[i].Name)
			}
			return err
		}
		list, err := c.Sagas(ctx)
		for i := range list {
			names = append(names, list[i].Name)
		}
		return err
	})
	if meant := accept.Meant(name, names); asked == nil && meant != "" && meant != name {
		return fmt.Errorf("%w: did you mean %s?", err, meant)
	}
	return err
}
