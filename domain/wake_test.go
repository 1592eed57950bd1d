package domain_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

func TestWakeIsReadFromAnyMetadata(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	unknown := domain.Wake{State: domain.RunRunning, Busy: true}
	for name, want := range map[string]domain.Wake{
		"ended": {State: domain.RunIsCompleted},
		"waits": {State: domain.RunRunning, Due: due, Events: true, Node: `n"wake":1,"hash":"`},
		"busy":  {State: domain.RunCompensating, Busy: true, Node: "n/1"},
	} {
		e, _ := domain.Seal(domain.RunStream(uuid.New()), 3, domain.ChainHash{}, &domain.RunPaused{}, domain.Meta{Actor: `"wake":{`, At: due, Wake: want})
		require.Equal(t, want, domain.WakeOf(e.Metadata), name)
	}
	for _, meta := range []string{``, `{}`, `{"wake":`, `{"wake":null}`, `{"wake":7,"hash":"x"}`, `{"actor":"a","hash":"x"}`} {
		require.Equal(t, unknown, domain.WakeOf([]byte(meta)), meta)
	}
	require.Equal(t, domain.Wake{State: domain.RunIsStuck}, domain.WakeOf([]byte(`{ "hash":"x", "wake":{"state":"stuck"} , "more":1}`)), "in another order, as another program may write it")
	require.Equal(t, domain.Wake{State: domain.RunIsStuck}, domain.WakeOf([]byte(`{"wake":{"state":"stuck"},"more":1,"hash":"x"}`)))
}

func BenchmarkWakeOf(b *testing.B) {
	e, _ := domain.Seal(domain.RunStream(uuid.New()), 3, domain.ChainHash{}, &domain.RunPaused{}, domain.Meta{Actor: "ann", CorrelationID: uuid.NewString(), CausationID: uuid.NewString(), At: time.Now(), Wake: domain.Wake{State: domain.RunRunning, Busy: true}})
	for b.Loop() {
		domain.WakeOf(e.Metadata)
	}
}
