package httpapi

import (
	"context"
	"net/http"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// healthOperations are open to everybody. They report whether the process is alive and whether it
// can serve.
func (s *Server) healthOperations() {
	type healthOutput struct {
		Status int
		Body   wire.Health
	}
	register(s, operation{id: "live", method: http.MethodGet, path: "/health/live", tag: "health", summary: "Whether the process answers"},
		func(context.Context, *struct{}) (*healthOutput, error) {
			return &healthOutput{http.StatusOK, wire.Health{Status: "ok"}}, nil
		})
	register(s, operation{id: "ready", method: http.MethodGet, path: "/health/ready", tag: "health", summary: "Whether runs can be started and views queried", adjust: notReady},
		func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
			h := wire.Health{Status: "ok"}
			if err := s.cfg.Coordinator.Health(); err != nil {
				h.Reason = append(h.Reason, err.Error())
			}
			select {
			case <-s.draining:
				h.Reason = append(h.Reason, "the server is stopping")
			default:
			}
			views, err := s.cfg.Projections.Status(ctx)
			if err != nil {
				h.Reason = append(h.Reason, "the views can't be read")
				s.cfg.Logger.Warn("readiness: views", "error", err)
			}
			for _, v := range views {
				if v.Live == nil {
					h.Reason = append(h.Reason, "view "+v.View+" is not built yet")
				}
			}
			if len(h.Reason) > 0 {
				h.Status = "unavailable"
				return &healthOutput{http.StatusServiceUnavailable, h}, nil
			}
			return &healthOutput{http.StatusOK, h}, nil
		})
}

// metrics serves the metrics for Prometheus.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	id, ok := auth.IdentityOf(r.Context())
	switch {
	case s.cfg.Metrics == nil:
		writeProblem(w, problem(http.StatusNotFound, wire.ProblemNotFound, "this server keeps no metrics"))
	case !ok:
		p, _ := problemOf(auth.ReasonOf(r.Context()))
		writeProblem(w, p)
	case !id.Has(auth.Read) || id.Bound():
		p, _ := problemOf(errForbidden)
		writeProblem(w, p)
	default:
		s.cfg.Metrics.ServeHTTP(w, r)
	}
}
