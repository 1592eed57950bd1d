package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/httpapi/client"
)

// connection says which server commands talk to, if any.
type connection struct {
	server, token string
	flags         *pflag.FlagSet
}

func (c *connection) addFlags(f *pflag.FlagSet) {
	// The environment's values are not the flags' defaults: help shows defaults, and one of them is a secret.
	f.StringVar(&c.server, "server", "", "talk to a running server, such as http://127.0.0.1:7070 (ATONE_SERVER)")
	f.StringVar(&c.token, "token", "", "the API token, or @FILE; better in ATONE_TOKEN, as others see command lines")
	c.flags = f
}

// with calls f with a client of the server to talk to or, without one, of the API that this process serves on the
// data directory for as long as f takes.
func (env *environment) with(ctx context.Context, u use, f func(ctx context.Context, c *client.Client) error) error {
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
		return usageError{err}
	}
	return f(ctx, c)
}

// serverURL returns the server to talk to; empty means to work on the data directory. The command line goes before
// the environment.
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
