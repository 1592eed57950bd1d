package saga_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/atonehq/atone/saga"
)

// line is one line of the ledger of effects, which handlers write to with O_APPEND: what was
// done, or undone, and for which attempt.
type line struct {
	Run, Step, Dir, Key string
	N                   int
	What                string
	// For is the do's key that an undo was told to take back.
	For string `json:",omitempty"`
}

// What a line of the ledger says.
const (
	began    = "began"     // a do is called: from here on its effect may happen
	did      = "did"       // the effect happened
	nothing  = "nothing"   // this attempt did nothing, and says so outright
	notThere = "not there" // a probe answers that there is no effect
	undid    = "undid"     // the effect was taken back
	cutShort = "cut short" // an undo's context ended
)

// effects are what there is in the world outside, by the do's key. It takes an undo as a provider does that honours
// idempotency keys: a repeat, under a key that it has seen, changes nothing.
type effects struct {
	there map[string]int          // effects that exist, and how often each was made under its key
	maybe map[string]map[int]bool // attempts, by the do's key, that may have had the effect, for all that their caller was told
	seen  map[string]bool         // the undos that were taken, by their own key
	count map[string]int          // lines by what they say
}

func newEffects() *effects {
	return &effects{there: map[string]int{}, maybe: map[string]map[int]bool{}, seen: map[string]bool{}, count: map[string]int{}}
}

func (f *effects) fold(e line) {
	f.count[e.What]++
	switch e.What {
	case began:
		if f.maybe[e.Key] == nil {
			f.maybe[e.Key] = map[int]bool{}
		}
		f.maybe[e.Key][e.N] = true
	case did:
		f.there[e.Key]++
	case nothing:
		delete(f.maybe[e.Key], e.N)
	case notThere:
		delete(f.maybe, e.Key)
	case undid:
		if !f.seen[e.Key] {
			f.seen[e.Key] = true
			delete(f.there, e.For)
			delete(f.maybe, e.For)
		}
	}
}

// ledger is the world outside: the effects of handlers, which outlive the process.
type ledger struct {
	mu      sync.Mutex
	file    *os.File
	effects *effects
}

// openLedger reads what was done before.
func openLedger(dir string) (*ledger, error) {
	file, err := openLines(filepath.Join(dir, "ledger"))
	if err != nil {
		return nil, err
	}
	lines, err := readLedger(dir)
	if err != nil {
		return nil, err
	}
	l := &ledger{file: file, effects: newEffects()}
	for _, e := range lines {
		l.effects.fold(e)
	}
	return l, nil
}

// openLines opens a file to append lines to. It cuts off a line that a kill left unfinished, as it may where a write
// crosses a page: what it was to say did not happen yet.
func openLines(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(f)
	if err == nil {
		err = f.Truncate(int64(bytes.LastIndexByte(whole, '\n') + 1))
	}
	return f, err
}

func (l *ledger) write(ctx context.Context, what, of string) {
	a := saga.AttemptOf(ctx)
	e := line{Run: a.Run.String(), Step: a.Step, Dir: string(a.Direction), Key: a.Key, N: a.Number, What: what, For: of}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(append(b, '\n')); err != nil {
		panic(err)
	}
	l.effects.fold(e)
}

// has reports whether the effect exists.
func (l *ledger) has(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.effects.there[key] > 0
}

func readLedger(dir string) (lines []line, err error) {
	f, err := os.Open(filepath.Join(dir, "ledger"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		b, err := r.ReadBytes('\n')
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		var e line
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, fmt.Errorf("ledger line %q: %w", b, err)
		}
		lines = append(lines, e)
	}
}
