package program

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestAWaitWithBelowEndsWhereARunBelowIsStuck, and says which; without the flag it goes on.
func TestAWaitWithBelowEndsWhereARunBelowIsStuck(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	calc := app.Sagas[0].(*saga.Saga[payload, payload])
	app.Sagas = append(app.Sagas, saga.Define("above", 1, func(f *saga.Flow, in saga.Ref[payload]) saga.Ref[payload] {
		return saga.Child(f, calc, in.In, saga.Name("inner"))
	}))
	begin := []string{"start", "above", "-d", `{"n": 666}`, "--key", "k", "--wait", "-q"}
	out, errs, code := prog(t, app, dir, append(begin, "--below", "-o", "json")...)
	require.Equal(t, ExitStuck, code, out+errs)
	var r wire.Result
	require.NoError(t, json.Unmarshal([]byte(out), &r), out)
	child := domain.ChildRunID(r.Run, "inner")
	require.Equal(t, &child, r.Below)
	require.Equal(t, domain.RunRunning, r.State)
	require.Equal(t, "double", r.Step)
	require.Equal(t, "it can't be halved", r.Cause.Message)

	_, errs, code = prog(t, app, dir, append(begin, "--below")...)
	require.Equal(t, ExitStuck, code, errs)
	require.Contains(t, errs, "run "+child.String()+" is stuck at double")
	require.Contains(t, errs, "prog show "+child.String())
	_, errs, code = prog(t, app, dir, append(begin, "--timeout", "20ms")...)
	require.Equal(t, ExitUnfinished, code, errs)
}
