package logtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// linearScenarios let several clients append at once, and ask whether all that they were answered
// can be put in one order in which each answer is right, and in which an operation that ended
// before another began comes first (Herlihy and Wing, "Linearizability", 1990).
var linearScenarios = []scenario{
	{"what writers are answered fits one order", func(t *logTest) {
		const clients, rounds, streams = 6, 25, 3
		var mu sync.Mutex
		var history []porcupine.Operation
		begun := time.Now()
		call := func(client int, in streamCall) (streamAnswer, error) {
			at := time.Since(begun).Nanoseconds()
			out, err := t.call(in)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: at, Output: out, Return: time.Since(begun).Nanoseconds()})
			}
			return out, err
		}
		for _, err := range t.race(clients, func(client int) error {
			draw := rand.New(rand.NewPCG(uint64(client), 7))
			known := make(map[string]domain.Expected)
			for range rounds {
				in := streamCall{stream: t.stream(fmt.Sprint("s", draw.IntN(streams))), events: newEvents(1 + draw.IntN(2))}
				if at, ok := known[in.stream]; ok && draw.IntN(3) > 0 {
					in.expected = at
				} else {
					in.expected = []domain.Expected{domain.NoStream, domain.AnyRevision}[draw.IntN(2)]
				}
				out, err := call(client, in)
				if err != nil {
					return err
				}
				known[in.stream] = domain.Expected(out.revision)
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		// What was acknowledged is read by everybody; before that a read may be behind.
		for i := range streams {
			_, err := call(0, streamCall{stream: t.stream(fmt.Sprint("s", i))})
			require.NoError(t, err)
		}
		result, _ := porcupine.CheckOperationsVerbose(streamModel, history, suiteTimeout)
		require.Equal(t, porcupine.Ok, result, "no order of these calls explains the answers:\n%s", tell(history))
	}},
}

// streamCall reads a stream or, with events, appends to it; streamAnswer is what that returned.
type (
	streamCall struct {
		stream   string
		expected domain.Expected
		events   []domain.NewEvent
	}
	streamAnswer struct {
		// refused means that the stream was not at the expected revision; revision is where an
		// append put its last event, or where the stream was.
		refused  bool
		revision int64
		holds    []uuid.UUID
	}
)

func (t *logTest) call(in streamCall) (out streamAnswer, err error) {
	if len(in.events) == 0 {
		for r, err := range t.log.ReadStream(t.ctx, in.stream, 0) {
			if err != nil {
				return out, err
			}
			out.holds = append(out.holds, r.ID)
		}
		return out, nil
	}
	at, err := t.log.Append(t.ctx, in.stream, in.expected, in.events...)
	var conflict *domain.ConflictError
	if errors.As(err, &conflict) {
		return streamAnswer{refused: true, revision: int64(conflict.Actual)}, nil
	}
	return streamAnswer{revision: int64(at.Revision)}, err
}

// streamModel is one stream: the ids of its events.
var streamModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := make(map[string][]porcupine.Operation)
		for _, op := range history {
			stream := op.Input.(streamCall).stream
			by[stream] = append(by[stream], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return []uuid.UUID(nil) },
	Step: func(state, input, output any) (bool, any) {
		held, in, out := state.([]uuid.UUID), input.(streamCall), output.(streamAnswer)
		last := int64(len(held)) - 1
		if len(in.events) == 0 {
			return slices.Equal(held, out.holds), held
		}
		if fits := in.expected == domain.AnyRevision || int64(in.expected) == last; !fits {
			return out.refused && out.revision == last, held
		}
		return !out.refused && out.revision == last+int64(len(in.events)), append(slices.Clone(held), ids(in.events)...)
	},
	Equal: func(a, b any) bool { return slices.Equal(a.([]uuid.UUID), b.([]uuid.UUID)) },
}

func tell(history []porcupine.Operation) string {
	var b strings.Builder
	for _, op := range history {
		in, out := op.Input.(streamCall), op.Output.(streamAnswer)
		fmt.Fprintf(&b, "client %d %d–%d: %s expected %s, %d events: refused %v, at %d, holds %d\n",
			op.ClientId, op.Call, op.Return, in.stream, in.expected, len(in.events), out.refused, out.revision, len(out.holds))
	}
	return b.String()
}
