package killtest

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/atonehq/atone/saga"
)

// What says what a handler did.
type What string

// What a line of the ledger says.
const (
	Began    What = "began"     // a do is called: from here on its effect may happen
	Did      What = "did"       // the effect happened
	Nothing  What = "nothing"   // this attempt did nothing, and says so outright
	NotThere What = "not there" // a probe answers that there is no effect
	Undid    What = "undid"     // the effect was taken back
	CutShort What = "cut short" // an undo's context ended
)

// line is one line of the ledger: what was done, or undone, and for which attempt.
type line struct {
	Run, Step, Dir, Key string
	N                   int
	What                What
	// For is the do's key that an undo was told to take back.
	For string `json:",omitempty"`
}

// Ledger stands for the world outside: what handlers did, in a file that outlives the process and
// that several processes may share. It is safe for concurrent use.
type Ledger struct {
	file *lines[line]

	mu      sync.Mutex
	effects *effects
}

// OpenLedger opens the ledger in the directory.
func OpenLedger(dir string) (*Ledger, error) {
	file, err := openLines[line](ledgerIn(dir))
	if err != nil {
		return nil, err
	}
	return &Ledger{file: file, effects: newEffects()}, nil
}

func ledgerIn(dir string) string { return filepath.Join(dir, "ledger") }

// Write enters what the attempt of ctx did; of is the do's key that an undo takes back, else empty.
// It panics if the file can't be written: nothing that the test says would be true then.
func (l *Ledger) Write(ctx context.Context, what What, of string) {
	a := saga.AttemptOf(ctx)
	err := l.file.add(line{Run: a.Run.String(), Step: a.Step, Dir: string(a.Direction), Key: a.Key, N: a.Number, What: what, For: of})
	if err != nil {
		panic(err)
	}
}

// Has reports whether the effect of the do with this key exists, whichever process made it.
func (l *Ledger) Has(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.file.more(l.effects.fold); err != nil {
		panic(err)
	}
	return l.effects.there[key] > 0
}

// effects are what there is in the world outside, by the do's key. An undo is taken as by a
// provider that honours idempotency keys: a repeat, under a key that it has seen, changes nothing.
type effects struct {
	there map[string]int          // effects that exist, and how often each was made under its key
	maybe map[string]map[int]bool // attempts that may have had it, whatever their caller was told
	seen  map[string]bool         // the undos that were taken, by their own key
	count map[What]int            // lines by what they say
}

func newEffects() *effects {
	return &effects{there: map[string]int{}, maybe: map[string]map[int]bool{}, seen: map[string]bool{}, count: map[What]int{}}
}

func (f *effects) fold(e line) {
	f.count[e.What]++
	switch e.What {
	case Began:
		if f.maybe[e.Key] == nil {
			f.maybe[e.Key] = map[int]bool{}
		}
		f.maybe[e.Key][e.N] = true
	case Did:
		f.there[e.Key]++
	case Nothing:
		delete(f.maybe[e.Key], e.N)
	case NotThere:
		delete(f.maybe, e.Key)
	case Undid:
		if !f.seen[e.Key] {
			f.seen[e.Key] = true
			delete(f.there, e.For)
			delete(f.maybe, e.For)
		}
	}
}
