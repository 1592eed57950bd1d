package machine

import "errors"

// ErrNoOutput means that an output was substituted for a step that is stuck in its undo.
var ErrNoOutput = errors.New("the step is stuck in its undo, which has no output")
