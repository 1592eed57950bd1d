package console

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/atonehq/atone/cmd/internal/tty"
)

// Page writes a text to Out, through a pager if Out is a terminal with fewer lines than the text.
// The pager is ATONE_PAGER, else PAGER, else less; "cat" means none.
func (c *Console) Page(text string) error {
	_, height, terminal := tty.Size(c.Out)
	if _, later := c.Out.(*paper); later {
		terminal = false
	}
	if pager := c.pager(); terminal && tty.Is(c.In) && pager != "" && strings.Count(text, "\n") >= height {
		if c.through(pager, text) {
			return nil
		}
	}
	_, err := io.WriteString(c.Out, text)
	return err
}

// Paged calls write and pages what it wrote to Out.
func (c *Console) Paged(write func() error) error {
	out, terminal := c.Out.(interface{ Fd() uintptr })
	if !terminal {
		return write()
	}
	sheet := &paper{fd: out.Fd()}
	terminalOut := c.Out
	c.Out = sheet
	err := write()
	c.Out = terminalOut
	return errors.Join(err, c.Page(sheet.String()))
}

// paper collects a text before it is paged. To the writer it looks like the terminal.
type paper struct {
	bytes.Buffer
	fd uintptr
}

// Fd returns the terminal's file descriptor, for its width and colours.
func (p *paper) Fd() uintptr { return p.fd }

// pager returns the command line of the pager; empty means none.
func (c *Console) pager() string {
	for _, name := range []string{"ATONE_PAGER", "PAGER"} {
		if p := strings.TrimSpace(c.env(name)); p != "" {
			if p == "cat" {
				return ""
			}
			return p
		}
	}
	if _, err := exec.LookPath("less"); err != nil {
		return ""
	}
	return "less"
}

// through shows a text with the pager. shown is false if the pager does not exist or could not
// start.
func (c *Console) through(pager, text string) (shown bool) {
	cmd := exec.Command("sh", "-c", pager) //nolint:gosec // a person's own choice, as with git
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), c.Out, c.Err
	// As git does: quit if all fits one screen, keep colours, leave the text on the screen.
	cmd.Env = append(os.Environ(), "LESS="+orElse(c.env("LESS"), "FRX"))
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == notFound || err != nil && exit == nil && !errors.Is(err, syscall.EPIPE) {
		return false
	}
	return true // a pager may fail because the person left it early: the text was shown
}

// notFound is the shell's exit code for a command that does not exist.
const notFound = 127

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
