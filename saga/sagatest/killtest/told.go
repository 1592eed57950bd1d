package killtest

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// Told is what callers were told of runs, in a file that outlives the process and that several
// processes may share. It is safe for concurrent use.
type Told struct{ file *lines[told] }

// told is one line: a run was started, cancelled, or has ended so; or a start was refused.
type told struct {
	Run                domain.RunID
	Saga               string          `json:",omitempty"`
	Cancelled, Refused string          `json:",omitempty"`
	End                domain.RunState `json:",omitempty"`
}

// OpenTold opens the file in the directory.
func OpenTold(dir string) (*Told, error) {
	file, err := openLines[told](toldIn(dir))
	if err != nil {
		return nil, err
	}
	return &Told{file}, nil
}

func toldIn(dir string) string { return filepath.Join(dir, "told") }

// note panics if the file can't be written: nothing that the test says would be true then.
func (f *Told) note(l told) {
	if err := f.file.add(l); err != nil {
		panic(err)
	}
}

// Start starts the n-th job, and notes what its caller is told. The same n is the same run. A
// start that fails while ctx lives is noted as refused: [Check] finds it.
func (f *Told) Start(ctx context.Context, c *saga.Coordinator, s *saga.Saga[Job, Job], n int) (*saga.Run[Job], error) {
	run, err := saga.Start(ctx, c, s, Job{N: n, Fail: n%3 == 0}, saga.Key(fmt.Sprint("job ", n)))
	switch {
	case err == nil:
		f.note(told{Run: run.ID, Saga: s.Name()})
	case ctx.Err() == nil:
		f.note(told{Saga: s.Name(), Refused: fmt.Sprintf("job %d: %v", n, err)})
	}
	return run, err
}

// Disturb cancels the run of some jobs, signals others, and notes how the run ends.
func (f *Told) Disturb(ctx context.Context, c *saga.Coordinator, run *saga.Run[Job], n int) {
	if n%7 == 3 {
		if c.Cancel(ctx, run.ID, "a test") == nil {
			f.note(told{Run: run.ID, Cancelled: "a test"})
		}
	}
	if n%2 == 0 {
		_ = c.Signal(ctx, run.ID, "go", Job{}, saga.SignalID("go")) // not every run awaits one
	}
	_, err := run.Wait(ctx)
	if e, over := domain.EndingOf(err); over && e.State.Ended() {
		f.note(told{Run: run.ID, End: e.State})
	}
}
