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

// Use says what a command needs of a data directory. The zero value reads its log and its views,
// which needs no running coordinator and nothing of the program's Setup. A server takes no notice
// of it.
type Use struct {
	// Acts starts a coordinator, which moves only the runs that it is asked to.
	Acts bool
	// Makes means that the log is made where there is none; elsewhere that is an error.
	Makes bool
	// Check, if set, is called before anything is opened or made. It refuses what has the wrong
	// form, so that it leaves no trace. [Env.Try] helps.
	Check func(ctx context.Context) error
	// Definitions means that only the program's sagas and actions are looked at, without a
	// directory.
	Definitions bool
	// Cluster is an esdb:// connection string: its log is used, not the directory's.
	Cluster string
}

// With calls f with a client of the server to talk to or, without one, of the API that this process
// serves on the data directory for as long as f takes.
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
	c, err := client.New(client.Config{Server: url, Token: token})
	if err != nil {
		return console.UsageError{Err: err}
	}
	return f(ctx, c)
}

// serverURL returns the server to talk to; empty means to work on the data directory. The command
// line goes before the environment.
func (env *Env) serverURL() (string, error) {
	switch {
	case env.server != "" && env.Given("data"):
		return "", console.UsageError{Err: errors.New("--server and --data exclude each other: give one")}
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
