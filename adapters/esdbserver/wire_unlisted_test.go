package esdbserver_test

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

var marked = regexp.MustCompile(`^(\d+) appends of 1 to (\S+)$`)

// addMarked adds what the recorder says that it did beside the calls that are listed.
func (r *replay) addMarked(add func(float64, func()), at float64, mark string) {
	m := marked.FindStringSubmatch(mark)
	if m == nil {
		return
	}
	n, err := strconv.Atoi(m[1])
	require.NoError(r.t, err)
	add(at, func() {
		for range n {
			r.write(m[2], domain.NewEvent{ID: uuid.New(), Type: "T", Data: []byte("{}")})
		}
	})
}

func (r *replay) write(stream string, events ...domain.NewEvent) {
	r.t.Helper()
	_, err := r.node.log.Append(context.Background(), stream, domain.AnyRevision, events...)
	require.NoError(r.t, err)
}

// addUnlisted adds the appends that no call of the recording shows, but whose events do
// appear: each just before it is seen first.
func (r *replay) addUnlisted(add func(float64, func())) {
	first := map[string]*unlisted{}
	for _, c := range r.rec.Calls {
		for _, f := range c.Log {
			read, _ := mapIn(decoded(f.Res), "event")
			event, ok := mapIn(read, "event")
			stream := wireStream(event["streamIdentifier"])
			id := strings.ToLower(wireID(event["id"]))
			meta, _ := mapIn(event, "metadata")
			if !ok || r.known[id] || strings.HasPrefix(stream, "$") || strings.HasPrefix(wireText(meta["type"]), "$") {
				continue
			}
			if u := first[id]; u == nil || c.At+f.Ms < u.at {
				first[id] = &unlisted{c.At + f.Ms, event}
			}
		}
	}
	ordered := slices.Collect(maps.Values(first))
	slices.SortFunc(ordered, func(a, b *unlisted) int { return cmp.Compare(a.position(), b.position()) })
	for i := len(ordered) - 1; i >= 0; i-- { // none later than one behind it in the log
		u := ordered[i]
		u.at = r.writtenAt(u.at, u.position())
		if i+1 < len(ordered) {
			u.at = min(u.at, ordered[i+1].at)
		}
	}
	for _, u := range ordered {
		r.known[strings.ToLower(wireID(u.event["id"]))] = true
		add(u.at, func() { r.writeUnlisted(u.event) })
	}
}

// unlisted is an event that some call shows and none appends.
type unlisted struct {
	at    float64 // seen first, or written
	event map[string]any
}

func (u *unlisted) position() uint64 { return wireNumber(u.event["commitPosition"]) }

// writeUnlisted appends the event, after others that nobody has seen where its number asks for
// them.
func (r *replay) writeUnlisted(event map[string]any) {
	stream := wireStream(event["streamIdentifier"])
	next := uint64(0)
	for e, err := range r.node.log.ReadStreamBackward(context.Background(), stream, domain.End) {
		require.NoError(r.t, err)
		next = e.Revision + 1
		break
	}
	for ; next < wireNumber(event["streamRevision"]); next++ {
		r.write(stream, domain.NewEvent{ID: uuid.New(), Type: "T", Data: []byte("{}")})
	}
	var content struct{ Data, CustomMetadata []byte }
	raw, err := json.Marshal(event)
	require.NoError(r.t, err)
	require.NoError(r.t, json.Unmarshal(raw, &content))
	meta, _ := mapIn(event, "metadata")
	r.write(stream, domain.NewEvent{
		ID: uuid.MustParse(wireID(event["id"])), Type: wireText(meta["type"]), Data: content.Data, Metadata: content.CustomMetadata,
		Binary: meta["content-type"] != "application/json",
	})
}

// writtenAt returns when an event that was first seen at a time can have been written: before
// that, and before any listed append that the log has behind it.
func (r *replay) writtenAt(seen float64, position uint64) float64 {
	at := seen
	for _, c := range r.rec.Calls {
		if success, ok := mapIn(decoded(c.firstAnswer()), "success"); ok && c.Call == "Streams.Append" {
			where, _ := mapIn(success, "position")
			if wireNumber(where["commitPosition"]) > position {
				at = min(at, c.At)
			}
		}
	}
	return at - 0.01
}

func mapIn(v any, key string) (map[string]any, bool) {
	m, _ := v.(map[string]any)
	child, ok := m[key].(map[string]any)
	return child, ok
}
