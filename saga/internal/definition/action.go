package definition

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Action is an action without types.
type Action struct {
	Spec        domain.ActionSpec
	Description string
	// Concurrency bounds its handlers, Rate the attempts that start in a second, Burst those that
	// start at once; 0 means the coordinator's default.
	Concurrency int
	Rate        float64
	Burst       int
	// Input and Output are the types of its input and output.
	Input, Output Payload
	// Identity tells two actions of one name apart.
	Identity any
	// Do, Undo and Probe call the author's functions; an action may lack the last two. known is
	// the value of in, or nil.
	Do    func(ctx context.Context, in json.RawMessage, known any) (json.RawMessage, error)
	Undo  func(ctx context.Context, did Did) error
	Probe func(ctx context.Context, in json.RawMessage) (domain.Verdict, json.RawMessage, error)
	// Permanent and UndoPermanent report whether the author named the error as one not to retry.
	Permanent, UndoPermanent func(error) bool
	// FailsCleanly means that an error of Do means that nothing was done.
	FailsCleanly bool
	// Unreadable says why no value of its types comes back from JSON; empty if that depends on the
	// value.
	Unreadable string
	// OnFailure is the failure handler, or nil.
	OnFailure *Action
	// Secrets are the secret fields of its types.
	Secrets *payload.Secrets
}

// Did describes the work to be taken back.
type Did struct {
	// Key is the idempotency key of the do.
	Key string
	// Output is empty where the do's output is not known.
	Input, Output json.RawMessage
	InDoubt       bool
	// Cause is why the run is being undone, or nil.
	Cause error
}

// Unreadable says why no value of one of two types comes back from JSON, or nothing.
func Unreadable(in, out reflect.Type) string {
	for i, t := range []reflect.Type{in, out} {
		if why, _ := payload.ReadsBack(t); why != "" {
			return fmt.Sprintf("%s, of type %v, holds %s", [...]string{"its input", "its output"}[i], t, why)
		}
	}
	return ""
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// BadName explains which names are valid.
const BadName = "use 1 to 100 letters, digits, '-', '_' or '.', beginning with a letter or digit"

// ValidName reports whether an action, a saga or a step may have the name.
func ValidName(name string) bool { return namePattern.MatchString(name) }
