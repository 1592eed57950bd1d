package access

import (
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/atonehq/atone/cmd/internal/console"
)

// lost notes since when a server gives no answer to what a command follows or waits for.
type lost struct {
	mu   sync.Mutex
	text string // empty while it answers
	tell func()
}

// OnLost has f called, in place of a line on standard error, each time that the server stops
// answering or answers again. [Env.Lost] has the words.
func (env *Env) OnLost(f func()) {
	env.lost.mu.Lock()
	defer env.lost.mu.Unlock()
	env.lost.tell = f
}

// Lost says since when the server gives no answer, and why; empty while it does.
func (env *Env) Lost() string {
	env.lost.mu.Lock()
	defer env.lost.mu.Unlock()
	return env.lost.text
}

// noteAnswer is told of each answer of the server, and of each that failed to come.
func (env *Env) noteAnswer(err error) {
	l := env.lost
	l.mu.Lock()
	if (err == nil) == (l.text == "") {
		l.mu.Unlock()
		return // nothing is new
	}
	line := "the server answers again"
	l.text = ""
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the request, which the person did not type
		}
		l.text = console.Plain(fmt.Sprintf("no answer since %s: %v", time.Now().In(env.Location()).Format("15:04:05"), err))
		line = l.text + ": trying again"
	}
	tell := l.tell
	l.mu.Unlock()
	if tell != nil {
		tell()
		return
	}
	_, _ = fmt.Fprintln(env.Err, line) // what is followed matters more
}
