package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/projections/verify"
)

// tampered is a log whose recorded events somebody got hold of.
type tampered struct {
	*memlog.Log
	events []domain.Recorded
}

func (l *tampered) ReadAll(context.Context, domain.Position, domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for _, e := range l.events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (l *tampered) ReadStream(_ context.Context, stream string, _ uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for _, e := range l.events {
			if e.Stream == stream && !yield(e, nil) {
				return
			}
		}
	}
}

// copyOf returns a log that can be tampered with.
func copyOf(t require.TestingT, log *memlog.Log) *tampered {
	c := &tampered{Log: log}
	for r, err := range log.ReadAll(context.Background(), 0, domain.Filter{}) {
		require.NoError(t, err)
		r.Data, r.Metadata = bytes.Clone(r.Data), bytes.Clone(r.Metadata)
		c.events = append(c.events, r)
	}
	return c
}

func madeUp(t require.TestingT, seed uint64, appends int) *memlog.Log {
	log := memlog.New()
	_, err := projectiontest.NewRuns(seed).Write(context.Background(), log, appends)
	require.NoError(t, err)
	return log
}

func TestEveryTamperingIsNamed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		log := madeUp(t, rapid.Uint64().Draw(t, "seed"), rapid.IntRange(20, 80).Draw(t, "appends"))
		c := copyOf(t, log)
		v, err := verify.All(ctx, c)
		require.NoError(t, err)
		require.True(t, v.OK(), "%v", v.Findings)
		require.Equal(t, len(c.events), v.Events)

		i := rapid.IntRange(1, len(c.events)-1).Draw(t, "event") // 0 is the plan
		victim := c.events[i]
		later := slices.IndexFunc(c.events[i+1:], func(e domain.Recorded) bool { return e.Stream == victim.Stream })
		named := victim.Revision
		switch rapid.IntRange(0, 4).Draw(t, "how") {
		case 0: // changed
			b := victim.Data
			if rapid.Bool().Draw(t, "metadata") {
				b = victim.Metadata
			}
			if len(b) == 0 {
				return
			}
			b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1
		case 1: // removed, from between others
			if later < 0 {
				return
			}
			c.events = slices.Delete(c.events, i, i+1)
		case 2: // removed, and the hole closed
			if later < 0 {
				return
			}
			c.events = slices.Delete(c.events, i, i+1)
			for j := range c.events {
				if e := &c.events[j]; e.Stream == victim.Stream && e.Revision > victim.Revision {
					e.Revision--
				}
			}
		case 3: // inserted
			forged, _ := domain.Seal(victim.Stream, victim.Revision, domain.ChainHash{}, &domain.RunPaused{Reason: "x"}, domain.Meta{At: time.Unix(1, 0)})
			for j := range c.events {
				if e := &c.events[j]; e.Stream == victim.Stream && e.Revision >= victim.Revision {
					e.Revision++
				}
			}
			c.events = slices.Insert(c.events, i, domain.Recorded{NewEvent: forged, Stream: victim.Stream, Revision: victim.Revision})
			if victim.Revision == 0 {
				// a first event that is sealed as one is the chain's beginning; what follows is not
				// its successor
				named = 1
			}
		case 4: // swapped with the next one
			if later < 0 {
				return
			}
			j := i + 1 + later
			c.events[i], c.events[j] = c.events[j], c.events[i]
		}
		for name, check := range map[string]func() (*verify.Report, error){
			"all": func() (*verify.Report, error) { return verify.All(ctx, c) },
			"run": func() (*verify.Report, error) {
				id, _ := domain.RunOfStream(victim.Stream)
				return verify.Run(ctx, c, id)
			},
		} {
			v, err = check()
			require.NoError(t, err)
			require.False(t, v.OK(), name)
			require.True(t, slices.ContainsFunc(v.Findings, func(f verify.Finding) bool {
				return f.Stream == victim.Stream && (f.Revision == named || f.Revision == named+1)
			}), "%s: %v does not name %s %d", name, v.Findings, victim.Stream, victim.Revision)
		}
	})
}

func TestAnchorsShowARewrittenHistory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	log := madeUp(t, 5, 120)
	v, err := verify.All(ctx, log)
	require.NoError(t, err)
	var file bytes.Buffer
	require.NoError(t, (&verify.Anchor{Made: time.Unix(9, 0), Heads: v.Heads}).Write(&file, private))
	anchor, err := verify.ReadAnchor(bytes.NewReader(file.Bytes()), public)
	require.NoError(t, err)
	require.Equal(t, v.Heads, anchor.Heads)
	v, err = verify.All(ctx, log, anchor)
	require.NoError(t, err)
	require.True(t, v.OK())
	require.Equal(t, len(anchor.Heads), v.Anchored)

	// Rewrite a run from some event on, with hashes that fit.
	c := copyOf(t, log)
	victim := v.Heads[len(v.Heads)/2]
	stream, prev := domain.RunStream(victim.Run), domain.ChainHash{}
	for i := range c.events {
		e := &c.events[i]
		if e.Stream != stream {
			continue
		}
		f, err := domain.DecodeFact(e)
		require.NoError(t, err)
		if s, ok := f.Event.(*domain.RunStarted); ok {
			s.Input = json.RawMessage(`"forged"`)
		}
		e.NewEvent, prev = domain.Seal(stream, e.Revision, prev, f.Event, f.Meta)
	}
	v, err = verify.All(ctx, c)
	require.NoError(t, err)
	require.True(t, v.OK(), "without the anchor nobody can tell")
	v, err = verify.All(ctx, c, anchor)
	require.NoError(t, err)
	require.Len(t, v.Findings, 1)
	require.Equal(t, stream, v.Findings[0].Stream)
	require.Contains(t, v.Findings[0].String(), "rewritten")

	// Cut the end of a run off; then the whole run.
	c = copyOf(t, log)
	c.events = slices.DeleteFunc(c.events, func(e domain.Recorded) bool { return e.Stream == stream && e.Revision == victim.Revision })
	v, err = verify.Run(ctx, c, victim.Run, anchor)
	require.NoError(t, err)
	require.Len(t, v.Findings, 1)
	require.Contains(t, v.Findings[0].Problem, "missing")
	c.events = slices.DeleteFunc(c.events, func(e domain.Recorded) bool { return e.Stream == stream })
	v, err = verify.All(ctx, c, anchor)
	require.NoError(t, err)
	require.Len(t, v.Findings, 1)

	// A changed plan.
	c = copyOf(t, log)
	c.events[0].Data = bytes.Replace(c.events[0].Data, []byte(`"card"`), []byte(`"none"`), 1)
	v, err = verify.All(ctx, c)
	require.NoError(t, err)
	require.Len(t, v.Findings, 1)

	_, err = verify.Run(ctx, log, domain.NewRunID())
	require.ErrorIs(t, err, projections.ErrNotFound)
}

func TestAnAnchorIsRefusedUnlessSignedAsItIs(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	other, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	var file bytes.Buffer
	require.NoError(t, (&verify.Anchor{Made: time.Unix(9, 0), Heads: []verify.Head{{Run: domain.NewRunID(), Revision: 3}}}).Write(&file, private))
	_, err = verify.ReadAnchor(bytes.NewReader(file.Bytes()), other)
	require.ErrorIs(t, err, verify.ErrBadAnchor)
	for i := range file.Bytes() {
		b := bytes.Clone(file.Bytes())
		b[i] ^= 1
		if a, err := verify.ReadAnchor(bytes.NewReader(b), public); err == nil {
			require.Fail(t, "a changed anchor was taken", "byte %d: %v", i, a)
		}
	}
	for _, cut := range []int{0, 10, file.Len() - 1} {
		_, err = verify.ReadAnchor(bytes.NewReader(file.Bytes()[:cut]), public)
		require.ErrorIs(t, err, verify.ErrBadAnchor)
	}
	_, err = verify.ReadAnchor(strings.NewReader(file.String()+"x"), public)
	require.ErrorIs(t, err, verify.ErrBadAnchor)

	pub, priv, err := verify.ParseAnchorKey(verify.MarshalAnchorKey(private))
	require.NoError(t, err)
	require.Equal(t, public, pub)
	require.Equal(t, private, priv)
	pub, priv, err = verify.ParseAnchorKey(verify.MarshalAnchorKey(public))
	require.NoError(t, err)
	require.Equal(t, public, pub)
	require.Nil(t, priv)
	_, _, err = verify.ParseAnchorKey("AAAA")
	require.Error(t, err)
}
