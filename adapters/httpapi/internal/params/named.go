package params

import (
	"context"
	"strings"
)

// typedRun is a run by its id, and by what somebody typed for it.
type typedRun struct{ id, name string }

type typedKey struct{}

// WithTyped returns a context of a request whose caller named the run so.
func WithTyped(ctx context.Context, id, name string) context.Context {
	return context.WithValue(ctx, typedKey{}, typedRun{id, name})
}

// AsTyped returns the text with the run named as the request's caller did.
func AsTyped(ctx context.Context, text string) string {
	if run, ok := ctx.Value(typedKey{}).(typedRun); ok {
		return strings.ReplaceAll(text, run.id, run.name)
	}
	return text
}
