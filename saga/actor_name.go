package saga

import (
	"context"

	"github.com/atonehq/atone/domain/accept"
)

type actorKey struct{}

// WithActor returns a context that names who acts: the name is recorded with every event
// that follows from a call made with it. Without one the coordinator's own name is. A name over 250 bytes, or
// with characters that no screen shows, is refused by that call with [ErrBadInput].
func WithActor(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, actorKey{}, name)
}

func actorOf(ctx context.Context) string {
	name, _ := ctx.Value(actorKey{}).(string)
	return name
}

// checkActor refuses the name of an actor that could not be shown.
func checkActor(ctx context.Context) error {
	return accept.OptionalName("the actor", actorOf(ctx), accept.MaxName)
}
