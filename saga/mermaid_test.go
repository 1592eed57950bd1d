package saga

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain/diagram"
)

// everyKind is a saga with a step of every kind.
func everyKind() *Saga[int, string] {
	return Define("every-kind", 2, func(f *Flow, in Ref[int]) Ref[string] {
		n := Do(f, check, in.In)
		Do(f, handledCharge, n.In, Name("take-money"), OnFail(Ask))
		Do(f, post, text, Name("newsletter"), AcceptIrreversible(`"opt-in" & <cheap>`))
		ParallelWith(f, []ParallelOption{Name("both"), Concurrency(1)},
			func(f *Flow) { Do(f, echo, text, Name("left")) },
			func(f *Flow) {
				Sleep(f, time.Hour)
				If(f, yes, func(f *Flow) { Do(f, echo, text, Name("then")) }, func(f *Flow) { Do(f, echo, text, Name("else")) })
			})
		Each(f, "ship", noItems, func(f *Flow, n Ref[int]) Ref[int] {
			If(f, yes, func(f *Flow) { Do(f, check, n.In) }, nil)
			return Do(f, charge, n.In)
		}, Tolerate(2))
		Switch(f, text,
			When("a|b", func(f *Flow) { Await[int](f, "approve", Within(time.Minute), DefaultTo(1)) }),
			Otherwise(func(f *Flow) { AwaitEvent[int](f, "order.paid", text) }))
		Child(f, otherChild, text)
		Compute(f, "sum", seven)
		Plan(f, "research", loops, seven, MaxRounds(9))
		Pivot(f)
		Do(f, post, text)
		return Return(f, text)
	}, OnFailure(onFails))
}

var handledCharge = func() *Action[int, int] {
	a := other(charge)
	a.Name, a.OnFailure = "charge-card", onFails
	return a
}()

// The pictures are compared with testdata/mermaid. ATONE_REWRITE=1 writes them anew.
func TestMermaid(t *testing.T) {
	t.Parallel()
	every := everyKind()
	require.NoError(t, every.Err())
	signup := Define("signup", 1, func(f *Flow, in Ref[flowUser]) Ref[flowUser] { return Do(f, createUser, in.In) })
	for name, got := range map[string]string{
		"signup":     signup.Mermaid(),
		"every-kind": every.Mermaid(),
		"coloured": diagram.MermaidColoured(every.def.Plan, map[string]string{
			"check": "done", "take-money": "stuck", "left": "undo failed", "then": "ignored", "ship/*/charge": "running", "ship": "active", "both": "idle"}),
		"wrong": flowOf(func(f *Flow, _ Ref[int]) { doCheck(f); doCheck(f); doPost(f); Do(f, charge, seven) }).Mermaid(),
	} {
		file := filepath.Join("testdata", "mermaid", name+".mmd")
		if os.Getenv("ATONE_REWRITE") != "" {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), got, name)
	}
}
