package clock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/clock"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestManual_StopsAtEachAlarmOnItsWay(t *testing.T) {
	t.Parallel()
	m := clock.NewManual(noon)
	var at []time.Duration
	note := func() { at = append(at, m.Steady()) }
	m.At(2*time.Hour, note)
	m.At(time.Hour, func() {
		note()
		m.At(90*time.Minute, note) // set on the way
	})
	m.At(3*time.Hour, note)
	stopped := m.At(time.Minute, note)
	require.True(t, stopped.Stop())
	require.False(t, stopped.Stop())

	m.Advance(2 * time.Hour)
	require.Equal(t, []time.Duration{time.Hour, 90 * time.Minute, 2 * time.Hour}, at)
	require.Equal(t, noon.Add(2*time.Hour), m.Now())
	next, ok := m.Next()
	require.True(t, ok)
	require.Equal(t, noon.Add(3*time.Hour), next)
	require.Panics(t, func() { m.Advance(-1) })
}

func TestManual_AnAlarmCanBeMovedAndIsMadeOnce(t *testing.T) {
	t.Parallel()
	m, calls := clock.NewManual(noon), 0
	a := m.At(time.Minute, func() { calls++ })
	a.Reset(time.Hour)
	m.Advance(30 * time.Minute)
	require.Zero(t, calls)
	m.Advance(24 * time.Hour)
	require.Equal(t, 1, calls)
	a.Reset(48 * time.Hour) // after it was made
	m.Advance(24 * time.Hour)
	require.Equal(t, 2, calls)
	_, ok := m.Next()
	require.False(t, ok)
}

func TestManual_WhatIsDueAlreadyIsCalledAtOnce(t *testing.T) {
	t.Parallel()
	m := clock.NewManual(noon)
	called := make(chan struct{})
	m.At(0, func() { close(called) })
	<-called
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		clock clock.Clock
		pass  func(time.Duration)
	}{
		"system": {clock.System{}, time.Sleep},
		"manual": func() (c struct {
			clock clock.Clock
			pass  func(time.Duration)
		}) {
			m := clock.NewManual(noon)
			c.clock, c.pass = m, m.Advance
			return c
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				at := func(d time.Duration) time.Duration { return c.clock.Steady() + d }
				type key struct{}
				parent, cancelParent := context.WithCancelCause(context.WithValue(t.Context(), key{}, "kept"))
				ctx, cancel := c.clock.WithDeadline(parent, at(time.Hour))
				defer cancel()
				child, stop := context.WithCancel(ctx)
				defer stop()
				deadline, ok := child.Deadline()
				require.True(t, ok)
				require.Equal(t, time.Hour, deadline.Sub(c.clock.Now()).Round(time.Second))
				require.Equal(t, "kept", child.Value(key{}))

				c.pass(59 * time.Minute)
				synctest.Wait()
				require.NoError(t, child.Err())
				c.pass(time.Minute)
				<-child.Done()
				require.ErrorIs(t, child.Err(), context.DeadlineExceeded)
				require.ErrorIs(t, context.Cause(child), context.DeadlineExceeded)
				require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)
				require.NoError(t, parent.Err())

				ctx, cancel = c.clock.WithDeadline(parent, at(time.Hour))
				cancel()
				require.ErrorIs(t, ctx.Err(), context.Canceled)

				ctx, cancel = c.clock.WithDeadline(parent, at(time.Hour))
				defer cancel()
				cancelParent(context.DeadlineExceeded)
				<-ctx.Done()
				require.ErrorIs(t, ctx.Err(), context.Canceled)
				require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded, "the parent's cause")
			})
		})
	}
}
