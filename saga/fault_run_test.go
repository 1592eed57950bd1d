package saga_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
)

func TestHappyRunDoesEveryStepOnce(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		s := chain("happy", r.act("a"), r.act("b"), r.act("c"))
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "-")
		out, err := finished(r.t, run)
		require.NoError(r.t, err)
		require.Equal(r.t, "-abc", out)
		require.Equal(r.t, []string{"a", "b", "c"}, r.called())
	})
}

func TestFailuresAreRetriedThenUndone(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		s := chain("doomed", r.act("a"), r.act("b"), r.act("c"))
		r.fails("b", errModel)
		r.fails("c", errModel, errModel, errModel)
		r.fails("undo b", errModel)
		c := r.begin(saga.Config{}, s)
		_, err := finished(r.t, start(r.t, c, s, "-"))
		var comp *saga.CompensatedError
		require.ErrorAs(r.t, err, &comp)
		require.Equal(r.t, "c", comp.Cause.Step)
		require.Equal(r.t, []string{"a", "b", "b", "c", "c", "c", "undo c", "undo b", "undo b", "undo a"}, r.called())
	})
}

func TestErrorsSayWhetherAndWhenToRetry(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		hopeless := errors.New("hopeless")
		perm, list, pred, after := r.act("permanent"), r.act("listed"), r.act("predicate"), r.act("after")
		list.Retry.NonRetryable = []error{hopeless}
		pred.Retry.IsNonRetryable = func(err error) bool { return errors.Is(err, hopeless) }
		after.Retry.Max, after.Retry.Initial = time.Hour, time.Hour
		r.fails("permanent", saga.Permanent(errModel))
		r.fails("listed", errModel, hopeless)
		r.fails("predicate", errModel, hopeless)
		r.fails("after", saga.RetryAfter(time.Millisecond, errModel))
		var all []saga.AnySaga
		var sagas []*saga.Saga[string, string]
		for _, a := range []*saga.Action[string, string]{perm, list, pred, after} {
			s := chain("with-"+a.Name, a)
			sagas, all = append(sagas, s), append(all, s)
		}
		c := r.begin(saga.Config{}, all...)
		for i, want := range []int{1, 3, 3} { // only Permanent says that there is nothing to undo
			before := len(r.called())
			_, err := finished(r.t, start(r.t, c, sagas[i], ""))
			require.ErrorAs(r.t, err, new(*saga.CompensatedError))
			require.Len(r.t, r.called(), before+want)
		}
		began := time.Now()
		_, err := finished(r.t, start(r.t, c, sagas[3], ""))
		require.NoError(r.t, err)
		require.Less(r.t, time.Since(began), time.Hour, "the delay is the error's, not the policy's")
	})
}

func TestPanicIsAFailureWithItsStack(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		inner := a.Do
		a.Do = func(ctx context.Context, in string) (string, error) {
			if out, err := inner(ctx, in); err == nil {
				return out, nil
			}
			panic("boom")
		}
		r.fails("a", errModel, errModel, errModel)
		s := chain("panics", a)
		c := r.begin(saga.Config{}, s)
		_, err := finished(r.t, start(r.t, c, s, ""))
		var comp *saga.CompensatedError
		require.ErrorAs(r.t, err, &comp)
		require.Contains(r.t, comp.Cause.Message, "boom")
		require.Contains(r.t, comp.Cause.Stack, "fault_run_test.go")
		require.Equal(r.t, []string{"a", "a", "a", "undo a"}, r.called(), "a panic does not say that nothing was done")
	})
}
