package act

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// startRequest says what to start.
type startRequest struct {
	// Saga (with Version, 0 for the latest) or Action is set.
	Saga    string
	Version int
	Action  string
	Input   json.RawMessage
	Key     string
	Labels  map[string]string
}

// send starts the run and returns when its start is durable.
func (r *startRequest) send(ctx context.Context, c *client.Client) (domain.RunID, error) {
	opts := []client.StartOption{client.Key(r.Key), client.Labels(r.Labels)}
	var res wire.Result
	var err error
	if r.Action != "" {
		res, err = c.InvokeByName(ctx, r.Action, r.Input, opts...)
	} else {
		res, err = c.StartByName(ctx, r.Saga, r.Version, r.Input, opts...)
	}
	return res.Run, err
}

// try is what [access.Env.Try] wants.
func (r *startRequest) try(ctx context.Context, c *saga.Coordinator) (err error) {
	opts := []saga.StartOption{saga.Key(r.Key), saga.Labels(r.Labels)}
	if r.Action != "" {
		_, err = c.InvokeByName(ctx, r.Action, r.Input, opts...)
	} else {
		_, err = c.StartByName(ctx, r.Saga, r.Version, r.Input, opts...)
	}
	return err
}

// starting are the flags of commands that start a run.
type starting struct {
	waiting
	payload string
	key     string
	labels  []string
}

func (s *starting) addFlags(cmd *cobra.Command, alwaysWait bool) {
	f := cmd.Flags()
	s.waiting.addFlags(f, alwaysWait)
	f.StringVarP(&s.payload, "data-json", "d", "", "the input: JSON, @FILE, or - for standard input")
	f.StringVar(&s.key, "key", "", "makes it idempotent: the same key and input is the same run")
	f.StringArrayVarP(&s.labels, "label", "l", nil, "a label of the run, NAME=VALUE; may be repeated")
}

// request turns the flags into a request.
func (s *starting) request(env *access.Env, given *pflag.FlagSet) (startRequest, error) {
	r := startRequest{Key: s.key}
	err := console.NotEmpty(given, "key") // it would start a run each time
	if err != nil {
		return r, err
	}
	if r.Labels, err = console.ParseLabels(s.labels); err != nil {
		return r, err
	}
	r.Input, err = env.ReadPayload(s.payload)
	return r, err
}

func newStartCommand(env *access.Env) *cobra.Command {
	var s starting
	var version int
	cmd := &cobra.Command{
		Use:     "start SAGA",
		Short:   "Start a run of a saga",
		Long:    "Start a run of a saga. Its id is printed when the start is durable; with --wait, its output when it has ended.",
		Example: fmt.Sprintf("  %s start order -d '{\"item\": \"tea\"}' --key 4711 --wait --data DIR", env.Program.Name),
		Args:    console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := s.request(env, cmd.Flags())
			if err != nil {
				return err
			}
			if r.Saga, r.Version = args[0], version; version < 0 {
				return console.UsageError{Err: errors.New("--version: versions begin with 1")}
			}
			return start(cmd.Context(), env, r, s.waiting)
		},
	}
	s.addFlags(cmd, false)
	cmd.Flags().IntVar(&version, "version", 0, "the saga's version; 0 is the latest")
	return cmd
}

func newInvokeCommand(env *access.Env) *cobra.Command {
	var s starting
	cmd := &cobra.Command{
		Use:     "invoke ACTION",
		Short:   "Run a single action, as a run of its own, and print its output",
		Example: fmt.Sprintf("  %s invoke create-user -d @user.json --data DIR", env.Program.Name),
		Args:    console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := s.request(env, cmd.Flags())
			if err != nil {
				return err
			}
			r.Action = args[0]
			return start(cmd.Context(), env, r, s.waiting)
		},
	}
	s.addFlags(cmd, true)
	return cmd
}

// start starts a run, and waits for it if asked to.
func start(ctx context.Context, env *access.Env, r startRequest, w waiting) error {
	check := func(ctx context.Context) error { return env.Try(ctx, r.try) }
	return env.With(ctx, access.Use{Acts: true, Makes: true, Check: check}, func(ctx context.Context, c *client.Client) error {
		id, err := r.send(ctx, c)
		if err != nil {
			return err
		}
		if w.wait {
			return await(ctx, env, c, id, w)
		}
		if env.JSON() {
			return env.PrintJSON(wire.Result{Run: id, State: domain.RunRunning})
		}
		_, err = fmt.Fprintln(env.Out, id)
		if env.Remote() {
			return err
		}
		_, hint := fmt.Fprintf(env.Err, "started; it goes on while `%s serve` runs on %s, or with --wait\n", env.Program.Name, env.Data)
		return errors.Join(err, hint)
	})
}
