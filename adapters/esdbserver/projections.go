package esdbserver

import (
	"context"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/projections"
	"google.golang.org/grpc/codes"
)

// projectionsService answers for the two projections that this server has, in a sense: the
// category and the event type streams ($ce-, $et-), which are computed while they are read
// and so are always enabled. Clients enable them before they read such streams. Everything
// else about projections is unimplemented.
type projectionsService struct {
	projections.UnimplementedProjectionsServer
}

// Enable succeeds for what is always enabled.
func (*projectionsService) Enable(ctx context.Context, req *projections.EnableReq) (*projections.EnableResp, error) {
	if !callerOf(ctx).role.isAdmin() {
		return nil, wire.AccessDenied()
	}
	switch name := req.GetOptions().GetName(); name {
	case "$by_category", "$by_event_type":
		return &projections.EnableResp{}, nil
	default:
		return nil, &wire.RefusalError{Code: codes.NotFound, Message: "there is no projection " + name + ": this server only has $by_category and $by_event_type"}
	}
}
