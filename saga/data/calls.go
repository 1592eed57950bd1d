package data

import (
	"context"
	"encoding/json"
	"net/url"
)

// Caller makes the calls of actions that are files. It is safe for concurrent use; package
// adapters/httpcall has one.
type Caller interface {
	// Check says what would keep a call from being made as things are, such as a secret that is
	// missing. It calls nobody.
	Check(c Call) error
	// Call makes a call and returns what came back, whatever the status. An error says with its
	// verdict whether the call can have had an effect; see [saga.NothingDone].
	Call(ctx context.Context, c Call) (Reply, error)
}

// Call is one call, as an action's file has it with the values of an attempt.
type Call struct {
	Method string
	URL    *url.URL
	// Header are the file's own headers; secret://NAME stands for a secret.
	Header map[string]string
	// ContentType is that of the body, and empty where there is none.
	ContentType string
	Body        []byte
	// Key is the idempotency key; it is empty for a call without an effect.
	Key string
	// Trace is the W3C traceparent, or empty.
	Trace string
	// Sign is the secret that signs the call as Standard Webhooks has it: secret://NAME, or empty.
	Sign string
}

// Reply is what came back.
type Reply struct {
	Status int
	// Body is JSON, or a text as JSON has it; it is empty where nothing came.
	Body json.RawMessage
	// Meaning is what the status means unless the file says otherwise: nil for a success, else an
	// error with a verdict.
	Meaning error
	// Copied says why an earlier copy of the call may have had its effect although this answer is
	// none of a success; it is empty where there was none.
	Copied string
}
