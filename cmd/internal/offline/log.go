package offline

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
)

// offline has the flags of commands that read a log itself.
type offline struct{ log string }

func (o *offline) addFlags(cmd *cobra.Command, env *access.Env) {
	cmd.Flags().StringVar(&o.log, "log", env.Getenv("ATONE_LOG"), "read the log at this esdb:// connection string instead of the one in --data (ATONE_LOG)")
}

// open opens the log. A server's API would not help: it redacts what the hashes cover.
func (o *offline) open(env *access.Env) (host.Log, error) {
	logger := env.Logger(slog.LevelWarn)
	if o.log != "" && !env.Given("data") {
		log, err := eventstoredb.Open(eventstoredb.Config{Connection: o.log, Logger: logger})
		if err != nil {
			return nil, console.UsageError{Err: fmt.Errorf("--log: %w", err)}
		}
		return log, nil
	}
	if env.Remote() {
		return nil, console.UsageError{Err: errors.New("this command reads the log itself, not a server's API: give --data with the directory, or a copy of it, on which no server runs, or --log 'esdb://HOST:2113?tls=false' for a server with --esdb-listen")}
	}
	data, err := env.DataDir()
	if err != nil {
		return nil, err
	}
	log, err := host.OpenLog(data, logger, true)
	if err != nil {
		return nil, err
	}
	return log, nil
}
