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

// The stream and the event that tell who gave events of the log up for lost.
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
		Short:   "Look after the embedded log",
		Example: fmt.Sprintf("  %s log accept-loss --data DIR --reason 'the disk was replaced; there is no backup'", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAcceptLossCommand(env))
	return cmd
}

func newAcceptLossCommand(env *access.Env) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "accept-loss",
		Short: "Give events that the log has lost up for lost, so that it can be used again",
		Long: `Make a log usable again that refuses to open because acknowledged events at its end are gone. This is the last resort,
where neither a backup nor a snapshot of the file system has them: the runs that they belong to go on from an earlier event, what was
done since may be done again (with the same idempotency keys), and runs that were started since are unknown. Copy the data directory
first. Who accepted the loss, when and why is recorded in the log. Where nothing is lost, nothing is done.`,
		Example: fmt.Sprintf("  %s log accept-loss --data DIR --reason 'the disk was replaced; there is no backup'", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env.Remote() {
				return console.UsageError{Err: errors.New("this works on the files of a stopped log: give --data with its directory, not --server")}
			}
			if strings.TrimSpace(reason) == "" {
				return console.UsageError{Err: errors.New("give --reason: why the events are given up; it is recorded")}
			}
			return acceptLoss(cmd.Context(), env, reason)
		},
	}
	cmd.Flags().StringVarP(&reason, "reason", "r", "", "why, for the record")
	return cmd
}

func acceptLoss(ctx context.Context, env *access.Env, reason string) error {
	data, err := env.DataDir()
	if err != nil {
		return err
	}
	if _, err := os.Stat(host.LogDir(data)); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s has no log: check --data", data)
	}
	logger := env.Logger(slog.LevelWarn)
	loss, err := pebblelog.AcceptLoss(host.LogDir(data), pebblelog.Config{Logger: logger})
	if err != nil {
		return err
	}
	if loss == (pebblelog.Loss{}) {
		_, err := fmt.Fprintln(env.Out, "nothing is lost: nothing was done")
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
	what := fmt.Sprintf("positions %d to %d are given up for lost", loss.From, loss.Through)
	if loss.Through == 0 {
		what = "the file " + loss.File + " was written anew"
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
