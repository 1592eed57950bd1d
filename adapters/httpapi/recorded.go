package httpapi

import (
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
)

// EventOf turns a recorded event into one as the API shows it, without what the cloak hides: for programs that read a log
// themselves and show the same.
func EventOf(r *domain.Recorded, cloak *secret.Cloak) wire.Event { return eventOf(r, cloak) }
