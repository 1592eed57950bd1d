package contain

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestCodeHurtsItsOwnCallOnly: whatever code does instead of returning is an error of the call.
func TestCodeHurtsItsOwnCallOnly(t *testing.T) {
	t.Parallel()
	plain := errors.New("plain")
	for name, test := range map[string]struct {
		f    func() (int, error)
		kind string
		text string
	}{
		"returns":       {f: func() (int, error) { return 7, nil }},
		"fails":         {f: func() (int, error) { return 7, plain }, text: "plain"},
		"panics":        {f: func() (int, error) { panic("no") }, kind: Panics, text: "panicked: no"},
		"panics of nil": {f: func() (int, error) { return 0, assign(nil) }, kind: Panics, text: "panicked: assignment to entry in nil map"},
		"exits":         {f: func() (int, error) { runtime.Goexit(); return 0, nil }, kind: Exits, text: "ended its goroutine (runtime.Goexit) and did not return"},
		"hangs":         {f: func() (int, error) { time.Sleep(time.Hour); return 7, nil }, kind: Hangs, text: "has not returned for 10s: it must not wait for anything"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				value, err := Call(ClosureLimit, test.f)
				failed := func() *domain.Failure { _, f := Closure(nil, "step", test.f); return f }()
				if test.text == "" {
					require.NoError(t, err)
					require.Equal(t, 7, value)
					require.Nil(t, failed)
					return
				}
				require.EqualError(t, err, test.text)
				require.Equal(t, domain.FailurePermanent, failed.Kind)
				require.Equal(t, "step", failed.Step)
				require.Contains(t, failed.Message, test.text)
				bad, misbehaved := err.(*MisbehavedError)
				require.Equal(t, test.kind != "", misbehaved)
				if misbehaved {
					require.Equal(t, test.kind, bad.Kind)
					require.Equal(t, test.kind, failed.Type)
					require.Equal(t, test.kind == Panics, bad.Stack != "")
				}
				require.Equal(t, test.kind == Hangs, Hung(err))
				time.Sleep(2 * time.Hour) // for the one that hangs
			})
		})
	}
}

// assign panics of a nil map.
func assign(m map[int]error) error {
	m[1] = nil
	return nil
}
