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
	"time"

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
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
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
	// tokens are the accepted tokens, nil if none are required; ln is the API's listener. Both are
	// set by prepare.
	tokens *auth.Tokens
	ln     net.Listener
}

func (s *site) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.addr, "http", "127.0.0.1:7070", "address of the HTTP API and the web page; empty serves neither")
	f.StringVar(&s.cert, "tls-cert", "", "PEM certificate for HTTPS")
	f.StringVar(&s.key, "tls-key", "", "PEM key for HTTPS")
	f.BoolVar(&s.requireToken, "require-token", false, "require a token on a loopback address, too")
}

// prepare fails before any run continues if the site can't be served.
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

// listen reads the tokens and listens on the address.
func (s *site) listen(ctx context.Context, log host.Log, setup *host.Setup) (err error) {
	if s.tokens, err = s.readTokens(ctx, log); err != nil {
		return err
	}
	if s.ln, err = net.Listen("tcp", s.addr); err != nil {
		return fmt.Errorf("--http %s: %w: stop what listens there, or give another address", s.addr, err)
	}
	// If the listener was served, it is closed already, and this fails.
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
	all.Go(func() error { return ended(ctx, tellLacking(ctx, n, runner)) })
	if s.addr != "" {
		server, err := s.server(n, runner)
		if err != nil {
			all.Go(func() error { return err })
		} else {
			all.Go(func() error { return ended(ctx, server.Serve(ctx, s.ln)) })
		}
	}
	return all.Wait()
}

// tellLacking logs once, as soon as the runs view is up to date, which unfinished runs need code
// that this program lacks. Without this nobody would know why they wait.
func tellLacking(ctx context.Context, n *host.Node, r *runner.Runner) error {
	select {
	case <-n.Coordinator.Ready():
	case <-ctx.Done():
		return ctx.Err()
	}
	var end domain.Position
	for e, err := range n.Log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return err
		}
		end = e.Position
		break
	}
	if end == 0 {
		return nil
	}
	for {
		err := r.AtLeast(ctx, "runs", end, time.Minute)
		if err == nil {
			break
		}
		if !errors.Is(err, projections.ErrBehind) {
			return err
		}
	}
	list, err := runs.UnfinishedByVersion(ctx, r.Reader())
	if err != nil {
		n.Logger.Warn("could not check whether unfinished runs need code that this program lacks", "error", err)
		return nil
	}
	actions := make(map[string]bool)
	for _, a := range n.Coordinator.Actions() {
		actions[a.Name] = true // an action by itself is a run of that name
	}
	for _, v := range list {
		if _, err := n.Coordinator.Saga(v.Saga, v.Version); err != nil && !actions[v.Saga] {
			n.Logger.Warn(v.Lacks()+": they wait for a program that has it", "list", fmt.Sprintf("runs 'saga:%s version:%d state:unfinished'", v.Saga, v.Version))
		}
	}
	return nil
}

// ended drops the error of an ordinary stop.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// server makes the HTTP API with the page and the metrics in it.
func (s *site) server(n *host.Node, runner *runner.Runner) (*httpapi.Server, error) {
	if err := s.metrics.Watch(telemetry.Sources{Coordinator: n.Coordinator, Log: logStats(n.Log), Projections: runner, Views: views.Of(runner.Reader())}); err != nil {
		return nil, err
	}
	page, known := &later{}, s.env.Program.Evidence(n.Log)
	server, err := httpapi.New(httpapi.Config{
		Coordinator: n.Coordinator, Views: views.Of(runner.Reader()), Projections: runner, Log: n.Log, Evidence: known, Addr: s.addr, Tokens: s.tokens,
		TLSCert: s.cert, TLSKey: s.key, Page: page, Metrics: s.metrics.Handler(n.Logger), Middleware: s.around,
		Version: s.env.Program.VersionText(), Logger: n.Logger,
	})
	if err != nil {
		return nil, err
	}
	page.Handler, err = webui.New(webui.Config{Coordinator: n.Coordinator, Views: views.Of(runner.Reader()), Projections: runner, Log: n.Log, Evidence: known,
		Sessions: sessions{server.Guard()}, Program: s.env.Program.Name, Version: s.env.Program.VersionText(), Logger: n.Logger})
	return server, err
}

func (s *site) around(next http.Handler) http.Handler {
	return s.metrics.Middleware(s.tracing.Middleware(next))
}

// readTokens returns the accepted tokens, or nil if none are required.
func (s *site) readTokens(ctx context.Context, log host.Log) (*auth.Tokens, error) {
	tokens, err := host.LoadTokens(ctx, log, s.env.Logger(slog.LevelWarn))
	if err != nil {
		return nil, err
	}
	if tokens.Any() {
		return tokens, nil
	}
	if slices.ContainsFunc(tokens.List(), func(t auth.Token) bool { return t.Revoked.IsZero() }) {
		return nil, errors.New("nobody could log in, because every token has expired: make a new one with \"token create\"")
	}
	if s.requireToken || !loopback(s.addr) {
		return nil, console.UsageError{Err: fmt.Errorf("--http %s: nobody could log in, because there is no token: make one with \"token create\", or listen on 127.0.0.1", s.addr)}
	}
	return nil, nil
}

// loopback reports whether only this machine can reach the address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// later is a handler that is set later, but before the first request.
type later struct{ http.Handler }

// logStats returns the numbers of the embedded log, or nil for another log.
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

// sessions tells the page who makes a request, with the API's guard.
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
	return webui.Person{Name: id.Name, Operate: id.Has(auth.Operate), Signal: id.Has(auth.Operate, auth.Start), Start: id.Has(auth.Start), Sagas: id.Sagas, Open: id.Open}, true
}

// Login implements [webui.Sessions].
func (s sessions) Login(w http.ResponseWriter, r *http.Request, token string) error {
	_, err := s.guard.Login(w, r, token)
	return err
}

// Logout implements [webui.Sessions].
func (s sessions) Logout(w http.ResponseWriter, r *http.Request) { s.guard.Logout(w, r) }
