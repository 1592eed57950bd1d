package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
)

// Report is the result of the demo. Its JSON is stable.
type Report struct {
	Runs int    `json:"runs"`
	Seed uint64 `json:"seed"`
	// OK means that every invariant holds.
	OK          bool     `json:"ok"`
	Violations  []string `json:"violations"` // never null
	Completed   int      `json:"completed"`
	Compensated int      `json:"compensated"`
	// Retries counts repeated attempts, Undos undone steps, and Lost attempts that died with their
	// process.
	Retries int `json:"retries"`
	Undos   int `json:"undos"`
	Lost    int `json:"lost"`
	Events  int `json:"events"`
	// Kill describes the moment when the process was killed.
	Kill *Kill `json:"kill"`
	// RecoveryMS is the time from the start of the second process to its first event, in
	// milliseconds.
	RecoveryMS float64 `json:"recovery_ms"`
	// Systems is the content of the systems.
	Systems Holdings `json:"systems"`
	CRM     crmStats `json:"crm"`
	Seconds float64  `json:"seconds"`
	// Ends lists every sign-up's run.
	Ends []End `json:"ends"`
}

// Err returns nil if every invariant holds, and otherwise an error that wraps [ErrViolated].
func (r *Report) Err() error {
	if r.OK {
		return nil
	}
	return fmt.Errorf("%d %w (seed %d): run it again with --data DIR to keep everything for a look", len(r.Violations), ErrViolated, r.Seed)
}

// Kill describes the moment of the kill -9.
type Kill struct {
	Pid        int `json:"pid"`
	Ended      int `json:"ended"`
	Unfinished int `json:"unfinished"`
	InFlight   int `json:"attempts_in_flight"`
}

// Holdings counts what the systems hold.
type Holdings struct {
	Users    int `json:"users"`
	Welcomes int `json:"welcome_mails"`
	Ignores  int `json:"ignore_mails"`
	Contacts int `json:"contacts"`
	// RepeatedMails were sent again with the same Message-ID, and dropped by the mail server.
	RepeatedMails int64 `json:"repeated_mails"`
}

// End is how one sign-up ended.
type End struct {
	Key   string          `json:"key"`
	Run   domain.RunID    `json:"run"`
	Email string          `json:"email"`
	State domain.RunState `json:"state"`
	Cause string          `json:"cause,omitempty"`
}

func (s *show) introduce() {
	s.display.say(s.board, fmt.Sprintf("%d people sign up; seed %d, data in %s", len(s.people), s.Seed, s.Data))
}

func (s *show) sayKilled() {
	k := s.report.Kill
	s.display.say(s.board, fmt.Sprintf("kill -9 %d: %d runs ended, %d in the middle of it, %d attempts in flight", k.Pid, k.Ended, k.Unfinished, k.InFlight))
	if _, watched := s.display.(*screen); watched {
		time.Sleep(time.Second) // lets the audience see that nothing moves
	}
	s.display.say(s.board, "starting again on the same directory")
}

// finish checks everything and reports it.
func (s *show) finish(ctx context.Context) error {
	log, err := pebblelog.Open(logDir(s.Data), pebblelog.Config{Logger: quiet})
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // it was only read
	ends, runs, err := outcomes(ctx, log, s.people)
	if err != nil {
		return err
	}
	w, err := survey(ctx, s.systems())
	if err != nil {
		return err
	}
	s.fill(ends, runs, w)
	if err := s.tellStories(ctx, log, ends); err != nil {
		return err
	}
	s.report.print(s.Out)
	return nil
}

func (s *show) fill(ends []outcome, runs int, w world) {
	r := s.report
	r.Violations = append(r.Violations, violations(ends, runs, w)...)
	if r.Kill == nil {
		r.Violations = append(r.Violations, "the process was never killed, because it ended too soon: try more runs")
	}
	r.OK = len(r.Violations) == 0
	r.Retries, r.Undos, r.Lost, r.Events, r.CRM = s.board.retries, s.board.undos, s.board.lost, s.board.events, s.crm.Stats()
	r.Systems = Holdings{Users: len(w.users), Contacts: len(w.contacts), RepeatedMails: s.mail.repeats.Load()}
	for _, l := range w.letters {
		if l.InReplyTo == "" {
			r.Systems.Welcomes++
		} else {
			r.Systems.Ignores++
		}
	}
	for _, o := range ends {
		e := End{Key: o.person.Key, Run: o.run, Email: o.person.Form.Email, State: o.view.State}
		if o.view.Cause != nil {
			e.Cause = o.view.Cause.String()
		}
		switch e.State {
		case domain.RunIsCompleted:
			r.Completed++
		case domain.RunIsCompensated:
			r.Compensated++
		}
		r.Ends = append(r.Ends, e)
	}
}

// tellStories prints one completed and one compensated run, the longest of each.
func (s *show) tellStories(ctx context.Context, log *pebblelog.Log, ends []outcome) error {
	p := tty.PaletteFor(s.Out)
	for _, state := range []domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated} {
		var best *outcome
		for i := range ends {
			if o := &ends[i]; o.view.State == state && (best == nil || o.view.Revision > best.view.Revision) {
				best = o
			}
		}
		if best == nil {
			continue
		}
		fmt.Fprintf(s.Out, "\n%s  %s\n", p.Bold(fmt.Sprintf("The whole story of %s (%s)", best.person.Key, state)), p.Dim("run "+best.run.String()))
		if err := tellStory(ctx, s.Out, log, best.run); err != nil {
			return err
		}
	}
	return nil
}

// print prints the totals.
func (r *Report) print(w io.Writer) {
	p := tty.PaletteFor(w)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-15s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "\n%s\n", p.Bold("Totals"))
	line("runs", "%d: %s, %s", r.Runs, p.Good(fmt.Sprintf("%d completed", r.Completed)), p.Undo(fmt.Sprintf("%d compensated", r.Compensated)))
	line("on the way", "%d events, %d retries, %d undos", r.Events, r.Retries, r.Undos)
	if r.Kill != nil {
		line("kill -9", "%d runs in the middle, %d attempts lost; the new process wrote its first event after %.0f ms", r.Kill.Unfinished, r.Lost, r.RecoveryMS)
	}
	line("crm", "%d calls: %d answered 503, %d refused for good, %d answered too late", r.CRM.Calls, r.CRM.Failed, r.CRM.Rejected, r.CRM.TooLate)
	line("users table", "%d rows", r.Systems.Users)
	line("mailbox", "%d welcome mails, %d mails to ignore them (%d repeated mails were dropped)", r.Systems.Welcomes, r.Systems.Ignores, r.Systems.RepeatedMails)
	line("crm contacts", "%d", r.Systems.Contacts)
	fmt.Fprintf(w, "\n%s\n", p.Bold("Checked with the systems themselves"))
	if r.OK {
		ok := func(text string) { fmt.Fprintf(w, "  %s %s\n", p.Good("✔"), text) }
		ok("every sign-up has exactly one run, and every run has ended")
		ok("each completed run has exactly one row, one welcome mail and one contact")
		ok("each compensated run has no row and no contact left, and its welcome mail was taken back")
		ok("every run's hash chain is whole")
	}
	for _, v := range r.Violations {
		fmt.Fprintf(w, "  %s %s\n", p.Bad("✘"), v)
	}
	took := time.Duration(r.Seconds * float64(time.Second)).Round(10 * time.Millisecond)
	end := pick(r.OK, p.Good("all invariants hold"), p.Bad(fmt.Sprintf("%d invariants broken", len(r.Violations))))
	fmt.Fprintf(w, "\n%s after %v%s\n", end, took, p.Dim(fmt.Sprintf("; the same people again with --seed %d", r.Seed)))
}
