package domain

import (
	"encoding/json"
	"errors"
	"fmt"
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

// BulkFilter selects unfinished runs; all conditions that are set must hold.
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
}

// zero reports whether the filter selects everything.
func (f *BulkFilter) zero() bool {
	return len(f.Runs) == 0 && len(f.Sagas) == 0 && f.Version == 0 && len(f.States) == 0 && len(f.Labels) == 0 && f.KeyPrefix == "" && f.OlderThan == 0 && f.Action == ""
}

// BulkRequest says what to do to which runs.
type BulkRequest struct {
	Act    BulkAct
	Filter BulkFilter
	// All must be set for a filter without conditions, which is more often a mistake than meant.
	All bool
	// Reason is recorded with each run; abandon requires it.
	Reason string
	// Output is what substitute puts in.
	Output json.RawMessage
	// DryRun only tells which runs it would be done to.
	DryRun bool
	// Limit bounds the runs that are dealt with in one call, oldest first; 0 means 1,000.
	Limit int
}

// BulkResult tells what became of one run.
type BulkResult struct {
	Run     RunID    `json:"run"`
	Saga    string   `json:"saga"`
	Version int      `json:"version"`
	State   RunState `json:"state"`
	// Done means that the act is recorded; in a dry run it is false.
	Done bool `json:"done"`
	// Error says why the act was refused.
	Error string `json:"error,omitempty"`
}

// BulkReport is what a bulk operation did.
type BulkReport struct {
	DryRun bool `json:"dry_run,omitempty"`
	// Matched counts the runs that the filter selects, Done and Failed those that were dealt with.
	Matched int `json:"matched"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// Unreadable counts runs that are left out because they can't be read, so that nobody can tell
	// whether the filter selects them.
	Unreadable int `json:"unreadable,omitempty"`
	// More means that the limit left out some: call again.
	More    bool         `json:"more,omitempty"`
	Results []BulkResult `json:"results"`
}

// Validate reports everything that is wrong with the request, as [ErrBadInput]. Validate a caller's
// request before you narrow its filter: a filter without conditions has one afterwards.
func (r *BulkRequest) Validate() error {
	if err := r.check(); err != nil {
		return fmt.Errorf("%w: bulk %s: %w", ErrBadInput, CutText(string(r.Act), 50), err)
	}
	return nil
}

func (r *BulkRequest) check() error {
	var errs []error
	switch r.Act {
	case BulkCancel, BulkPause, BulkResume, BulkRetry, BulkSkip:
	case BulkSubstitute:
		if len(r.Output) == 0 {
			errs = append(errs, errors.New("substitute needs an output: JSON that fits the action's type"))
		}
		errs = append(errs, accept.Payload("the output to substitute", r.Output))
	case BulkAbandon:
		if r.Reason == "" {
			errs = append(errs, errors.New("abandoning runs needs a reason"))
		}
	default:
		errs = append(errs, fmt.Errorf("no such act: use %s, %s, %s, %s, %s, %s or %s", BulkCancel, BulkPause, BulkResume, BulkRetry, BulkSkip, BulkSubstitute, BulkAbandon))
	}
	if r.Filter.zero() && !r.All {
		errs = append(errs, errors.New("the filter selects every unfinished run: set a condition, or say that all are meant"))
	}
	if r.Limit < 0 || r.Filter.OlderThan < 0 || r.Filter.Version < 0 {
		errs = append(errs, errors.New("limit, age and version can't be negative"))
	}
	errs = append(errs, accept.Text("the reason", r.Reason))
	return errors.Join(errs...)
}

// StuckOnly reports whether the act only makes sense for stuck runs.
func (a BulkAct) StuckOnly() bool { return a == BulkRetry || a == BulkSkip || a == BulkSubstitute }
