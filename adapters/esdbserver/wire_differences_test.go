package esdbserver_test

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// seen is a difference between a recorded answer and ours.
type seen struct {
	rec          *recording
	call         *recordedCall
	what         string
	theirs, ours string
}

// answer reports whether the difference is in an answer, rather than in how a call ended.
func (s *seen) answer() bool { return strings.HasPrefix(s.what, "answer") }

func (s *seen) note(pattern string) bool {
	return regexp.MustCompile(pattern).MatchString(s.call.Call + " " + s.call.Note)
}

// difference is a way in which our server answers otherwise than the real one on purpose.
type difference struct {
	reason  string
	applies func(s *seen) bool
}

// onPurpose is the whole table. Codes, trailers, revisions, ids and order are equal wherever it
// does not say otherwise.
var onPurpose = []difference{
	{"what is wrong is said, in place of \"Exception was thrown by handler.\"; the code is the same", func(s *seen) bool {
		return s.what == "message" && s.theirs == "Exception was thrown by handler."
	}},
	{"what is wrong with a batch is said in our words; code and name are the same", func(s *seen) bool {
		return s.answer() && withoutMessage(s.theirs) == withoutMessage(s.ours) && strings.Contains(s.ours, "event_store.client.BadRequest")
	}},
	{"a refusal because of size comes from the library, which words it so; the code is the same", func(s *seen) bool {
		return s.what == "message" && strings.HasPrefix(s.ours, "grpc: received message larger than max")
	}},
	{"where the real server never answers, or floods, ours refuses at once with a sentence", func(s *seen) bool {
		return s.what == "who ended the call" && s.note(`count 0|max 0|empty stream`)
	}},
	{"a huge window is served like another", func(s *seen) bool { return s.note(`max and multiplier 2\^32-1`) }},
	{"names are kept as they come: what is not UTF-8 or longer than 4,094 bytes is refused, not replaced", func(s *seen) bool {
		return s.note(`bytes 61 ff fe|x (4095|10240|70000)$`)
	}},
	{"a server stops by an append to $$ there: ours refuses the name, and serves on", func(s *seen) bool { return s.rec.Scenario == "D7-append-crash" }},
	{"$all, $ce- and $et- are computed while they are read: nothing is appended to them, and nothing deletes them", func(s *seen) bool {
		return s.note(`(Append .*|Delete |Tombstone )"?(\$all|.*"\$(all|ce-x|et-x)")`)
	}},
	{"a metastream goes with its stream and is not deleted by itself", func(s *seen) bool { return s.note(`"\$\$(run-g1x|\$all)"`) }},
	{"$ce- and $et- have links that nothing stores: their positions are those of the events, their metadata is empty", func(s *seen) bool {
		return s.answer() && s.note(`\$(ce|et)-`) && strings.Contains(s.ours, `"$\u003e"`)
	}},
	{"there are no other projections ($streams, $category-)", func(s *seen) bool { return s.note(`\$(streams|category-cat)"`) }},
	{"clients expect that the stream $users has an event", func(s *seen) bool { return s.note(`\$users`) }},
	{"events of type $streamDeleted are tombstones, which only Tombstone writes", func(s *seen) bool {
		return s.note(`type \$streamDeleted`) || s.rec.Scenario == "D3-append-odd" && s.answer() && s.theirs != "" && strings.Contains(s.theirs, `"$streamDeleted"`)
	}},
	{"an append of nothing writes nothing: its position is the end of the log", func(s *seen) bool {
		return s.answer() && s.note("zero events") && strings.Contains(s.theirs, `"noStream"`) && strings.Contains(s.ours, `"noStream"`)
	}},
	{"there is one node: no follower, no majority to lose", func(s *seen) bool {
		return s.theirs == "there is one node" || s.rec.Scenario == "J5-quorum-lost"
	}},
	{"a group was there already, from calls that are not in the recording", func(s *seen) bool {
		return s.rec.Scenario == "J1-follower" && s.note(`^PS\..* leader, requires-leader unset`)
	}},
	{"a server in the test's own process is stopped, not killed", func(s *seen) bool {
		return strings.HasSuffix(s.theirs, "Connection dropped") || s.theirs == "the server was killed"
	}},
	{"an orderly stop ends catch-up subscriptions and batch calls at once and says so", func(s *seen) bool {
		return s.rec.Scenario == "H5-graceful-stop" && s.what == "code" && strings.HasSuffix(s.ours, "the server is stopping")
	}},
	{"no Users, Operations and Monitoring services", func(s *seen) bool {
		return s.note(`^(Users|Operations|Monitoring)\.`)
	}},
	{"users are the configuration's: none is disabled, deleted or given another password while the server runs", func(s *seen) bool {
		return s.rec.Scenario == "I2-users" && s.note(`disabled user|deleted user|new password`)
	}},
	{"a malformed header is answered like a wrong password, not with HTTP 500", func(s *seen) bool { return s.note("malformed header") }},
	{"features and addresses are our own", func(s *seen) bool { return s.note(`^(Features|Gossip)\.`) }},
	{"groups need a name, counts and times from 0 on, and a position that is a record's", func(s *seen) bool {
		return s.note(`^PS\.Create (empty group|message timeout -1|max subscribers -1|\$all at 5/5)`) ||
			s.note(`^PS\.List of (a stream|\$all)$`) && s.answer() // where those are missing then
	}},
	{"the bookkeeping of groups is our own: type and content of their configuration, checkpoints and links to what is parked", func(s *seen) bool {
		return s.answer() && s.note(`^Streams\.Read (the (config|parked|checkpoint) stream|metadata of the parked)`)
	}},
	{"what a group retries because of a timeout depends on its ticks, which have no place in a replay", func(s *seen) bool {
		return s.rec.Scenario == "H2-ps-read" && s.note(`first consumer|second consumer|before the replay|buffer size 1$|sent twice|ends its side|^PS\.GetInfo|\$all filtered`)
	}},
}

var messageOf = regexp.MustCompile(`"message":"(\\.|[^"\\])*"`)

// withoutMessage takes the words out of an answer.
func withoutMessage(line string) string {
	return strings.ReplaceAll(messageOf.ReplaceAllString(line, ""), `"streamIdentifier":{}`, `"streamIdentifier":{"streamName":""}`)
}

// usedDifferences remembers which entries of the table are met, so that none outlives its use.
type usedDifferences struct {
	mu   sync.Mutex
	used map[int]bool
}

// excuse reports whether the difference is there on purpose.
func (u *usedDifferences) excuse(s *seen) bool {
	for i, d := range onPurpose {
		if d.applies(s) {
			u.mu.Lock()
			defer u.mu.Unlock()
			if u.used == nil {
				u.used = map[int]bool{}
			}
			u.used[i] = true
			return true
		}
	}
	return false
}

func (u *usedDifferences) requireAll(t *testing.T) {
	t.Helper()
	for i, d := range onPurpose {
		assert.True(t, u.used[i], "no recording shows this difference any more: %s", d.reason)
	}
}
