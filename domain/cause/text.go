package cause

import "strings"

// pass goes over a message once.
type pass struct {
	in []rune
	at int
	output
	// unclosed notes the quotes that have no end any more, so that no later one looks for it.
	unclosed map[rune]bool
	// before are the last two words, in lower case.
	before [2]string
}

// textOf returns a message without what differs from run to run.
func textOf(message string) string {
	p := &pass{in: visible(message), unclosed: make(map[rune]bool)}
	for p.at < len(p.in) && len(p.out) <= 2*maxText {
		switch r := p.in[p.at]; {
		case p.quote(r):
		case wordly(r):
			p.word()
		default:
			p.plain(r)
			p.at++
		}
	}
	out := []rune(strings.TrimSpace(string(p.out)))
	if len(out) > maxText {
		out = append(out[:maxText-1], '…')
	}
	return string(out)
}

// closes has the end of each opening quote.
var closes = map[rune]rune{'"': '"', '\'': '\'', '`': '`', '“': '”', '„': '”', '«': '»', '‘': '’', '‹': '›'}

// quote takes a quoted text, if one begins here. An apostrophe begins none.
func (p *pass) quote(r rune) bool {
	end, opens := closes[r]
	if !opens || p.at > 0 && letterOrDigit(p.in[p.at-1]) {
		return false
	}
	to := p.closing(r, end)
	if to < 0 {
		if r != '"' {
			return false
		}
		to = len(p.in) - 1 // the message was cut in the middle of it
	}
	p.put(quoted)
	p.at = to + 1
	return true
}

// closing returns where the quote that opens here ends, or -1.
func (p *pass) closing(open, end rune) int {
	if p.unclosed[open] {
		return -1
	}
	for i := p.at + 1; i < len(p.in); i++ {
		switch {
		case p.in[i] == '\\' && open == '"':
			i++
		case p.in[i] == end && (end != '\'' || i+1 == len(p.in) || !letterOrDigit(p.in[i+1])):
			return i
		}
	}
	p.unclosed[open] = true
	return -1
}
