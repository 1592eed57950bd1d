package esdbserver

import (
	"context"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/projections"
	"google.golang.org/grpc/codes"
)

// projectionsService lets clients enable two projections, by category and by event type, as they do
// before they read such streams ($ce-, $et-). This server computes these streams while they are
// read, so both are always enabled. Everything else about projections is unimplemented.
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
		return nil, &wire.RefusalError{Code: codes.NotFound, Message: "there is no projection " + name + ": this server has only $by_category and $by_event_type"}
	}
}
