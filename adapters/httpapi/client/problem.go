package client

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// ProblemError is a problem that the server returned (RFC 9457). errors.Is finds in it the
// library's own error, such as [saga.ErrKeyConflict].
type ProblemError struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Errors say where a request is wrong.
	Errors []ProblemDetail `json:"errors"`
}

// ProblemDetail says what is wrong with one part of a request.
type ProblemDetail struct {
	Message  string          `json:"message"`
	Location string          `json:"location"`
	Value    json.RawMessage `json:"value"`
}

// Error implements error.
func (p *ProblemError) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += "; " + strings.TrimSpace(e.Location+" "+e.Message)
	}
	return fmt.Sprintf("%s (HTTP %d)", text, p.Status)
}

// Kind returns one of the Problem constants of package wire, or an empty text.
func (p *ProblemError) Kind() string {
	kind, ok := strings.CutPrefix(p.Type, wire.ProblemPrefix)
	if !ok {
		return ""
	}
	return kind
}

// sentinels maps each kind of problem to the library's error.
var sentinels = map[string]error{
	wire.ProblemNotFound:      saga.ErrNotFound,
	wire.ProblemUnknownSaga:   saga.ErrUnknownSaga,
	wire.ProblemUnknownAction: saga.ErrUnknownAction,
	wire.ProblemKeyConflict:   saga.ErrKeyConflict,
	wire.ProblemEnded:         saga.ErrEnded,
	wire.ProblemPastPivot:     saga.ErrPastPivot,
	wire.ProblemTurnedBack:    saga.ErrTurnedBack,
	wire.ProblemNoStep:        saga.ErrNoStep,
	wire.ProblemNotStuck:      saga.ErrNotStuck,
	wire.ProblemNotEnded:      saga.ErrNotEnded,
	wire.ProblemHeld:          saga.ErrHeld,
	wire.ProblemNotHeld:       saga.ErrNotHeld,
	wire.ProblemUnreadable:    saga.ErrUnreadable,
	wire.ProblemBadInput:      saga.ErrBadInput,
	wire.ProblemBadBody:       saga.ErrBadInput,
	wire.ProblemTooLarge:      domain.ErrTooLarge,
	wire.ProblemNoView:        projections.ErrNoView,
	wire.ProblemUnknownView:   runner.ErrUnknownView,
	wire.ProblemNoToken:       auth.ErrNoToken,
	wire.ProblemNameTaken:     auth.ErrNameTaken,
	wire.ProblemNotRunning:    saga.ErrNotRunning,
	wire.ProblemBehind:        projections.ErrBehind,
	wire.ProblemUnauthorized:  auth.ErrDenied,
	wire.ProblemTooMany:       auth.ErrTooMany,
}

// Is reports whether the problem is the library's error target.
func (p *ProblemError) Is(target error) bool {
	if s := sentinels[p.Kind()]; s != nil && s == target {
		return true
	}
	return target == machine.ErrBadOutput && p.Kind() == wire.ProblemBadInput
}
