package act

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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

// findable gives a request without a key one, as the client would, and says how the run is found
// where the server does not answer.
func (r *startRequest) findable(env *access.Env) {
	again := env.AgainStep("starts it only if it has not started")
	if r.Key == "" {
		r.Key = domain.NewKey()
		again = env.AgainStep("starts it only if it has not started", "--key", r.Key)
	}
	id := domain.RunIDForKey(cmp.Or(r.Saga, r.Action), r.Key).String()
	env.Doubt = access.Doubt{What: "run " + id + " may have started",
		Steps: []console.Step{{Command: env.CommandLine("show", id), Why: "tells"}, again}}
}

// fields is the step of looking at the input's fields.
func (r *startRequest) fields(env *access.Env) console.Step {
	if r.Action != "" {
		return console.Step{Command: env.CommandLine("actions"), Why: "lists the actions with their inputs"}
	}
	return console.Step{Command: env.CommandLine("sagas", r.Saga), Why: "tells what its input is"}
}

// try makes the request for [access.Env.Try].
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
	f.StringVar(&s.key, "key", "", "makes the command idempotent: the same key and input give the same run")
	f.StringArrayVarP(&s.labels, "label", "l", nil, "a label of the run, NAME=VALUE; repeatable")
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
		Long:    "Start a run of a saga. The command prints its id when the start is durable and, with --wait, its output when it has ended.",
		Example: fmt.Sprintf("  %s start order -d '{\"item\": \"tea\", \"card\": \"4242\"}' --key 4711 --wait --data DIR", env.Program.Name),
		Args:    console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := s.request(env, cmd.Flags())
			if err != nil {
				return err
			}
			if err := s.check(cmd.Flags()); err != nil {
				return err
			}
			if r.Saga, r.Version = args[0], version; version < 0 {
				return console.UsageError{Err: errors.New("--version: versions begin with 1")}
			}
			// So that the run is named so; without a key it has no such name.
			_, _ = env.ParseRun(r.Saga + ":" + r.Key)
			return env.Meant(cmd.Context(), r.Saga, start(cmd.Context(), env, r, s.waiting))
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
			_, _ = env.ParseRun(r.Action + ":" + r.Key) // so that the run is named so
			return env.Meant(cmd.Context(), r.Action, start(cmd.Context(), env, r, s.waiting))
		},
	}
	s.addFlags(cmd, true)
	return cmd
}

func newStartAgainCommand(env *access.Env) *cobra.Command {
	var s starting
	var version int
	cmd := &cobra.Command{
		Use:   "start-again RUN",
		Short: "Start an ended run again, as a new run",
		Long: `Start an ended run again, as a new run with its own key, and with the old run's input unless --input gives another. Without
--key the new key is made from the old one, so that giving the command twice starts one run. Each of the two runs shows
the other's id.`,
		Example: fmt.Sprintf("  %[1]s start-again order:4711 --wait\n  %[1]s start-again order:4711 --input '{\"item\": \"coffee\", \"card\": \"4242\"}' --key 4711-b", env.Program.Name),
		Args:    console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(cmd.Flags()); err != nil {
				return err
			}
			if err := env.CheckRun(args[0]); err != nil {
				return err
			}
			r, err := s.request(env, cmd.Flags())
			if err != nil {
				return err
			}
			if version < 0 {
				return console.UsageError{Err: errors.New("--version: versions begin with 1")}
			}
			again := wire.StartAgain{Input: r.Input, Key: r.Key, Version: version}
			if cmd.Flags().Changed("label") {
				again.Labels = r.Labels
			}
			return env.With(cmd.Context(), access.Use{Acts: true}, func(ctx context.Context, c *client.Client) error {
				old, err := env.Run(ctx, c, args[0])
				if err != nil {
					return err
				}
				if name, _, ok := strings.Cut(args[0], ":"); ok { // so that the new run is named so
					_, _ = env.ParseRun(name + ":" + again.Key)
				}
				res, err := c.StartAgain(ctx, old, again)
				if err != nil {
					return env.MeantRun(ctx, c, args[0], err)
				}
				return started(ctx, env, c, res.Run, s.waiting)
			})
		},
	}
	f := cmd.Flags()
	s.waiting.addFlags(f, false)
	f.StringVarP(&s.payload, "input", "d", "", "another input: JSON, @FILE, or - for standard input")
	f.StringVar(&s.key, "key", "", "the new run's key")
	f.StringArrayVarP(&s.labels, "label", "l", nil, "a label of the new run, NAME=VALUE, instead of the old run's; repeatable")
	f.IntVar(&version, "version", 0, "the saga's version; 0 is the latest")
	return cmd
}

// start starts a run, and waits for it if asked to.
func start(ctx context.Context, env *access.Env, r startRequest, w waiting) error {
	check := func(ctx context.Context) error { return env.Try(ctx, r.try) }
	return env.With(ctx, access.Use{Acts: true, Makes: true, Check: check}, func(ctx context.Context, c *client.Client) error {
		if env.Remote() {
			r.findable(env)
		}
		id, err := r.send(ctx, c)
		if errors.Is(err, saga.ErrBadInput) {
			return console.UsageError{Err: err, Next: []console.Step{r.fields(env)}}
		}
		if err != nil {
			return err
		}
		return started(ctx, env, c, id, w)
	})
}

// started prints a run that was started, and waits for it if asked to. It prints the id first, so
// that a person who interrupts the wait can find the run.
func started(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID, w waiting) error {
	if w.wait {
		if !env.JSON() && !w.quiet {
			if _, err := fmt.Fprintf(env.Err, "run %s\n", id); err != nil {
				return err
			}
		}
		return await(ctx, env, c, id, w)
	}
	if env.JSON() {
		return env.PrintJSON(wire.Result{Run: id, State: domain.RunRunning}, showStep(env, id))
	}
	_, err := fmt.Fprintln(env.Out, id)
	if env.Remote() {
		return err
	}
	_, hint := fmt.Fprintf(env.Err, "started; the run goes on while `%s serve` runs on %s, or with --wait\n", env.Program.Name, env.Data)
	return errors.Join(err, hint)
}
