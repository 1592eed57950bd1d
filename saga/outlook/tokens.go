package outlook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// tokens stand for values that are not recorded yet, and for why something will have failed.
type tokens struct {
	mark   string
	labels []string
}

// newTokens makes tokens that nothing recorded of the run can have in it: they have a hash over all
// of it.
func newTokens(s *machine.State) tokens {
	snapshot, _ := machine.Snapshot(s) // fails for no run that has begun
	sum := sha256.Sum256(snapshot)
	return tokens{mark: "atone-outlook-" + hex.EncodeToString(sum[:16]) + "."}
}

// text returns the text that stands for something.
func (t *tokens) text(labels ...string) (text string) {
	for _, label := range labels {
		i := slices.Index(t.labels, label)
		if i < 0 {
			i, t.labels = len(t.labels), append(t.labels, label)
		}
		text += t.mark + strconv.Itoa(i) + ";"
	}
	return text
}

// value returns the value that stands for something.
func (t *tokens) value(labels ...string) json.RawMessage { return domain.Payload(t.text(labels...)) }

// needs says what a value stands for; nothing if it was recorded. It implements [Needs].
func (t *tokens) needs(value json.RawMessage) (labels []string) {
	for rest := []byte(value); ; {
		_, after, found := bytes.Cut(rest, []byte(t.mark))
		if !found {
			return labels
		}
		end := 0
		for end < len(after) && after[end] >= '0' && after[end] <= '9' {
			end++
		}
		if i, err := strconv.Atoi(string(after[:end])); err == nil && i < len(t.labels) && !slices.Contains(labels, t.labels[i]) {
			labels = append(labels, t.labels[i])
		}
		rest = after
	}
}
