package httpapi

import (
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// EventOf turns a recorded event into one as the API shows it, with the secret fields of its payloads
// redacted: for programs that read a log themselves and show the same.
func EventOf(r *domain.Recorded, secret projections.Fields) wire.Event { return eventOf(r, secret) }
