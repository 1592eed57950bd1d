package secret

import (
	"encoding/json"
	"strings"
)

// Redacted replaces a secret value.
const Redacted = "•••"

var redactedJSON = json.RawMessage(`"` + Redacted + `"`)

// Fields selects members of JSON payloads: a name selects members of that name at any depth, a
// dotted path (address.city) the member at that path from the root, through lists. Case does not
// matter, as in encoding/json. The name "*" selects everything.
type Fields []string

// All selects everything. It is for payloads whose secret fields are unknown.
var All = Fields{"*"}

// has reports whether the member at the path is selected.
func (f Fields) has(path []string) bool {
	for _, name := range f {
		if name == "*" || strings.EqualFold(name, path[len(path)-1]) || strings.Contains(name, ".") && strings.EqualFold(name, strings.Join(path, ".")) {
			return true
		}
	}
	return false
}

func (f Fields) hasAll() bool {
	for _, name := range f {
		if name == "*" {
			return true
		}
	}
	return false
}
