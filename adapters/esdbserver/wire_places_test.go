package esdbserver_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// places tells what positions point to: those of one server, learnt from its answers.
type places struct {
	names map[uint64]string
	at    map[string]uint64
	max   uint64
	// idAt are the ids of the events in their places, placeOf the other way round.
	idAt, placeOf map[string]string
}

func newPlaces() *places {
	return &places{names: map[uint64]string{}, at: map[string]uint64{},
		idAt: map[string]string{}, placeOf: map[string]string{}}
}

func (p *places) note(position uint64, name string) {
	if position == 0 || position == math.MaxUint64 {
		return
	}
	p.max = max(p.max, position)
	if _, known := p.names[position]; !known {
		p.names[position] = name
	}
	if _, known := p.at[name]; !known {
		p.at[name] = position
	}
}

// name returns what the position points to. What only the server itself wrote has no name.
func (p *places) name(position uint64) string {
	switch position {
	case 0:
		return "0"
	case math.MaxUint64:
		return "2^64-1"
	}
	if name, ok := p.names[position]; ok {
		return name
	}
	return "?"
}

// learn notes the positions in an answer to a call for the stream.
func (p *places) learn(tree any, stream string) {
	m, ok := tree.(map[string]any)
	if !ok {
		return
	}
	if read, ok := m["event"].(map[string]any); ok {
		for _, part := range []string{"link", "event"} {
			if e, ok := read[part].(map[string]any); ok {
				p.note(wireNumber(e["commitPosition"]), wirePlace(e))
				p.idAt[wirePlace(e)], p.placeOf[wireID(e["id"])] = wireID(e["id"]), wirePlace(e)
			}
		}
	}
	if id, ok := m["streamIdentifier"]; ok {
		stream = wireStream(id)
	}
	if success, ok := m["success"].(map[string]any); ok {
		if position, ok := success["position"].(map[string]any); ok && success["currentRevision"] != nil {
			p.note(wireNumber(position["commitPosition"]), fmt.Sprintf("%s@%v", stream, wireNumber(success["currentRevision"])))
		}
	}
}

// wirePlace is how a recorded event is called: its stream and its number.
func wirePlace(event map[string]any) string {
	return fmt.Sprintf("%s@%d", wireStream(event["streamIdentifier"]), wireNumber(event["streamRevision"]))
}

func wireStream(identifier any) string {
	m, _ := identifier.(map[string]any)
	name, _ := base64.StdEncoding.DecodeString(wireText(m["streamName"]))
	return string(name)
}

func wireNumber(v any) uint64 {
	switch v := v.(type) {
	case string:
		n, _ := strconv.ParseUint(v, 10, 64)
		return n
	case float64:
		return uint64(v)
	}
	return 0
}

// wireID returns an id in either of its forms as text, "" if it is none.
func wireID(v any) string {
	m, _ := v.(map[string]any)
	if text := wireText(m["string"]); text != "" {
		return text
	}
	s, ok := m["structured"].(map[string]any)
	if !ok {
		return ""
	}
	var id uuid.UUID
	most, _ := strconv.ParseInt(wireText(s["mostSignificantBits"]), 10, 64)
	least, _ := strconv.ParseInt(wireText(s["leastSignificantBits"]), 10, 64)
	binary.BigEndian.PutUint64(id[:8], uint64(most))
	binary.BigEndian.PutUint64(id[8:], uint64(least))
	return id.String()
}

// normalise makes two servers' answers comparable: positions become what they point to, and
// what is never equal goes. known are the ids that the scenario itself gave out.
func (p *places) normalise(tree any, known map[string]bool) any {
	return walk(tree, "", func(key string, value any) any {
		switch v := value.(type) {
		case map[string]any:
			delete(v, "created")
			delete(v, "timeStamp")
			delete(v, "timestamp")
			delete(v, "instanceId")
			for _, measured := range []string{"averagePerSecond", "averageItemsPerSecond", "countSinceLastMeasurement", "readBufferCount", "liveBufferCount"} {
				delete(v, measured)
			}
			delete(v, "lastUpdated")
			if id := wireID(v); key == "id" && id != "" && !known[strings.ToLower(id)] {
				return "made by the server"
			}
			return v
		case string:
			if m := pairOfPositions.FindStringSubmatch(v); m != nil {
				return p.name(wireNumber(m[1]))
			}
			switch key {
			case "commitPosition", "preparePosition":
				return p.name(wireNumber(v))
			case "subscriptionId":
				if !strings.Contains(v, "::") {
					return "-"
				}
			}
		}
		return value
	})
}

// pairOfPositions is how the places of groups over all streams are written.
var pairOfPositions = regexp.MustCompile(`^C:(\d+)/P:\d+$`)

// ownEvent reports whether the answer is an event that the server wrote for itself: no
// scenario's stream, and none that the scenario reads by name.
func ownEvent(tree any, named map[string]bool) bool {
	m, _ := tree.(map[string]any)
	read, ok := m["event"].(map[string]any)
	if !ok {
		return false
	}
	original, ok := read["link"].(map[string]any)
	if !ok {
		original, _ = read["event"].(map[string]any)
	}
	stream := wireStream(original["streamIdentifier"])
	if named[stream] || named[strings.TrimPrefix(stream, "$$")] {
		return false
	}
	return strings.HasPrefix(stream, "$")
}
