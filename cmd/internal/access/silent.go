package access

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/console"
)

const (
	// silence is after how long a command says that the server does not answer.
	silence = 5 * time.Second
	// maxRead is how long a command waits for what it only reads: longer than servers let a request
	// last, which is 30 s by default.
	maxRead = 45 * time.Second
)

// Doubt says what is not known where an act has no answer, and how to find out.
type Doubt struct {
	// What is a sentence such as "run 7 may have started"; empty means that it may have been done.
	What string
	// Steps tell whether it was done, or do it without doing it twice.
	Steps []console.Step
}

// DoubtOf returns what is not known about the command's act on the run that was typed, or else
// about one on something else.
func (env *Env) DoubtOf() Doubt {
	d := env.Doubt
	if d.What == "" {
		d.What = "it may have been done"
	}
	if len(d.Steps) == 0 {
		words := []string{"audit"}
		if run := env.TypedOnly(); run != "" {
			words = append(words, run)
		}
		d.Steps = []console.Step{{Command: env.CommandLine(words...), Why: "tells whether it was done"}}
	}
	return d
}

// patience is how commands wait for a server.
func (env *Env) patience() client.Patience {
	var told atomic.Bool
	return client.Patience{Notice: silence, Reads: maxRead, Tell: func(acts bool) {
		if env.JSON() || !told.CompareAndSwap(false, true) {
			return
		}
		then := "nothing is lost"
		if acts {
			d := env.DoubtOf()
			then = d.What + " then: " + console.Text(d.Steps)
		}
		// The command itself matters more.
		_, _ = fmt.Fprintf(env.Err, "the server has not answered for %v; ctrl-C stops waiting, %s\n", silence, console.Plain(then))
	}}
}
