package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

func (b *remoteBackend) Story(ctx context.Context, id domain.RunID) (*projections.Story, error) {
	s, err := b.c.Story(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range s.Rows { // the answer was indented, and so are the payloads in it
		r := &s.Rows[i]
		r.Input, r.Output = compact(r.Input), compact(r.Output)
	}
	return s, nil
}

// compact drops the white space of a JSON value.
func compact(raw json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return raw
	}
	return out.Bytes()
}

// eventsAtOnce is how many events one request asks for.
const eventsAtOnce = 1000

func (b *remoteBackend) Events(ctx context.Context, id domain.RunID) iter.Seq2[wire.Event, error] {
	return func(yield func(wire.Event, error) bool) {
		for from := uint64(0); ; {
			page, err := b.c.Events(ctx, id, from, eventsAtOnce)
			if err != nil {
				yield(wire.Event{}, err)
				return
			}
			for i := range page.Items {
				if !yield(page.Items[i], nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			if from, err = strconv.ParseUint(page.Next, 10, 64); err != nil {
				yield(wire.Event{}, err)
				return
			}
		}
	}
}

func (b *remoteBackend) Why(ctx context.Context, id domain.RunID) (machine.Reason, error) {
	return b.c.Why(ctx, id)
}

func (b *remoteBackend) PreviewCancel(ctx context.Context, id domain.RunID) (machine.Preview, error) {
	return b.c.PreviewCancel(ctx, id)
}

func (b *remoteBackend) Emit(ctx context.Context, e wire.Emit) (saga.Emitted, error) {
	return b.c.Emit(ctx, e)
}

func (b *remoteBackend) Projections(ctx context.Context) ([]wire.View, error) {
	return b.c.Projections(ctx)
}

// Rebuild asks for all at once: the server then reads its log once for all of them.
func (b *remoteBackend) Rebuild(ctx context.Context, views ...string) ([]wire.View, error) {
	out := make([]wire.View, len(views))
	all, ctx := errgroup.WithContext(ctx)
	for i, view := range views {
		all.Go(func() (err error) {
			out[i], err = b.c.Rebuild(ctx, view)
			return err
		})
	}
	return out, all.Wait()
}

func (b *remoteBackend) Tokens(ctx context.Context) ([]wire.Token, error) { return b.c.Tokens(ctx) }

func (b *remoteBackend) CreateToken(ctx context.Context, t wire.NewToken) (wire.CreatedToken, error) {
	return b.c.CreateToken(ctx, t)
}

func (b *remoteBackend) RevokeToken(ctx context.Context, name string) error {
	return b.c.RevokeToken(ctx, name)
}

// client returns a client of the server to talk to, or nil where commands work on a data directory.
func (env *environment) client() (*client.Client, error) {
	url, err := env.serverURL()
	if err != nil || url == "" {
		return nil, err
	}
	token, err := env.tokenSecret()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Server: url, Token: token})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// sagas lists the sagas that the server, or without one this program, can run.
func (env *environment) sagas(ctx context.Context) ([]saga.SagaInfo, error) {
	c, err := env.client()
	if err != nil {
		return nil, err
	}
	if c == nil {
		here, err := env.catalogue()
		if err != nil {
			return nil, err
		}
		return here.Sagas(), nil
	}
	list, err := c.Sagas(ctx)
	out := make([]saga.SagaInfo, len(list))
	for i := range list {
		out[i] = list[i].SagaInfo
	}
	return out, err
}

// actions lists the actions that the server, or without one this program, can run.
func (env *environment) actions(ctx context.Context) ([]saga.ActionInfo, error) {
	c, err := env.client()
	if err != nil {
		return nil, err
	}
	if c == nil {
		here, err := env.catalogue()
		if err != nil {
			return nil, err
		}
		return here.Actions(), nil
	}
	return c.Actions(ctx)
}
