package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// environment is what a command works with: the program, its streams, and the flags that all commands have.
type environment struct {
	app App
	Streams
	getenv func(string) string
	connection

	data    string
	output  string
	actor   string
	verbose bool
}

func (env *environment) addFlags(f *pflag.FlagSet) {
	f.StringVar(&env.data, "data", env.getenv("ATONE_DATA"), "the data directory (ATONE_DATA)")
	env.connection.addFlags(f)
	f.VarP((*outputFlag)(&env.output), "output", "o", "how to print: table or json")
	f.StringVar(&env.actor, "actor", env.getenv("ATONE_ACTOR"), "who acts, for the audit trail (ATONE_ACTOR; default: you)")
	f.BoolVarP(&env.verbose, "verbose", "v", false, "log what goes on to standard error")
}

// outputFlag is the value of --output.
type outputFlag string

func (o *outputFlag) String() string {
	if *o == "" {
		return "table"
	}
	return string(*o)
}

func (o *outputFlag) Set(s string) error {
	if s != "table" && s != "json" {
		return fmt.Errorf("%q: use table or json", s)
	}
	*o = outputFlag(s)
	return nil
}

func (*outputFlag) Type() string { return "format" }

// json reports whether output is for programs.
func (env *environment) json() bool { return env.output == "json" }

// who is the person who acts.
func (env *environment) who() string {
	if env.actor != "" {
		return env.actor
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "cli"
}

// logger returns what a command logs to: warnings, or everything with --verbose.
func (env *environment) logger(level slog.Level) *slog.Logger {
	if env.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(env.Err, &slog.HandlerOptions{Level: level}))
}

// dataDir returns the data directory.
func (env *environment) dataDir() (string, error) {
	if env.data == "" {
		return "", usageError{errors.New("no data directory: give --data DIR, or set ATONE_DATA")}
	}
	return env.data, nil
}

// printJSON writes a value for programs.
func (env *environment) printJSON(v any) error {
	enc := json.NewEncoder(env.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table writes rows in columns; the first row is the header.
func (env *environment) table(rows [][]string) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, c := range row {
			row[i] = plain(c)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	head, body, _ := strings.Cut(text.String(), "\n")
	_, err := fmt.Fprintf(env.Out, "%s\n%s", env.colours().Bold(head), body)
	return err
}

func (env *environment) colours() tty.Palette { return tty.PaletteFor(env.Out) }

// complain writes an error, and what to do next.
func (env *environment) complain(err error, code Exit) {
	next, text := env.advice(err), strings.TrimSpace(env.words(err))
	if env.json() {
		enc := json.NewEncoder(env.Err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(struct { // nobody is left to tell
			Error string `json:"error"`
			Next  string `json:"next,omitempty"`
			Exit  Exit   `json:"exit_code"`
		}{text, next, code})
		return
	}
	p := tty.PaletteFor(env.Err)
	_, _ = fmt.Fprintf(env.Err, "%s %s\n", p.Bad(env.app.Name+":"), text)
	if next != "" {
		_, _ = fmt.Fprintf(env.Err, "next: %s\n", next)
	}
}

// words returns what an error says. Of a data directory's API people need not know the request and the status.
func (env *environment) words(err error) string {
	if p, ok := errors.Unwrap(err).(*client.Problem); ok && !env.remote() {
		return strings.TrimSuffix(p.Error(), fmt.Sprintf(" (HTTP %d)", p.Status))
	}
	return err.Error()
}

// readPayload reads a JSON value as it is given to -d: the text itself, @FILE, or - for standard input.
func (env *environment) readPayload(given string) (json.RawMessage, error) {
	raw := []byte(given)
	var err error
	switch file, isFile := strings.CutPrefix(given, "@"); {
	case given == "":
		return nil, nil
	case given == "-":
		raw, err = readBounded(env.In)
	case isFile:
		raw, err = readFile(file)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("read the payload: %w", err)}
	}
	switch err := accept.Payload("the payload", raw); {
	case len(raw) == 0:
		return nil, usageError{errors.New("the payload is empty: give JSON, or leave it away")}
	case err != nil && !json.Valid(raw):
		return nil, usageError{fmt.Errorf("%w: %.60q: quote it for the shell: -d '{\"name\": \"value\"}'", err, raw)}
	case err != nil:
		return nil, usageError{err}
	}
	return raw, nil
}

// readBounded reads one byte more than any payload may have, at most.
func readBounded(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, domain.MaxAppendSize+1))
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	raw, err := readBounded(f)
	return raw, errors.Join(err, f.Close())
}

// plain replaces what a terminal would obey, and what would break a table.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}
