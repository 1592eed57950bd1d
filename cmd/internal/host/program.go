package host

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
	"github.com/atonehq/atone/saga/explore"
)

// Program is a program of sagas: its name, its sagas and its Setup.
type Program struct {
	Name     string
	Samples  bool // Sagas and Actions are only to be played with
	Sagas    []saga.AnySaga
	Actions  []saga.AnyAction
	Triggers []saga.AnyTrigger
	// Views are kept up to date beside atone's own.
	Views []projections.View
	// Setup opens what the actions use and adjusts the coordinator; may be nil.
	Setup func(ctx context.Context, s *Setup) error
	// Explorations are what the command explore plays.
	Explorations []*explore.Exploration
	// Built is what the program is built of; zero means what the binary says.
	Built evidence.Build
	// Version is the program's version; empty means the version in the build information.
	Version string
}

// Setup is what a program's Setup may read and change.
type Setup struct {
	// Data is the data directory.
	Data string
	// Config is the coordinator's, or the worker's; its Log is set later.
	Config saga.Config
	// Log is the log that the coordinator will run on; nil for a worker.
	Log Log
	// Views is the place of the views.
	Views *Views
	// Worker means that a worker will run, and no coordinator.
	Worker bool

	closers []func() error
}

// OnClose calls f when the coordinator has stopped. The last f is called first.
func (s *Setup) OnClose(f func() error) { s.closers = append(s.closers, f) }

func (s *Setup) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	errs = append(errs, s.Views.Close())
	return errors.Join(errs...)
}

// WithoutSamples drops the program's sagas and actions if they are only to be played with.
func (p *Program) WithoutSamples() {
	if p.Samples {
		p.Sagas, p.Actions, p.Samples = nil, nil, false
	}
}

// VersionText returns the program's version, for people.
func (p *Program) VersionText() string {
	v := p.Version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	if v == "" {
		v = "(devel)"
	}
	return v
}

// Build is what the program is built of.
func (p *Program) Build() evidence.Build {
	if p.Built != (evidence.Build{}) {
		return p.Built
	}
	info, _ := debug.ReadBuildInfo() // without any it is nil
	return evidence.BuildOf(info)
}

// Evidence keeps what explorations found in a log.
func (p *Program) Evidence(log Log) *evidence.Evidence {
	return evidence.New(evidence.Config{Log: log, Build: p.Build()})
}

// Coordinator makes a coordinator with the program's sagas, actions and triggers.
func (p *Program) Coordinator(cfg saga.Config) (*saga.Coordinator, error) {
	c, err := saga.New(cfg)
	if err != nil {
		return nil, err
	}
	return c, domain.JoinOnce(c.Register(p.Sagas...), c.RegisterActions(p.Actions...), c.RegisterTriggers(p.Triggers...))
}

// Idle returns a coordinator that has the program's sagas and no log, and that never runs.
func (p *Program) Idle(cfg saga.Config) (*saga.Coordinator, error) {
	cfg.Log = memlog.New()
	return p.Coordinator(cfg)
}
