package work

import (
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/internal/definition"
)

// maskAttempt removes the secret values of an attempt's payloads from the text of its failure. The
// coordinator removes those of the run's other payloads.
func maskAttempt(c *definition.Action, a *attemptState, f *domain.Failure) *domain.Failure {
	if f == nil {
		return f
	}
	cloak := secret.NewCloak(slices.Concat(c.Secrets.Names, a.task.Secret))
	cloak.Learn(a.task.Input, a.task.Output, a.task.Details)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.emitted {
		cloak.With(e.Secret).Learn(e.Payload)
	}
	return cloak.Failure(f)
}
