package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/signup/signup"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// workerConfig tells the coordinating process what to do. It is the first line of its standard
// input; the end of that input tells it to stop.
type workerConfig struct {
	Data string `json:"data"`
	// Temporary means that the directory is not needed after the demo.
	Temporary bool          `json:"temporary"`
	SMTP      string        `json:"smtp"`
	CRM       string        `json:"crm"`
	People    []person      `json:"people"`
	Pace      time.Duration `json:"pace"` // between two new sign-ups
	After     uint64        `json:"after"`
}

func logDir(data string) string    { return filepath.Join(data, "log") }
func usersFile(data string) string { return filepath.Join(data, "users.db") }
func mailDir(data string) string   { return filepath.Join(data, "mail") }

// runWorker is the process that gets killed: the sign-up service on the embedded log. It starts the
// runs that have not started yet, waits for all ends, and writes each event of a run to out, one
// JSON object a line.
func runWorker(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lines := bufio.NewReader(in)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the worker's orders: %w: this command is started by `atone demo`, not by hand", err)
	}
	var cfg workerConfig
	if err := json.Unmarshal(first, &cfg); err != nil {
		return fmt.Errorf("read the worker's orders: %w", err)
	}
	go func() { // ends with the process: a read of standard input can't be interrupted
		_, _ = io.Copy(io.Discard, lines)
		cancel(errAbandoned)
	}()
	defer func() {
		if cfg.Temporary && errors.Is(context.Cause(ctx), errAbandoned) {
			// The demo was killed, or is about to remove the directory itself.
			err = errors.Join(err, os.RemoveAll(cfg.Data))
		}
	}()
	logFile, err := os.OpenFile(filepath.Join(cfg.Data, "worker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer logFile.Close()
	logger := slog.New(slog.NewTextHandler(logFile, nil))

	events, err := pebblelog.Open(logDir(cfg.Data), pebblelog.Config{Logger: logger})
	if err != nil {
		return err
	}
	users := new(signup.SQLiteUsers)
	if err := users.Open(ctx, usersFile(cfg.Data)); err != nil {
		return errors.Join(err, events.Close())
	}
	w := &worker{cfg: cfg, log: events, out: json.NewEncoder(out)}
	w.service = signup.New(users, &signup.SMTPMailer{Addr: cfg.SMTP, From: "hello@signup.example"}, &signup.HTTPCRM{URL: cfg.CRM})
	err = w.run(ctx, logger)
	return errors.Join(err, users.Close(), events.Close())
}

// errAbandoned is the error of a worker whose demo has ended.
var errAbandoned = errors.New("the demo that started this process has ended")

type worker struct {
	cfg     workerConfig
	log     *pebblelog.Log
	service *signup.Service
	out     *json.Encoder
}

func (w *worker) run(ctx context.Context, logger *slog.Logger) error {
	c, err := saga.New(saga.Config{Log: w.log, Logger: logger, Node: "coordinator"})
	if err != nil {
		return err
	}
	if err := c.Register(w.service.Signup); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	var coordinated, told error
	all.Go(func() {
		coordinated = c.Run(ctx)
		stop()
	})
	all.Go(func() { told = w.tell(ctx) })
	err = w.signUp(ctx, c)
	stop()
	all.Wait()
	if coordinated != nil {
		err = coordinated // the error that ended the rest
	}
	return errors.Join(err, told)
}

// signUp starts everybody's run and waits until all have ended. If the killed process had started a
// run already, the same key gives the same run.
func (w *worker) signUp(ctx context.Context, c *saga.Coordinator) error {
	select {
	case <-c.Ready():
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx = saga.WithActor(ctx, "sign-up form")
	name, version := w.service.Signup.SagaName()
	ids := make([]domain.RunID, len(w.cfg.People))
	for i, p := range w.cfg.People {
		if _, err := c.Describe(ctx, domain.RunIDForKey(name, p.Key)); errors.Is(err, saga.ErrNotFound) && i > 0 {
			select {
			case <-time.After(w.cfg.Pace):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		form, err := json.Marshal(p.Form)
		if err != nil {
			return err
		}
		if ids[i], err = c.StartByName(ctx, name, version, form, saga.Key(p.Key), saga.Labels(map[string]string{"name": p.Form.Name})); err != nil {
			return fmt.Errorf("sign up %s: %w", p.Form.Email, err)
		}
	}
	for _, id := range ids {
		_, err := c.Wait(ctx, id)
		if e, _ := domain.EndingOf(err); e.State != domain.RunIsCompleted && e.State != domain.RunIsCompensated {
			return err
		}
	}
	return nil
}

// tell writes the log's run events as they become durable, until ctx ends. The last ones may be
// missing: once this process has ended, the demo reads the log itself.
func (w *worker) tell(ctx context.Context) error {
	for d, err := range w.log.Subscribe(ctx, domain.Position(w.cfg.After), domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case d.Event != nil:
			if err := w.out.Encode(d.Event); err != nil {
				return fmt.Errorf("tell the demo: %w", err)
			}
		}
	}
	return nil
}
