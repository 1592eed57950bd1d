package bridge

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
)

// Definition returns the definition behind a saga.AnySaga, or the errors of the saga.
var Definition func(anySaga any) (*definition.Definition, error)

// Action returns what a definition uses of a saga.AnyAction.
var Action func(anyAction any) definition.ActionUse

// Described returns a saga.AnyAction that is another one of raw JSON, with what is known of its
// input and output: their types, and which of their members are secret.
var Described func(anyAction any, input, output definition.Payload, secret []string) any

// Saga returns a *saga.Saga[json.RawMessage, json.RawMessage] with the definition.
var Saga func(name string, version int, d *definition.Definition) any

// Open returns the registry of a *saga.Coordinator that does not run yet, and a function that
// reports whether all domain events up to a position were delivered. stirred is called when that
// may have become true; it must not block.
var Open func(coordinator any, stirred func()) (r *definition.Registry, delivered func(upTo domain.Position) bool)
