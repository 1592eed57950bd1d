package work

import (
	"fmt"
	"regexp"
)

// ActionTopic returns the topic on which the attempts of an action travel to workers:
// atone.action.NAME, or atone.NAMESPACE.action.NAME. The namespace
// keeps coordinators on different logs apart that share a broker.
func ActionTopic(namespace, action string) string { return topic(namespace, "action."+action) }

// OutcomesTopic returns the topic on which outcomes travel back to coordinators: atone.outcomes, or
// atone.NAMESPACE.outcomes.
func OutcomesTopic(namespace string) string { return topic(namespace, "outcomes") }

func topic(namespace, rest string) string {
	if namespace != "" {
		rest = namespace + "." + rest
	}
	return "atone." + rest
}

// namespacePattern allows the characters that every broker accepts in a topic's name.
var namespacePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)

// CheckNamespace refuses an invalid namespace, and one whose topics could equal those of the empty
// namespace.
func CheckNamespace(namespace string) error {
	switch {
	case namespace == "":
		return nil
	case !namespacePattern.MatchString(namespace):
		return fmt.Errorf("namespace %q: use letters, digits, '-' and '_', at most 40", namespace)
	case namespace == "action" || namespace == "outcomes":
		return fmt.Errorf("namespace %q is a word of atone's own topics: choose another", namespace)
	}
	return nil
}
