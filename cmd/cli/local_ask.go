package cli

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// quiet is the logger for what runs beside a command: its errors are returned as well.
func (env *environment) quiet() *slog.Logger {
	if env.verbose {
		return env.logger(slog.LevelDebug)
	}
	return slog.New(slog.DiscardHandler)
}

func (b *localBackend) Story(ctx context.Context, id domain.RunID) (*projections.Story, error) {
	log, err := b.reader()
	if err != nil {
		return nil, err
	}
	return projections.TellStory(ctx, log, id)
}

func (b *localBackend) Events(ctx context.Context, id domain.RunID) iter.Seq2[wire.Event, error] {
	return func(yield func(wire.Event, error) bool) {
		log, err := b.reader()
		if err != nil {
			yield(wire.Event{}, err)
			return
		}
		var cloak *secret.Cloak
		begun := false
		for r, err := range log.ReadStream(ctx, domain.RunStream(id), 0) {
			if err == nil && !begun {
				begun = true
				cloak, err = cloakOf(ctx, log, &r)
			}
			if err != nil {
				yield(wire.Event{}, err)
				return
			}
			if !yield(httpapi.EventOf(&r, cloak), nil) {
				return
			}
		}
		if !begun {
			yield(wire.Event{}, fmt.Errorf("%s: %w", id, saga.ErrNotFound))
		}
	}
}

// cloakOf returns what hides the secrets of the run that begins with the event.
func cloakOf(ctx context.Context, log projections.Source, first *domain.Recorded) (*secret.Cloak, error) {
	f, err := domain.DecodeFact(first)
	if err != nil {
		return nil, err
	}
	started, ok := f.Event.(*domain.RunStarted)
	if !ok {
		return nil, fmt.Errorf("%s begins with %s: it is no run", first.Stream, first.Type)
	}
	fields, err := projections.SecretFields(ctx, log, started.Plan)
	return secret.NewCloak(fields), err
}

// fold reads how a run stands.
func (b *localBackend) fold(ctx context.Context, id domain.RunID) (*machine.State, error) {
	log, err := b.reader()
	if err != nil {
		return nil, err
	}
	return saga.FoldAt(ctx, log, id, saga.Latest)
}

func (b *localBackend) Why(ctx context.Context, id domain.RunID) (machine.Reason, error) {
	s, err := b.fold(ctx, id)
	if err != nil {
		return machine.Reason{}, err
	}
	return machine.Why(s, time.Now()), nil
}

func (b *localBackend) PreviewCancel(ctx context.Context, id domain.RunID) (machine.Preview, error) {
	s, err := b.fold(ctx, id)
	if err != nil {
		return machine.Preview{}, err
	}
	v := saga.ViewOf(s)
	cloak := v.Cloak(s.Plan.Secrets())
	return machine.PreviewCancel(s, time.Now()).Hide(cloak), nil
}

func (b *localBackend) Emit(ctx context.Context, e wire.Emit) (at saga.Emitted, err error) {
	err = b.newCoordinator(ctx, func(ctx context.Context, c *saga.Coordinator) (err error) {
		at, err = c.EmitEvent(ctx, e.Stream, e.Type, e.Payload, saga.EmitOptions{ID: e.ID, Correlation: e.Correlation})
		return err
	})
	return at, err
}

// tokens returns the tokens of the log.
func (b *localBackend) tokens(ctx context.Context) (*auth.Tokens, error) {
	log, err := b.reader()
	if err != nil {
		return nil, err
	}
	t := auth.NewTokens(log, nil)
	return t, t.Load(ctx)
}

func (b *localBackend) Tokens(ctx context.Context) ([]wire.Token, error) {
	t, err := b.tokens(ctx)
	if err != nil {
		return nil, err
	}
	out := []wire.Token{}
	for _, tok := range t.List() {
		out = append(out, tokenOf(&tok))
	}
	return out, nil
}

func tokenOf(t *auth.Token) wire.Token {
	id := t.Identity()
	return wire.Token{ID: t.ID, Name: t.Name, Scopes: id.ScopeNames(), Sagas: t.Sagas, Created: t.Created, By: t.By, Expires: t.Expires, Revoked: t.Revoked}
}

// CreateToken makes a token. The directory need not have a log yet: the first token is made before a server that asks for
// it starts.
func (b *localBackend) CreateToken(ctx context.Context, n wire.NewToken) (wire.CreatedToken, error) {
	spec, err := b.env.tokenSpec(n)
	if err != nil {
		return wire.CreatedToken{}, err
	}
	if b.log, err = b.env.openLog(b.env.logger(slog.LevelWarn), false); err != nil {
		return wire.CreatedToken{}, err
	}
	t, err := b.tokens(ctx)
	if err != nil {
		return wire.CreatedToken{}, err
	}
	return createToken(ctx, t, spec)
}

// tokenSpec says what a token is to be, if that is well formed.
func (env *environment) tokenSpec(n wire.NewToken) (auth.Spec, error) {
	scopes, err := auth.ParseScopes(n.Scopes)
	if err != nil {
		return auth.Spec{}, usageError{err}
	}
	spec := auth.Spec{Name: n.Name, Scopes: scopes, Sagas: n.Sagas, Expires: n.Expires, By: env.who()}
	return spec, spec.Validate(time.Now())
}

// createToken makes a token among those that were loaded from a log.
func createToken(ctx context.Context, t *auth.Tokens, spec auth.Spec) (wire.CreatedToken, error) {
	tok, secret, err := t.Create(ctx, spec)
	if err != nil {
		return wire.CreatedToken{}, err
	}
	return wire.CreatedToken{Token: tokenOf(&tok), Secret: secret}, nil
}

func (b *localBackend) RevokeToken(ctx context.Context, name string) error {
	t, err := b.tokens(ctx)
	if err != nil {
		return err
	}
	return t.Revoke(ctx, name, b.env.who())
}
