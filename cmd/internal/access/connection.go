package access

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/console"
)

// Use says what a command needs of a data directory. The zero value reads the log and the views,
// without a coordinator and without the program's Setup. Commands that talk to a server ignore
// Use.
type Use struct {
	// Acts starts a coordinator that works only on the command's own runs.
	Acts bool
	// Makes creates the log if there is none. Without it a missing log is an error.
	Makes bool
	// Check, if set, is called before anything is opened or made. It refuses what has the wrong
	// form, so that it leaves no trace. [Env.Try] helps.
	Check func(ctx context.Context) error
	// Definitions means that only the program's sagas and actions are read, without a directory.
	Definitions bool
	// Evidence means that besides, what explorations found is read from the directory, if there is
	// one that can be opened.
	Evidence bool
	// Cluster is an esdb:// connection string: its log is used, not the directory's.
	Cluster string
}

// With calls f with a client of the given server or, without one, of the API that this process
// serves on the data directory while f runs.
func (env *Env) With(ctx context.Context, u Use, f func(ctx context.Context, c *client.Client) error) error {
	url, err := env.serverURL()
	if err != nil {
		return err
	}
	if url == "" {
		return env.onDirectory(ctx, u, f)
	}
	token, err := env.tokenSecret()
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{Server: url, Token: token, Latest: true, Answers: env.noteAnswer, Patience: env.patience()})
	if err != nil {
		return console.UsageError{Err: err, Next: []console.Step{{Why: "--server, or ATONE_SERVER in the environment, says where the server is"}}}
	}
	return f(ctx, c)
}

// serverURL returns the server; empty means the data directory. The command line takes precedence
// over the environment.
func (env *Env) serverURL() (string, error) {
	switch {
	case env.server != "" && env.Given("data"):
		return "", console.UsageError{Err: errors.New("give --server or --data, not both")}
	case env.server != "":
		return env.server, nil
	case env.Given("data"):
		return "", nil
	}
	return env.Getenv("ATONE_SERVER"), nil
}

// Remote reports whether commands talk to a server.
func (env *Env) Remote() bool {
	url, err := env.serverURL()
	return err == nil && url != ""
}

// tokenSecret returns the API token.
func (env *Env) tokenSecret() (string, error) {
	token := env.token
	if token == "" {
		token = env.Getenv("ATONE_TOKEN")
	}
	if file, ok := strings.CutPrefix(token, "@"); ok {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", console.UsageError{Err: fmt.Errorf("read the token: %w", err)}
		}
		token = string(raw)
	}
	return strings.TrimSpace(token), nil
}
