package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

// connection says which server commands talk to, if any.
type connection struct {
	server, token string
	flags         *pflag.FlagSet
}

func (c *connection) addFlags(f *pflag.FlagSet) {
	// The environment's values are no defaults of the flags: help shows those, and one is a secret.
	f.StringVar(&c.server, "server", "", "talk to a running server, such as http://127.0.0.1:7070 (ATONE_SERVER)")
	f.StringVar(&c.token, "token", "", "the API token, or @FILE; better in ATONE_TOKEN, as others see command lines")
	c.flags = f
}

// serverURL returns the server to talk to; empty means to work on the data directory. What the
// command line says goes before the environment.
func (env *environment) serverURL() (string, error) {
	data := env.flags != nil && env.flags.Changed("data")
	switch {
	case env.server != "" && data:
		return "", usageError{errors.New("--server and --data exclude each other: give one")}
	case env.server != "":
		return env.server, nil
	case data:
		return "", nil
	}
	return env.getenv("ATONE_SERVER"), nil
}

// remote reports whether commands talk to a server.
func (env *environment) remote() bool {
	url, err := env.serverURL()
	return err == nil && url != ""
}

// tokenSecret returns the API token.
func (env *environment) tokenSecret() (string, error) {
	token := env.token
	if token == "" {
		token = env.getenv("ATONE_TOKEN")
	}
	if file, ok := strings.CutPrefix(token, "@"); ok {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", usageError{fmt.Errorf("read the token: %w", err)}
		}
		token = string(raw)
	}
	return strings.TrimSpace(token), nil
}

// remoteBackend works through the HTTP API of a server. The token's name is who acts.
type remoteBackend struct{ c *client.Client }

func (b *remoteBackend) Close() error { return nil }

func (b *remoteBackend) Start(ctx context.Context, r startRequest) (domain.RunID, error) {
	var opts []client.StartOption
	if r.Key != "" {
		opts = append(opts, client.Key(r.Key))
	}
	if len(r.Labels) > 0 {
		opts = append(opts, client.Labels(r.Labels))
	}
	var res wire.Result
	var err error
	if r.Action != "" {
		res, err = b.c.InvokeByName(ctx, r.Action, r.Input, opts...)
	} else {
		res, err = b.c.StartByName(ctx, r.Saga, r.Version, r.Input, opts...)
	}
	return res.Run, err
}

func (b *remoteBackend) Wait(ctx context.Context, id domain.RunID) (json.RawMessage, error) {
	return b.c.Wait(ctx, id)
}

func (b *remoteBackend) Show(ctx context.Context, id domain.RunID) (wire.Run, error) {
	return b.c.Run(ctx, id)
}

func (b *remoteBackend) Follow(ctx context.Context, id domain.RunID) iter.Seq2[projections.StoryRow, error] {
	return func(yield func(projections.StoryRow, error) bool) {
		t := projections.NewTeller(id, nil) // the server has redacted what is secret
		for e, err := range b.c.Follow(ctx, id, 0) {
			var row projections.StoryRow
			if err == nil {
				row, err = tellWire(t, &e)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// tellWire adds an event as the API has it to a story.
func tellWire(t *projections.Teller, e *wire.Event) (projections.StoryRow, error) {
	event, err := domain.DecodeEvent(e.Type, e.Data)
	if err != nil {
		return projections.StoryRow{}, fmt.Errorf("revision %d of run %s: %w: the server is newer than this program: update it", e.Revision, t.Story.Run, err)
	}
	meta := domain.Meta{At: e.At, Actor: e.Actor, CorrelationID: e.Correlation, CausationID: e.Causation}
	return t.Tell(domain.Fact{Event: event, Meta: meta, ID: e.ID, Revision: e.Revision}), nil
}

func (b *remoteBackend) Act(ctx context.Context, id domain.RunID, a act) error {
	switch a.verb {
	case verbCancel:
		return b.c.Cancel(ctx, id, a.reason)
	case verbPause:
		return b.c.Pause(ctx, id, a.reason)
	case verbResume:
		return b.c.Resume(ctx, id, a.reason)
	case verbRetry:
		return b.c.Retry(ctx, id, a.step, a.reason)
	case verbSkip:
		return b.c.Skip(ctx, id, a.step, a.reason)
	case verbSubstitute:
		return b.c.Substitute(ctx, id, a.step, a.payload, a.reason)
	case verbAbandon:
		return b.c.Abandon(ctx, id, a.reason)
	case verbSignal:
		return b.c.Signal(ctx, id, a.signal, a.payload, a.id)
	}
	return fmt.Errorf("no such act: %q", a.verb)
}

func (b *remoteBackend) Runs(ctx context.Context, f projections.RunFilter) (wire.Page[wire.RunItem], error) {
	return b.c.Runs(ctx, f)
}

func (b *remoteBackend) Audit(ctx context.Context, f projections.AuditFilter) (wire.Page[wire.AuditRow], error) {
	return b.c.Audit(ctx, f)
}

func (b *remoteBackend) Incidents(ctx context.Context, f projections.IncidentFilter) (wire.Page[wire.Incident], error) {
	return b.c.Incidents(ctx, f)
}

func (b *remoteBackend) Stats(ctx context.Context, q client.StatsQuery) (wire.Stats, error) {
	return b.c.Stats(ctx, q)
}

func (b *remoteBackend) Bulk(ctx context.Context, r saga.BulkRequest) (saga.BulkReport, error) {
	f := r.Filter
	return b.c.Bulk(ctx, wire.Bulk{Act: r.Act, All: r.All, Reason: r.Reason, Output: r.Output, DryRun: r.DryRun, Limit: r.Limit,
		Filter: wire.BulkFilter{Runs: f.Runs, Sagas: f.Sagas, Version: f.Version, States: f.States, Labels: f.Labels,
			KeyPrefix: f.KeyPrefix, OlderThan: domain.Duration(f.OlderThan), Action: f.Action}})
}
