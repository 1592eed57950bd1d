package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/domain"
)

// The stream and the event that record who accepted the loss of events.
const (
	lossStream = "atone-log"
	lossType   = "atone.loss_accepted.v1"
)

// lossAccepted is the event's data.
type lossAccepted struct {
	From    domain.Position `json:"from"`
	Through domain.Position `json:"through"`
	File    string          `json:"file,omitempty"`
	Actor   string          `json:"actor"`
	Reason  string          `json:"reason"`
	At      time.Time       `json:"at"`
}

// LogCommand returns the command log.
func LogCommand(env *access.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "log",
		Short:   "Repair the embedded log",
		Example: fmt.Sprintf("  %s log accept-loss --data DIR --reason 'the disk was replaced; there is no backup'", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAcceptLossCommand(env))
	return cmd
}

func newAcceptLossCommand(env *access.Env) *cobra.Command {
	var reason string
	var yes bool
	cmd := &cobra.Command{
		Use:   "accept-loss",
		Short: "Accept that the log has lost events, so that it can be used again",
		Long: `Make a log usable again that refuses to open because acknowledged events at its end are gone. Use it only if neither a
backup nor a snapshot of the file system has them. The runs of the lost events go on from an earlier event: what they
did since may be done again, with the same idempotency keys. Runs that started since are unknown. Copy the data directory
first. The log records who accepted the loss, when and why. If nothing is lost, nothing is done.`,
		Example: fmt.Sprintf("  %s log accept-loss --data DIR --reason 'the disk was replaced; there is no backup'", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env.Remote() {
				return console.UsageError{Err: errors.New("this command works on the files of a stopped log: give --data with its directory, not --server")}
			}
			if strings.TrimSpace(reason) == "" {
				return console.UsageError{Err: errors.New("give --reason: why you accept the loss; it is recorded")}
			}
			return acceptLoss(cmd.Context(), env, reason, yes)
		},
	}
	console.YesFlag(cmd.Flags(), &yes)
	cmd.Flags().StringVarP(&reason, "reason", "r", "", "why, for the record")
	return cmd
}

func acceptLoss(ctx context.Context, env *access.Env, reason string, yes bool) error {
	data, err := env.DataDir()
	if err != nil {
		return err
	}
	if _, err := os.Stat(host.LogDir(data)); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s has no log: check --data", data)
	}
	plan := console.Plan{Does: "accept the loss of events in the log in " + data, Value: map[string]string{"log": host.LogDir(data), "reason": reason}}
	if err := env.Confirm(ctx, plan, yes); err != nil {
		return err
	}
	logger := env.Logger(slog.LevelWarn)
	loss, err := pebblelog.AcceptLoss(host.LogDir(data), pebblelog.Config{Logger: logger})
	if err != nil {
		return err
	}
	if loss == (pebblelog.Loss{}) {
		_, err := fmt.Fprintln(env.Out, "nothing is lost, so nothing was done")
		return err
	}
	log, err := host.OpenLog(data, logger, true)
	if err != nil {
		return err
	}
	accepted := lossAccepted{From: loss.From, Through: loss.Through, File: loss.File, Actor: env.Who(), Reason: reason, At: time.Now().UTC()}
	if err := errors.Join(recordLoss(ctx, log, &accepted), log.Close()); err != nil {
		return fmt.Errorf("the log can be used again, but who accepted the loss is not recorded: %w", err)
	}
	if env.JSON() {
		return env.PrintJSON(accepted)
	}
	what := fmt.Sprintf("positions %d to %d are accepted as lost", loss.From, loss.Through)
	if loss.Through == 0 {
		what = "the file " + loss.File + " was rewritten"
	}
	_, err = fmt.Fprintf(env.Out, "%s: the log can be used again; see stream %s for who accepted it\n", what, lossStream)
	return err
}

func recordLoss(ctx context.Context, log domain.Log, accepted *lossAccepted) error {
	data, err := json.Marshal(accepted)
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, lossStream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: lossType, Data: data})
	return err
}
