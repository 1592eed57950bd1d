package streamdb_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

func (d *db) metadata(stream, json string) {
	d.t.Helper()
	_, err := d.Append(d.ctx, "$$"+stream, domain.AnyRevision, []domain.NewEvent{{ID: uuid.New(), Type: streamdb.TypeMetadata, Data: []byte(json)}})
	require.NoError(d.t, err)
}

func TestSoftDeletedStreamGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.append("s", domain.NoStream, 1, 2, 3)
	d.metadata("s", `{"custom":1}`)
	_, err := d.Delete(d.ctx, "s", 2)
	require.NoError(t, err)
	require.Nil(t, d.numbers("s"))
	require.EqualValues(t, 3, d.append("s", domain.NoStream, 4).Number)
	require.Equal(t, []int64{3}, d.numbers("s"))
	meta, err := d.Metadata(d.ctx, "s")
	require.NoError(t, err)
	require.EqualValues(t, 3, *meta.TruncateBefore)
}

func TestMetadataUndeletesAndKeepsWhatItSays(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.append("s", domain.NoStream, 1, 2)
	_, err := d.Delete(d.ctx, "s", domain.AnyRevision)
	require.NoError(t, err)
	d.metadata("s", `{"$maxCount":5}`)
	view, err := d.View(d.ctx, "s")
	require.NoError(t, err)
	require.True(t, view.Exists)
	require.Empty(t, d.numbers("s"))
	meta, err := d.Metadata(d.ctx, "s")
	require.NoError(t, err)
	require.EqualValues(t, 5, *meta.MaxCount)
	require.EqualValues(t, 2, *meta.TruncateBefore)
}

// An append to the log itself, or a crash before the metadata followed, must not hide events.
func TestEventsBehindASoftDeletionAreSeenWithoutItsMetadata(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	d := openOn(t, log, time.Now)
	d.append("s", domain.NoStream, 1, 2)
	_, err := d.Delete(d.ctx, "s", domain.AnyRevision)
	require.NoError(t, err)
	_, err = log.Append(d.ctx, "s", 1, eventsOf(3, 4)...)
	require.NoError(t, err)
	restarted := openOn(t, log, time.Now)
	require.Equal(t, []int64{2, 3}, restarted.numbers("s"))
	require.EqualValues(t, 4, restarted.append("s", domain.StreamExists, 5).Number)
	require.Equal(t, []int64{2, 3, 4}, restarted.numbers("s"))
}

func TestDeletionChecksTheRevision(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, err := d.Delete(d.ctx, "missing", domain.AnyRevision)
	require.ErrorIs(t, err, domain.ErrConflict)
	_, err = d.Delete(d.ctx, "missing", domain.NoStream)
	require.ErrorIs(t, err, domain.ErrConflict)
	d.append("s", domain.NoStream, 1, 2)
	_, err = d.Delete(d.ctx, "s", 0)
	require.ErrorIs(t, err, domain.ErrConflict)
	_, err = d.Tombstone(d.ctx, "s", 0)
	require.ErrorIs(t, err, domain.ErrConflict)
	_, err = d.Tombstone(d.ctx, "s", 1)
	require.NoError(t, err)
	_, err = d.Tombstone(d.ctx, "s", domain.AnyRevision)
	require.ErrorIs(t, err, domain.ErrStreamDeleted)
	_, err = d.Delete(d.ctx, "s", domain.AnyRevision)
	require.ErrorIs(t, err, domain.ErrStreamDeleted)
	_, err = d.View(d.ctx, "s")
	require.ErrorIs(t, err, domain.ErrStreamDeleted)
}

func TestAStreamThatNeverWasCanBeTombstoned(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, err := d.Tombstone(d.ctx, "s", domain.NoStream)
	require.NoError(t, err)
	_, err = d.Append(d.ctx, "s", domain.AnyRevision, eventsOf(1))
	require.ErrorIs(t, err, domain.ErrStreamDeleted)
	d.metadata("s", `{}`) // can be written still, and not read
	_, err = d.View(d.ctx, "$$s")
	require.ErrorIs(t, err, domain.ErrStreamDeleted)
}

func TestTombstoneHasTheHighestNumberInAll(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.append("s", domain.NoStream, 1)
	_, err := d.Tombstone(d.ctx, "s", domain.AnyRevision)
	require.NoError(t, err)
	require.Equal(t, []int64{0, streamdb.Tombstoned}, numbersOf(t, d.All(d.ctx, 0)))
}

func TestMetadataTruncatesStreamReadsOnly(t *testing.T) {
	t.Parallel()
	now := time.Now()
	log := memlog.NewWithConfig(memlog.Config{Now: func() time.Time { return now }})
	d := openOn(t, log, func() time.Time { return now })
	d.append("s", domain.NoStream, 1, 2, 3, 4)
	d.metadata("s", `{"$maxCount":3}`)
	require.Equal(t, []int64{1, 2, 3}, d.numbers("s"))
	d.metadata("s", `{"$tb":3}`)
	require.Equal(t, []int64{3}, d.numbers("s"))
	d.metadata("s", `{"$maxAge":10}`)
	require.Equal(t, []int64{0, 1, 2, 3}, d.numbers("s"))
	now = now.Add(11 * time.Second)
	d.append("s", domain.AnyRevision, 5)
	require.Equal(t, []int64{4}, d.numbers("s"))
	view, err := d.View(d.ctx, "s")
	require.NoError(t, err)
	require.Equal(t, []int64{4}, numbersOf(t, view.Backward(d.ctx, domain.End)))
	require.Equal(t, []int64{2}, d.numbers("$$s"), "a metastream shows its last event")
	require.Len(t, numbersOf(t, d.All(d.ctx, 0)), 8)
}

func TestMetadataThatIsBrokenIsIgnored(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `null`, `[]`, `{`, `{"$maxAge":"x","$maxCount":-1,"$tb":1.5,"$acl":7}`, `{"$maxCount":0}`} {
		require.Equal(t, streamdb.Metadata{}, streamdb.ParseMetadata([]byte(text)), text)
	}
	meta := streamdb.ParseMetadata([]byte(`{"$maxAge":9223372036854775807,"$acl":{"$r":"$all","$w":["a","b"]}}`))
	require.Equal(t, []string{"$all"}, meta.ACL.Read)
	require.Equal(t, []string{"a", "b"}, meta.ACL.Write)
	require.Nil(t, meta.ACL.Delete)
	require.Positive(t, *meta.MaxAge)
}
