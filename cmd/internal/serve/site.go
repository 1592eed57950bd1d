package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/adapters/telemetry"
	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

// site keeps the views up to date and serves the HTTP API, the web page and the metrics over them.
type site struct {
	env             *access.Env
	addr, cert, key string
	requireToken    bool

	metrics *telemetry.Metrics
	tracing *telemetry.Tracing
	// tokens are those to ask for, nil where nobody is asked; the API is served on ln. Both are
	// there after prepare.
	tokens *auth.Tokens
	ln     net.Listener
}

func (s *site) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.addr, "http", "127.0.0.1:7070", "address of the HTTP API and the web page; empty serves neither")
	f.StringVar(&s.cert, "tls-cert", "", "PEM certificate for HTTPS")
	f.StringVar(&s.key, "tls-key", "", "PEM key for HTTPS")
	f.BoolVar(&s.requireToken, "require-token", false, "ask for a token on loopback too")
}

// prepare finds out what would keep the site from being served before any run goes on.
func (s *site) prepare(ctx context.Context, log host.Log, setup *host.Setup) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.addr != "" {
		if err := s.listen(ctx, log, setup); err != nil {
			return err
		}
	}
	s.metrics = telemetry.NewMetrics()
	tracing, err := telemetry.NewTracing(ctx, telemetry.TracingConfig{Service: s.env.Program.Name, Log: log, Logger: setup.Config.Logger})
	if err != nil {
		return fmt.Errorf("tracing: %w: check the OTEL_ variables", err)
	}
	s.tracing = tracing
	list := []saga.Observer{s.metrics}
	if tracing != nil {
		list = append(list, tracing)
	}
	if setup.Config.Observer != nil {
		list = append(list, setup.Config.Observer)
	}
	setup.Config.Observer = telemetry.Observers(list...)
	return nil
}

// check finds flags that are wrong.
func (s *site) check() error {
	if (s.cert == "") != (s.key == "") {
		return console.UsageError{Err: errors.New("--tls-cert and --tls-key go together: give both, or neither")}
	}
	if s.cert != "" {
		if _, err := tls.LoadX509KeyPair(s.cert, s.key); err != nil {
			return console.UsageError{Err: fmt.Errorf("--tls-cert and --tls-key: %w", err)}
		}
	}
	if _, _, err := net.SplitHostPort(s.addr); s.addr != "" && err != nil {
		return console.UsageError{Err: fmt.Errorf("--http %s: %w: write HOST:PORT, such as 127.0.0.1:7070", s.addr, err)}
	}
	return nil
}

// listen reads the tokens and takes the address.
func (s *site) listen(ctx context.Context, log host.Log, setup *host.Setup) (err error) {
	if s.tokens, err = s.readTokens(ctx, log); err != nil {
		return err
	}
	if s.ln, err = net.Listen("tcp", s.addr); err != nil {
		return fmt.Errorf("--http %s: %w: stop what listens there, or give another address", s.addr, err)
	}
	// It is closed already, if it came to serving.
	setup.OnClose(func() error { _ = s.ln.Close(); return nil })
	return nil
}

func (s *site) run(ctx context.Context, n *host.Node) error {
	store, err := n.Setup.Views.Store(ctx)
	if err != nil {
		return err
	}
	runner, err := runner.New(runner.Config{Source: n.Log, Store: store, Logger: n.Logger, Views: s.env.Program.AllViews()})
	if err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return ended(ctx, runner.Run(ctx)) })
	all.Go(func() error { return ended(ctx, s.tracing.Run(ctx)) })
	if s.addr != "" {
		server, err := s.server(n, runner)
		if err != nil {
			all.Go(func() error { return err })
		} else {
			n.Logger.Info("HTTP API and web page", "address", s.url())
			all.Go(func() error { return ended(ctx, server.Serve(ctx, s.ln)) })
		}
	}
	return all.Wait()
}

// ended drops the error with which something says that it was told to stop.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (s *site) url() string {
	scheme := "http"
	if s.cert != "" {
		scheme = "https"
	}
	return scheme + "://" + s.ln.Addr().String() + "/"
}

// server makes the HTTP API with the page and the metrics in it.
func (s *site) server(n *host.Node, runner *runner.Runner) (*httpapi.Server, error) {
	if err := s.metrics.Watch(telemetry.Sources{Coordinator: n.Coordinator, Log: logStats(n.Log), Projections: runner, Views: views.Of(runner.Reader())}); err != nil {
		return nil, err
	}
	page := &later{}
	server, err := httpapi.New(httpapi.Config{
		Coordinator: n.Coordinator, Views: views.Of(runner.Reader()), Projections: runner, Log: n.Log, Addr: s.addr, Tokens: s.tokens,
		TLSCert: s.cert, TLSKey: s.key, Page: page, Metrics: s.metrics.Handler(n.Logger), Middleware: s.around,
		Version: s.env.Program.VersionText(), Logger: n.Logger,
	})
	if err != nil {
		return nil, err
	}
	page.Handler, err = webui.New(webui.Config{Coordinator: n.Coordinator, Views: views.Of(runner.Reader()), Projections: runner, Log: n.Log,
		Sessions: sessions{server.Guard()}, Version: s.env.Program.VersionText(), Logger: n.Logger})
	return server, err
}

func (s *site) around(next http.Handler) http.Handler {
	return s.metrics.Middleware(s.tracing.Middleware(next))
}

// readTokens returns the tokens to ask for, or nil where nobody is asked.
func (s *site) readTokens(ctx context.Context, log host.Log) (*auth.Tokens, error) {
	tokens, err := host.LoadTokens(ctx, log, s.env.Logger(slog.LevelWarn))
	if err != nil {
		return nil, err
	}
	if tokens.Any() {
		return tokens, nil
	}
	if slices.ContainsFunc(tokens.List(), func(t auth.Token) bool { return t.Revoked.IsZero() }) {
		return nil, errors.New("every token has expired, so nobody could log in: make a new one with \"token create\"")
	}
	if s.requireToken || !loopback(s.addr) {
		return nil, console.UsageError{Err: fmt.Errorf("--http %s: nobody could log in, because there is no token: make one with \"token create\", or listen on 127.0.0.1", s.addr)}
	}
	return nil, nil
}

// loopback reports whether only this machine reaches the address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// later is a handler that is set before the first request.
type later struct{ http.Handler }

// logStats returns the numbers of the embedded log, or nil for another one.
func logStats(log host.Log) func() telemetry.LogStats {
	embedded, ok := log.(*pebblelog.Log)
	if !ok {
		return nil
	}
	return func() telemetry.LogStats {
		l := embedded.Stats()
		return telemetry.LogStats{
			Appends: l.Appends, Events: l.Events, Bytes: l.Bytes, Conflicts: l.Conflicts, Repeats: l.Repeats, SlowDisk: l.SlowDisk,
			SyncWaits: l.SyncWaits[:], SyncBounds: pebblelog.SyncWaitBounds(), SyncWait: l.SyncWait,
			BatchSizes: l.BatchSizes[:], BatchBounds: pebblelog.BatchSizeBounds(),
			Subscribers: l.Subscribers, DiskBytes: l.DiskBytes, Failed: l.Failed,
		}
	}
}

// sessions tells the page who makes a request, by the API's guard.
type sessions struct{ guard *auth.Guard }

// Who implements [webui.Sessions].
func (s sessions) Who(r *http.Request) (webui.Person, bool) {
	id, ok := auth.IdentityOf(r.Context())
	if !ok {
		var err error
		if id, err = s.guard.Authenticate(r); err != nil {
			return webui.Person{}, false
		}
	}
	if !id.Has(auth.Read) {
		return webui.Person{}, false
	}
	return webui.Person{Name: id.Name, Operate: id.Has(auth.Operate), Signal: id.Has(auth.Operate, auth.Start), Sagas: id.Sagas, Open: id.Open}, true
}

// Login implements [webui.Sessions].
func (s sessions) Login(w http.ResponseWriter, r *http.Request, token string) error {
	_, err := s.guard.Login(w, r, token)
	return err
}

// Logout implements [webui.Sessions].
func (s sessions) Logout(w http.ResponseWriter, r *http.Request) { s.guard.Logout(w, r) }
