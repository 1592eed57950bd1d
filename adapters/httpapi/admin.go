package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runner"
)

func (s *Server) adminOperations() {
	type statusOutput struct{ Body []wire.View }
	register(s, operation{id: "list-projections", method: http.MethodGet, path: "/projections", tag: "projections", summary: "The state of the views", scopes: []auth.Scope{auth.Read}},
		func(ctx context.Context, _ *struct{}) (*statusOutput, error) {
			all, err := s.cfg.Projections.Status(ctx)
			if err != nil {
				return nil, err
			}
			out := &statusOutput{Body: make([]wire.View, len(all))}
			for i := range all {
				out.Body[i] = viewOf(&all[i])
			}
			return out, nil
		})
	type rebuildInput struct {
		View string `path:"view" maxLength:"100" doc:"The view's name."`
	}
	type rebuildOutput struct{ Body wire.View }
	register(s, operation{id: "rebuild-projection", method: http.MethodPost, path: "/projections/{view}/rebuild", tag: "projections", summary: "Rebuild a view beside the old one",
		scopes: []auth.Scope{auth.Admin}, errors: [][]int{notFound}, status: http.StatusAccepted, long: true},
		func(ctx context.Context, in *rebuildInput) (*rebuildOutput, error) {
			if err := allowAll(ctx, "a view"); err != nil {
				return nil, err
			}
			ctx, cancel := s.untilDrain(ctx)
			defer cancel()
			bounded, stop := context.WithTimeout(ctx, rebuildWait)
			defer stop()
			if err := s.cfg.Projections.Rebuild(bounded, in.View); err != nil && bounded.Err() == nil {
				return nil, err
			}
			all, err := s.cfg.Projections.Status(ctx)
			if err != nil {
				return nil, err
			}
			for i := range all {
				if all[i].View == in.View {
					return &rebuildOutput{viewOf(&all[i])}, nil
				}
			}
			return nil, runner.ErrUnknownView
		})
	if s.cfg.Tokens != nil {
		s.tokenOperations()
	}
}

func viewOf(st *runner.Status) wire.View {
	v := wire.View{View: st.View, Version: st.Version, Built: st.Live != nil, Building: st.Building != nil, Leading: st.Leading,
		LagEvents: st.LagEvents, LagMore: st.LagMore, Lag: domain.Duration(st.Lag)}
	if st.Live != nil && st.Live.Old {
		v.Old = true
	} else if st.Live != nil {
		v.Position, v.Events = st.Live.Position, st.Live.Events
	}
	if st.Err != nil {
		v.Error = st.Err.Error()
	}
	return v
}

func (s *Server) tokenOperations() {
	admin := []auth.Scope{auth.Admin}
	type tokensOutput struct{ Body []wire.Token }
	register(s, operation{id: "list-tokens", method: http.MethodGet, path: "/tokens", tag: "tokens", summary: "All tokens, without their secrets", scopes: admin},
		func(ctx context.Context, _ *struct{}) (*tokensOutput, error) {
			if err := allowAll(ctx, "the list of tokens"); err != nil {
				return nil, err
			}
			if err := s.cfg.Tokens.Load(ctx); err != nil {
				return nil, err
			}
			out := &tokensOutput{Body: []wire.Token{}}
			for _, t := range s.cfg.Tokens.List() {
				out.Body = append(out.Body, tokenOf(&t))
			}
			return out, nil
		})
	type createInput struct{ Body wire.NewToken }
	type createOutput struct{ Body wire.CreatedToken }
	register(s, operation{id: "create-token", method: http.MethodPost, path: "/tokens", tag: "tokens", summary: "Make a token",
		scopes: admin, errors: [][]int{bodyErrors, conflict}, status: http.StatusCreated},
		func(ctx context.Context, in *createInput) (*createOutput, error) {
			if err := allowAll(ctx, "making tokens"); err != nil {
				return nil, err
			}
			scopes, err := auth.ParseScopes(in.Body.Scopes)
			if err != nil {
				return nil, problem(http.StatusUnprocessableEntity, wire.ProblemBadInput, err.Error())
			}
			t, secret, err := s.cfg.Tokens.Create(ctx, auth.Spec{Name: in.Body.Name, Scopes: scopes, Sagas: in.Body.Sagas, Expires: in.Body.Expires, By: caller(ctx).Name})
			if err != nil {
				return nil, err
			}
			return &createOutput{wire.CreatedToken{Token: tokenOf(&t), Secret: secret}}, nil
		})
	type revokeInput struct {
		Name string `path:"name" maxLength:"100" doc:"The token's name."`
	}
	register(s, operation{id: "revoke-token", method: http.MethodDelete, path: "/tokens/{name}", tag: "tokens", summary: "End a token at once",
		scopes: admin, errors: [][]int{notFound}},
		func(ctx context.Context, in *revokeInput) (*struct{}, error) {
			if err := allowAll(ctx, "revoking tokens"); err != nil {
				return nil, err
			}
			return nil, s.cfg.Tokens.Revoke(ctx, in.Name, caller(ctx).Name)
		})
}

func tokenOf(t *auth.Token) wire.Token {
	id := t.Identity()
	return wire.Token{ID: t.ID, Name: t.Name, Scopes: id.ScopeNames(), Sagas: t.Sagas, Created: t.Created, By: t.By, Expires: t.Expires, Revoked: t.Revoked}
}

// sessionOperations let a person log in with a token.
func (s *Server) sessionOperations() {
	type meOutput struct{ Body wire.Me }
	register(s, operation{id: "get-me", method: http.MethodGet, path: "/me", tag: "session", summary: "Who the caller is", scopes: auth.Scopes()},
		func(ctx context.Context, _ *struct{}) (*meOutput, error) {
			return &meOutput{meOf(caller(ctx))}, nil
		})
	type loginInput struct {
		params.Request
		Body wire.Login
	}
	type loginOutput struct {
		Body func(huma.Context)
	}
	o := operation{id: "login", method: http.MethodPost, path: "/session", tag: "session", summary: "Log in with a token: sets a session cookie",
		errors: [][]int{bodyErrors, authErrors}, maxBody: maxStrangerBody}
	o.adjust = answers(s, map[string]typeOf{"application/json": typeOfMe})
	register(s, o, func(_ context.Context, in *loginInput) (*loginOutput, error) {
		r, w := humago.Unwrap(in.Context)
		id, err := s.guard.Login(w, r, in.Body.Token)
		if err != nil {
			return nil, err
		}
		return &loginOutput{jsonBody(meOf(id))}, nil
	})
	type logoutInput struct{ params.Request }
	register(s, operation{id: "logout", method: http.MethodDelete, path: "/session", tag: "session", summary: "Log out"},
		func(_ context.Context, in *logoutInput) (*struct{}, error) {
			r, w := humago.Unwrap(in.Context)
			s.guard.Logout(w, r)
			return nil, nil
		})
}

// rebuildWait is how long a request waits for a rebuild to end. A longer rebuild goes on after the
// answer.
const rebuildWait = 5 * time.Second

func meOf(id auth.Identity) wire.Me {
	return wire.Me{Name: id.Name, Scopes: id.ScopeNames(), Sagas: id.Sagas, Open: id.Open}
}
