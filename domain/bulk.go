package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/domain/accept"
)

// BulkAct is what a bulk operation does to each run.
type BulkAct string

// The bulk operations.
const (
	BulkCancel     BulkAct = "cancel"
	BulkPause      BulkAct = "pause"
	BulkResume     BulkAct = "resume"
	BulkRetry      BulkAct = "retry"
	BulkSkip       BulkAct = "skip"
	BulkSubstitute BulkAct = "substitute"
	BulkAbandon    BulkAct = "abandon"
)

// BulkFilter selects unfinished runs; all conditions that are set must hold. An act on stuck steps
// also reaches the stuck runs below a run that is selected: its children, theirs, and so on.
type BulkFilter struct {
	// Runs, if not empty, are the only ones considered.
	Runs []RunID
	// Sagas selects runs of one of them; Version, if not 0, of that version.
	Sagas   []string
	Version int
	// States selects runs in one of them.
	States []RunState
	// Labels must all be there with these values.
	Labels map[string]string
	// KeyPrefix begins the runs' keys.
	KeyPrefix string
	// OlderThan selects runs that were started at least that long ago.
	OlderThan time.Duration
	// Action selects runs that are stuck at a step of the action.
	Action string
	// Steps names, for some of the runs, the stuck steps that an act on stuck steps is done to, and
	// to nothing below these runs. Without it, it is done to all of a run, or to all of the action.
	// It is no condition.
	Steps map[RunID][]string
}

// zero reports whether the filter selects everything.
func (f *BulkFilter) zero() bool {
	return len(f.Runs) == 0 && len(f.Sagas) == 0 && f.Version == 0 && len(f.States) == 0 && len(f.Labels) == 0 && f.KeyPrefix == "" && f.OlderThan == 0 && f.Action == ""
}

// BulkRequest says what to do to which runs.
type BulkRequest struct {
	Act    BulkAct
	Filter BulkFilter
	// Within, if not empty, are the only sagas whose runs are acted on, whatever selects them.
	Within []string
	// All must be set if the filter has no conditions: an empty filter is usually a mistake.
	All bool
	// Reason is recorded with each run, with the actor. It is required, save in a dry run.
	Reason string
	// Output is the output that substitute gives to the step.
	Output json.RawMessage
	// DryRun only lists the runs that would be changed.
	DryRun bool
	// After, if set, leaves out the runs up to this one, in the order oldest first: those that an
	// earlier call has dealt with. The run need not match the filter.
	After RunID
	// Limit bounds the runs that one call handles, oldest first; 0 means 1,000.
	Limit int
	// Rate bounds how many runs are dealt with in a second; 0 means no bound.
	Rate float64
	// StopAfter ends the act after so many failures; 0 means never. A run that refuses is one, and
	// one that is retried and soon stuck again. Runs are then dealt with one after the other.
	StopAfter int
	// Each, if set, is told what happened to each run as it happens, one call at a time. It does
	// not block.
	Each func(BulkResult)
}

// BulkResult is the result for one run.
type BulkResult struct {
	Run     RunID    `json:"run"`
	Key     string   `json:"key,omitempty"`
	Saga    string   `json:"saga"`
	Version int      `json:"version"`
	State   RunState `json:"state"`
	// Standing is how it stands, in the word of the answer to why; only in a dry run.
	Standing string `json:"standing,omitempty"`
	// Done means that the act is recorded; in a dry run it is false.
	Done bool `json:"done"`
	// Error says why the act was refused; in a dry run, why it would be.
	Error string `json:"error,omitempty"`
}

// BulkReport is what a bulk operation did.
type BulkReport struct {
	DryRun bool `json:"dry_run,omitempty"`
	// Matched counts the runs that the filter selects, save those that After leaves out; Done and
	// Failed count the handled ones.
	Matched int `json:"matched"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// Unreadable counts runs that were left out because they can't be read: whether the filter
	// selects them is unknown.
	Unreadable int `json:"unreadable,omitempty"`
	// More means that some runs were left out, by the limit or because the act ended early.
	More bool `json:"more,omitempty"`
	// StuckAgain counts those of the done that were soon stuck again; only with StopAfter.
	StuckAgain int `json:"stuck_again,omitempty"`
	// Stopped means that it ended after as many failures as the request allows.
	Stopped bool `json:"stopped,omitempty"`
	// Undo is what a cancel of the runs would undo, and what an abandon would leave; only in a dry
	// run of one of them.
	Undo    *BulkUndo    `json:"undo,omitempty"`
	Results []BulkResult `json:"results"`
}

// BulkUndo adds up what cancels of runs would undo, from the preview of each.
type BulkUndo struct {
	// Runs counts the runs that were looked at: the first ones. There may be more in the report.
	Runs int `json:"runs"`
	// Actions has the undos by action.
	Actions []ActionUndos `json:"actions"`
	// Children counts the child runs that would undo themselves; their undos are not in Actions.
	Children int `json:"children,omitempty"`
	// Stuck counts the undos that are stuck, or that would be since there is none for the effect.
	Stuck int `json:"stuck,omitempty"`
}

// ActionUndos counts the undos of one action.
type ActionUndos struct {
	Action string `json:"action"`
	Undos  int    `json:"undos"`
	// InDoubt counts those of them whose step may have had no effect.
	InDoubt int `json:"in_doubt,omitempty"`
}

// Validate reports everything that is wrong with the request, as [ErrBadInput]. Validate a caller's
// request before you narrow its filter, because a narrowed filter is never empty.
func (r *BulkRequest) Validate() error {
	if err := r.check(); err != nil {
		return fmt.Errorf("%w: bulk %s: %w", ErrBadInput, CutText(string(r.Act), 50), err)
	}
	return nil
}

func (r *BulkRequest) check() error {
	var errs []error
	switch r.Act {
	case BulkCancel, BulkPause, BulkResume, BulkRetry, BulkSkip, BulkAbandon:
	case BulkSubstitute:
		if len(r.Output) == 0 {
			errs = append(errs, errors.New("substitute needs an output: JSON that fits the action's type"))
		}
		errs = append(errs, accept.Payload("the output to substitute", r.Output))
	default:
		errs = append(errs, fmt.Errorf("no such act: use %s, %s, %s, %s, %s, %s or %s", BulkCancel, BulkPause, BulkResume, BulkRetry, BulkSkip, BulkSubstitute, BulkAbandon))
	}
	if r.Filter.zero() && !r.All {
		errs = append(errs, errors.New("the filter selects every unfinished run: set a condition, or say that all are meant"))
	}
	for _, st := range r.Filter.States {
		if st != RunRunning && st != RunCompensating && st != RunIsStuck {
			errs = append(errs, fmt.Errorf("no unfinished run is in the state %q: use %s, %s or %s", CutText(string(st), 50), RunRunning, RunCompensating, RunIsStuck))
		}
	}
	if !(r.Rate >= 0 && r.Rate <= 1e6) || r.StopAfter < 0 {
		errs = append(errs, errors.New("a rate is 0 to 1000000 runs in a second, and failures can't be negative"))
	}
	if r.Limit < 0 || r.Filter.OlderThan < 0 || r.Filter.Version < 0 {
		errs = append(errs, errors.New("limit, age and version can't be negative"))
	}
	if strings.TrimSpace(r.Reason) == "" && !r.DryRun {
		errs = append(errs, errors.New("it needs a reason: say why, for the audit"))
	}
	errs = append(errs, accept.Text("the reason", r.Reason))
	return errors.Join(errs...)
}

// StuckOnly reports whether the act only makes sense for stuck runs.
func (a BulkAct) StuckOnly() bool { return a == BulkRetry || a == BulkSkip || a == BulkSubstitute }

// Foreseen says what a cancel of the runs of a dry run would undo, such as "3 undos of charge-card,
// 1 of reserve-stock"; it is empty where nobody asked.
func (r *BulkReport) Foreseen() string {
	u := r.Undo
	if u == nil {
		return ""
	}
	var parts []string
	for i, a := range u.Actions {
		part := strconv.Itoa(a.Undos)
		if i == 0 {
			part = counted(a.Undos, "undo", "undos")
		}
		part += " of " + a.Action
		if a.InDoubt > 0 {
			part += fmt.Sprintf(" (%d in doubt)", a.InDoubt)
		}
		parts = append(parts, part)
	}
	if u.Children > 0 {
		parts = append(parts, counted(u.Children, "child run undoes itself", "child runs undo themselves"))
	}
	if u.Stuck > 0 {
		parts = append(parts, counted(u.Stuck, "undo is or gets stuck", "undos are or get stuck"))
	}
	text := strings.Join(parts, ", ")
	if text == "" {
		text = "nothing"
	}
	if u.Runs < len(r.Results) {
		text += fmt.Sprintf("; that is of the first %d runs only", u.Runs)
	}
	return text
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ParseRate reads a number of runs in a second, a minute or an hour, such as "10/s", as runs in a
// second; empty means no bound, 0.
func ParseRate(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	in := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if err != nil || in == 0 || !(n > 0 && n <= 1e6) {
		return 0, fmt.Errorf("the rate is %.50q: give a number of runs in a time, such as 10/s, 30/m or 100/h", text)
	}
	return n / in, nil
}
