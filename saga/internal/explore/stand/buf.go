package stand

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Key is the same for what stands alike, and another for everything else.
type Key [16]byte

// Buf collects what a state consists of. Each part says where it ends, so that no two states have
// the same parts by chance. It is used again after [Buf.Reset].
type Buf struct {
	b, scratch []byte
	now        time.Time
}

// Reset empties the buffer. Times count from now.
func (w *Buf) Reset(now time.Time) { w.b, w.now = w.b[:0], now }

// Key returns the key of the parts.
func (w *Buf) Key() (k Key) {
	sum := sha256.Sum256(w.b)
	copy(k[:], sum[:])
	return k
}

// Int writes a number.
func (w *Buf) Int(n int) { w.b = binary.AppendVarint(w.b, int64(n)) }

// Bool writes truths.
func (w *Buf) Bool(list ...bool) {
	for _, is := range list {
		if is {
			w.b = append(w.b, 1)
		} else {
			w.b = append(w.b, 0)
		}
	}
}

// Text writes a text.
func (w *Buf) Text(s string) {
	w.Int(len(s))
	w.b = append(w.b, s...)
}

// Raw writes bytes.
func (w *Buf) Raw(b []byte) {
	w.Int(len(b))
	w.b = append(w.b, b...)
}

// Texts writes a set of texts; it sorts the list.
func (w *Buf) Texts(list []string) {
	slices.Sort(list)
	w.Int(len(list))
	for _, s := range list {
		w.Text(s)
	}
}

// Time writes how far a time is from now.
func (w *Buf) Time(t time.Time) {
	if w.Bool(t.IsZero()); !t.IsZero() {
		w.Int(int(t.Sub(w.now)))
	}
}

// Failure writes a failure, save for the times that atone itself wrote into its message.
func (w *Buf) Failure(f *domain.Failure) {
	if w.Bool(f == nil); f == nil {
		return
	}
	w.Bool(f.InDoubt)
	w.Text(string(f.Kind))
	w.Text(f.Step)
	w.Text(f.Type)
	w.Int(int(f.RetryAfter))
	w.Text(timeless(f.Message))
}

// beforeTimes is what stands before a time in the messages of the state machine.
var beforeTimes = [...]string{"no outcome by ", "no heartbeat by ", "nothing came by ", "deadline passed at "}

func timeless(message string) string {
	for _, words := range beforeTimes {
		if before, after, ok := strings.Cut(message, words); ok {
			_, rest, _ := strings.Cut(after, " ")
			return before + words + rest
		}
	}
	return message
}
