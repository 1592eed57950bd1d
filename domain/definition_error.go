package domain

import "fmt"

// DefinitionError is one thing wrong with a definition.
type DefinitionError struct {
	Saga    string
	Version int
	// Path is the step's key in the plan (ship/*/label, with * for an Each's items), empty for the
	// saga as a whole.
	Path   string
	Reason string
}

// Error implements error.
func (e *DefinitionError) Error() string {
	at := ""
	if e.Path != "" {
		at = e.Path + ": "
	}
	return fmt.Sprintf("saga %q v%d: %s%s", e.Saga, e.Version, at, e.Reason)
}
