package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// Options say what to show.
type Options struct {
	// Runs is the number of sign-ups; 0 means 30, at most 500.
	Runs int
	// Seed decides who signs up and how the CRM behaves; 0 picks one at random.
	Seed uint64
	// Data is the directory for the log, the users table and the mailbox; it must be empty or
	// missing, and is kept. Empty means a temporary one that is removed at the end.
	Data string
	// Out shows the progress; nil shows none.
	Out io.Writer
	// Worker is the command that runs the coordinating process, with its arguments; empty means
	// this program with the argument [WorkerCommand].
	Worker []string

	// beforeCheck lets tests break something before the check.
	beforeCheck func(s systems)
}

func (o *Options) setDefaults() error {
	if o.Runs == 0 {
		o.Runs = 30
	}
	if o.Seed == 0 {
		o.Seed = 1 + rand.Uint64N(1<<32)
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if len(o.Worker) == 0 {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program's own file: %w", err)
		}
		o.Worker = []string{self, WorkerCommand}
	}
	if o.Runs < 1 || o.Runs > 500 {
		return errRuns(o.Runs)
	}
	return nil
}

func errRuns(n int) error { return fmt.Errorf("%d runs: choose 1 to 500", n) }

// interrupted is the error of a show that was interrupted. It wraps the context's cause.
type interrupted struct {
	cause error
	kept  string // the directory, if it is kept
}

// Error implements error.
func (e *interrupted) Error() string {
	text := "interrupted"
	if !errors.Is(e.cause, context.Canceled) {
		text += ": " + e.cause.Error()
	}
	if e.kept == "" {
		return text + "; nothing is left behind"
	}
	return text + "; what was done so far is kept in " + e.kept
}

// Unwrap returns the cause.
func (e *interrupted) Unwrap() error { return e.cause }

// WorkerCommand is the name of the hidden command that runs the coordinating process.
const WorkerCommand = "demo-worker"

// show is one performance of the demo.
type show struct {
	Options
	temporary bool // the data directory is removed at the end
	people    []person
	board     *board
	display   display
	mail      *mailServer
	crm       *crmServer
	report    *Report
}

// Run performs the demo and reports the result. An error means that the demo could not run; broken
// invariants are in [Report.Violations].
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	data, cleanUp, err := dataDir(o.Data)
	if err != nil {
		return nil, err
	}
	temporary := o.Data == ""
	o.Data = data
	defer func() {
		if ctx.Err() != nil && err != nil {
			err = &interrupted{cause: context.Cause(ctx), kept: pick(temporary, "", data)}
		}
		err = errors.Join(err, cleanUp())
	}()

	s := &show{Options: o, temporary: temporary, people: people(o.Runs, o.Seed), report: &Report{Runs: o.Runs, Seed: o.Seed, Violations: []string{}}}
	if s.mail, err = startMailServer(mailDir(data)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.mail.Close()) }()
	if s.crm, err = startCRM(s.people); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.crm.Close()) }()
	return s.report, s.perform(ctx)
}

// dataDir makes the directory to work in.
func dataDir(given string) (dir string, cleanUp func() error, err error) {
	if given == "" {
		dir, err = os.MkdirTemp("", "atone-demo-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	if err := os.MkdirAll(given, 0o755); err != nil {
		return "", nil, fmt.Errorf("data directory: %w", err)
	}
	entries, err := os.ReadDir(given)
	if err != nil {
		return "", nil, fmt.Errorf("data directory: %w", err)
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("%s is not empty: give --data a new directory, or look at this one with: atone runs --data %[1]s", given)
	}
	dir, err = filepath.Abs(given)
	return dir, func() error { return nil }, err
}

func (s *show) perform(ctx context.Context) error {
	began := time.Now()
	s.board = newBoard(s.people, began)
	s.display = displayFor(s.Out, len(s.people))
	s.introduce()

	killed, err := s.act(ctx, true)
	if err != nil {
		return err
	}
	if killed {
		if _, err := s.act(ctx, false); err != nil {
			return err
		}
	}
	if err := s.readRest(ctx); err != nil {
		return err
	}
	s.display.tick(s.board)
	s.report.Seconds = time.Since(began).Seconds()
	if s.beforeCheck != nil {
		s.beforeCheck(s.systems())
	}
	if err := s.finish(ctx); err != nil || s.temporary {
		return err
	}
	if err := s.leave(ctx); err != nil {
		return err
	}
	s.sayLeft()
	return nil
}

// act runs the coordinating process once: to its end, or until it is killed in mid-flight.
func (s *show) act(ctx context.Context, kill bool) (killed bool, err error) {
	began := time.Now()
	p, err := s.startWorker(ctx)
	if err != nil {
		return false, err
	}
	defer p.end()
	redraw := time.NewTicker(80 * time.Millisecond)
	defer redraw.Stop()
	first := true
	for {
		select {
		case e, more := <-p.events:
			if !more {
				return killed, s.workerEnded(p, killed)
			}
			if first && !kill {
				s.report.RecoveryMS = float64(time.Since(began).Microseconds()) / 1000
			}
			first = false
			text, err := s.board.apply(e)
			if err != nil {
				return killed, err
			}
			id, _ := domain.RunOfStream(e.Stream)
			if r := s.board.byRun[id]; r != nil {
				s.display.note(s.board, r, text)
			}
			if kill && !killed && s.midFlight() {
				killed = true
				if err := p.cmd.Process.Kill(); err != nil {
					return killed, fmt.Errorf("kill the worker: %w", err)
				}
			}
		case <-redraw.C:
			s.display.tick(s.board)
		case <-ctx.Done():
			return killed, ctx.Err()
		}
	}
}

// midFlight reports whether now is the worst time to be killed: some runs have ended, and others
// have attempts in flight without an outcome.
func (s *show) midFlight() bool {
	enough := len(s.board.rows) * 2 / 5
	return s.board.ended >= enough && s.board.inFlight() >= min(4, 1+len(s.board.rows)/10)
}

// workerEnded returns the error with which the process ended.
func (s *show) workerEnded(p *workerProcess, killed bool) error {
	err := p.wait()
	if p.readErr != nil && !killed {
		return fmt.Errorf("read the worker's events: %w", p.readErr)
	}
	if killed {
		s.report.Kill = &Kill{Pid: p.cmd.Process.Pid, Ended: s.board.ended, Unfinished: s.board.unfinished(), InFlight: s.board.inFlight()}
		s.sayKilled()
		return nil
	}
	if err != nil {
		return fmt.Errorf("the worker failed (%w): %s", err, p.stderr.String())
	}
	return nil
}

// workerProcess is a coordinating process under way.
type workerProcess struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan *domain.Recorded // closed when the process has closed its output
	// readErr is set when events is closed.
	readErr error
	stderr  *tail
	stop    chan struct{} // closed when nobody reads events any more
	waited  bool
}

// wait waits for the end of the process, once.
func (p *workerProcess) wait() error {
	p.waited = true
	return p.cmd.Wait()
}

// end kills the process, unless it has ended, and returns when its goroutines have ended too.
func (p *workerProcess) end() {
	close(p.stop)
	_ = p.stdin.Close()
	if !p.waited {
		_ = p.cmd.Process.Kill()
		for range p.events { // the output must be read to its end before Wait
		}
		_ = p.wait() // its error says only that it was killed
	}
}

func (s *show) startWorker(ctx context.Context) (*workerProcess, error) {
	orders, err := json.Marshal(workerConfig{Data: s.Data, Temporary: s.temporary, SMTP: s.mail.Addr, CRM: s.crm.URL, People: s.people,
		Pace: min(250*time.Millisecond, 2500*time.Millisecond/time.Duration(len(s.people))), After: uint64(s.board.last)})
	if err != nil {
		return nil, err
	}
	p := &workerProcess{cmd: exec.CommandContext(ctx, s.Worker[0], s.Worker[1:]...), events: make(chan *domain.Recorded),
		stderr: &tail{limit: 4 << 10}, stop: make(chan struct{})}
	p.cmd.Stderr = p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the coordinating process: %w", err)
	}
	if _, err := p.stdin.Write(append(orders, '\n')); err != nil {
		return nil, errors.Join(fmt.Errorf("give the worker its orders: %w", err), p.cmd.Process.Kill(), p.cmd.Wait())
	}
	go p.read(out)
	return p, nil
}

// read passes on the process's events until the process ends. The last line of a killed process may
// be cut.
func (p *workerProcess) read(out io.Reader) {
	defer close(p.events)
	dec := json.NewDecoder(bufio.NewReader(out))
	for {
		e := new(domain.Recorded)
		if err := dec.Decode(e); err != nil {
			if !errors.Is(err, io.EOF) {
				p.readErr = err
			}
			return
		}
		select {
		case p.events <- e:
		case <-p.stop:
			return
		}
	}
}

// readRest reads the rest of the log into the board. No other process has the log open.
func (s *show) readRest(ctx context.Context) error {
	log, err := pebblelog.Open(logDir(s.Data), pebblelog.Config{Logger: quiet})
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // it was only read
	for e, err := range log.ReadAll(ctx, s.board.last, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return err
		}
		if _, err := s.board.apply(&e); err != nil {
			return err
		}
	}
	return nil
}

// tail keeps only the end of what is written to it.
type tail struct {
	limit int
	kept  []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - t.limit; over > 0 {
		t.kept = t.kept[over:]
	}
	return len(b), nil
}

func (t *tail) String() string { return string(t.kept) }
