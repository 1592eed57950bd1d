package machine

import "fmt"

// UnmarshalText implements encoding.TextUnmarshaler: it reads what [Phase.MarshalText] wrote.
func (p *Phase) UnmarshalText(text []byte) error {
	for i, name := range phaseNames {
		if name == string(text) {
			*p = Phase(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no phase of a step", text)
}
