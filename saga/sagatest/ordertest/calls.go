package ordertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// kind is what is asked of a coordinator.
type kind string

const (
	start  kind = "start"
	signal kind = "signal"
	wait   kind = "wait"
)

// inputs are what runs are started with: two starts with one key may differ.
var inputs = []string{"a", "b"}

// call is one call. Start has text as its input; signal has text as its value, and an id.
type call struct {
	what          kind
	key, text, id string
}

// answer is what a call returned.
type answer struct {
	// refused is one of "", "another input", "no such run", "past its awaits", "ended".
	refused string
	run     domain.RunID
	output  []string
}

// drawn is a client's nth call. Ids of signals are shared by all clients, so that many are sent
// twice; a signal with an id says the same each time.
func drawn(draw *rand.Rand, client, n int) call {
	in := call{what: start, key: fmt.Sprint("k", draw.IntN(keys)), text: inputs[draw.IntN(len(inputs))]}
	if draw.IntN(3) > 0 {
		in.what, in.text = signal, fmt.Sprintf("%d of client %d", n, client)
		if draw.IntN(2) == 0 {
			in.id = fmt.Sprint("id-", draw.IntN(4))
			in.text = in.id
		}
	}
	return in
}

// history is what was called and answered, and when.
type history struct {
	begun time.Time

	mu    sync.Mutex
	calls []porcupine.Operation
}

// make makes one call and notes its answer. An error is one that no call may return.
func (h *history) make(ctx context.Context, c *saga.Coordinator, client int, in call) error {
	at := time.Since(h.begun).Nanoseconds()
	out, err := ask(ctx, c, in)
	if err != nil {
		return fmt.Errorf("%s %s: %w", in.what, in.key, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, porcupine.Operation{ClientId: client, Input: in, Call: at, Output: out, Return: time.Since(h.begun).Nanoseconds()})
	return nil
}

func ask(ctx context.Context, c *saga.Coordinator, in call) (out answer, err error) {
	id := domain.RunIDForKey(gathered.Name(), in.key)
	switch in.what {
	case start:
		var run *saga.Run[[]string]
		if run, err = saga.Start(ctx, c, gathered, in.text, saga.Key(in.key)); err == nil {
			out.run = run.ID
		}
	case signal:
		err = c.Signal(ctx, id, "said", in.text, saga.SignalID(in.id))
	case wait:
		var output json.RawMessage
		if output, err = c.Wait(ctx, id); err == nil {
			err = json.Unmarshal(output, &out.output)
		}
	}
	for is, refused := range map[error]string{
		saga.ErrKeyConflict: "another input",
		saga.ErrNotFound:    "no such run",
		saga.ErrBadInput:    "past its awaits",
		saga.ErrEnded:       "ended",
	} {
		if errors.Is(err, is) {
			return answer{refused: refused}, nil
		}
	}
	return out, err
}

// String tells the calls, one a line.
func (h *history) String() string {
	var b strings.Builder
	for _, op := range h.calls {
		in, out := op.Input.(call), op.Output.(answer)
		fmt.Fprintf(&b, "client %d %d–%d: %s %s %q id %q: refused %q, run %s, output %q\n",
			op.ClientId, op.Call, op.Return, in.what, in.key, in.text, in.id, out.refused, out.run, out.output)
	}
	return b.String()
}
