package auth

import (
	"context"
	"fmt"
	"slices"
)

// Scope is something that a token allows.
type Scope string

// The scopes.
const (
	// Read allows reading everything. Payload fields marked secret stay redacted.
	Read Scope = "read"
	// Start allows starting runs, waiting for their results, signalling them and emitting events.
	Start Scope = "start"
	// Operate allows cancelling, pausing, resuming, retrying, resolving, abandoning and signalling
	// runs.
	Operate Scope = "operate"
	// Admin allows all of these, and managing tokens and projections.
	Admin Scope = "admin"
)

// Scopes lists all scopes.
func Scopes() []Scope { return []Scope{Read, Start, Operate, Admin} }

// ParseScopes reads scopes from text and refuses unknown ones.
func ParseScopes(names []string) ([]Scope, error) {
	out := make([]Scope, 0, len(names))
	for _, n := range names {
		s := Scope(n)
		if !slices.Contains(Scopes(), s) {
			return nil, fmt.Errorf("unknown scope %q: use read, start, operate or admin", n)
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, nil
}

// Identity is who makes a request.
type Identity struct {
	// Name is the token's name: the actor in the audit.
	Name   string
	Scopes []Scope
	// Sagas are the sagas and single actions that the identity is limited to; empty means all.
	Sagas []string
	// Open means that the server asks for no token.
	Open bool
}

// Has reports whether the identity has one of the scopes.
func (i Identity) Has(scopes ...Scope) bool {
	if slices.Contains(i.Scopes, Admin) {
		return true
	}
	return slices.ContainsFunc(scopes, func(s Scope) bool { return slices.Contains(i.Scopes, s) })
}

// Covers reports whether the identity may use the saga.
func (i Identity) Covers(saga string) bool {
	return len(i.Sagas) == 0 || slices.Contains(i.Sagas, saga)
}

// Bound reports whether the identity is limited to some sagas.
func (i Identity) Bound() bool { return len(i.Sagas) > 0 }

// May reports whether the identity has the scope for the saga. An empty saga means that the
// operation concerns no particular saga.
func (i Identity) May(scope Scope, saga string) bool {
	return i.Has(scope) && (saga == "" || i.Covers(saga))
}

// ScopeNames returns the scopes as text.
func (i Identity) ScopeNames() []string {
	out := make([]string, len(i.Scopes))
	for k, s := range i.Scopes {
		out[k] = string(s)
	}
	return out
}

type identityKey struct{}

// WithIdentity returns a context that carries the identity.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// IdentityOf returns the identity that the guard found, and whether there is one.
func IdentityOf(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}
