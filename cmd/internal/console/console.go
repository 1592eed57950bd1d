package console

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"

	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
)

// Console is where a command reads and writes. Several goroutines may write to Err at once.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	// Line is the command line, the program's name included.
	Line []string
	// Command are the words of the command that runs, without the program's name: audit verify.
	Command []string
	// Getenv returns a variable of the environment; nil means that there are none.
	Getenv func(string) string
	// Output is the format of --output; empty means the command's own default.
	Output string
	// Verbose logs everything to Err.
	Verbose bool
	// UTC and Local are --utc and --local: times are printed as dates, not as ages.
	UTC, Local bool

	noReason bool
	// typed maps runs of the command line to the text that named them.
	typed map[domain.RunID]string
}

// JSON reports whether the output is for programs.
func (c *Console) JSON() bool { return c.Output == FormatJSON }

// Logger returns a command's logger. It logs from the level on, or everything with --verbose.
func (c *Console) Logger(level slog.Level) *slog.Logger {
	if c.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(c.Err, &slog.HandlerOptions{Level: level}))
}

// Quiet returns the logger for parts that run beside a command and also return their errors.
func (c *Console) Quiet() *slog.Logger {
	if c.Verbose {
		return c.Logger(slog.LevelDebug)
	}
	return slog.New(slog.DiscardHandler)
}

// Colours returns the colours for Out: none if it is not a terminal.
func (c *Console) Colours() tty.Palette { return tty.PaletteFor(c.Out) }

// env returns a variable of the environment.
func (c *Console) env(name string) string {
	if c.Getenv == nil {
		return ""
	}
	return c.Getenv(name)
}

// PrintJSON writes a value for programs. To an object it adds the steps as the member next_steps.
func (c *Console) PrintJSON(v any, next ...Step) error {
	raw, err := compactJSON(v)
	if err != nil {
		return err
	}
	if body, ok := bytes.CutSuffix(raw, []byte("}")); ok && len(next) > 0 {
		steps, err := compactJSON(next)
		if err != nil {
			return err
		}
		comma := ","
		if len(body) == 1 {
			comma = ""
		}
		raw = append(append(append(body[:len(body):len(body)], comma+`"next_steps":`...), steps...), '}')
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err = c.Out.Write(out.Bytes())
	return err
}

// compactJSON writes a value on one line, with markup as it is.
func compactJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// PrintLines writes each value as a line of JSON.
func PrintLines[T any](c *Console, list []T) error {
	enc := json.NewEncoder(c.Out)
	enc.SetEscapeHTML(false)
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
	}
	return nil
}
