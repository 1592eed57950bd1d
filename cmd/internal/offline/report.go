package offline

import (
	"errors"
	"fmt"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/projections/verify"
)

// ErrTampered means that the log is not as it was written.
var ErrTampered = errors.New("the log is not as it was written")

// printVerification writes what a check found; findings make it an error.
func printVerification(env *access.Env, v *verify.Report) error {
	if env.JSON() {
		findings := v.Findings
		if findings == nil {
			findings = []verify.Finding{}
		}
		if err := env.PrintJSON(map[string]any{"ok": v.OK(), "runs": v.Runs, "events": v.Events, "anchored": v.Anchored,
			"found": v.Found, "findings": findings}); err != nil {
			return err
		}
	} else {
		for _, f := range v.Findings {
			if _, err := fmt.Fprintln(env.Out, console.Plain(f.String())); err != nil {
				return err
			}
		}
		anchored := ""
		if v.Anchored > 0 {
			anchored = fmt.Sprintf(", %d of them vouched for by the anchor", v.Anchored)
		}
		if v.OK() {
			if _, err := fmt.Fprintf(env.Out, "%s: %d events of %d runs are as they were written%s\n", env.Colours().Good("ok"), v.Events, v.Runs, anchored); err != nil {
				return err
			}
		}
	}
	if v.OK() {
		return nil
	}
	return fmt.Errorf("%w: %d findings in %d events of %d runs", ErrTampered, v.Found, v.Events, v.Runs)
}
