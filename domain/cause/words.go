package cause

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// word takes the word that begins here: as an address, a time or a number where it is one as a
// whole, else piece by piece.
func (p *pass) word() {
	end := p.at
	for end < len(p.in) && (wordly(p.in[end]) || inside(p.in[end])) {
		end++
	}
	for end > p.at && !wordly(p.in[end-1]) {
		end-- // a full stop, a colon
	}
	w := string(p.in[p.at:end])
	switch {
	case p.url(w):
		return
	case strings.Contains(w, "@"):
		p.put(email)
	case isIP(w):
		p.put(ip)
	case isTime(w) || isCalendar(w) && (p.mark == moment || p.mark == number || p.numberFollows(end)):
		p.put(moment)
	case p.isStatus(w):
		p.text(w)
	case amount.MatchString(w):
		p.put(number)
	case isUUID(w):
		p.put(id)
	default:
		p.pieces(w)
	}
	p.at = end
	p.before = [2]string{p.before[1], strings.ToLower(w)}
}

// inside reports whether a character may be within a word, though it begins none.
func inside(r rune) bool { return strings.ContainsRune("-.:@%+/", r) }

// url takes an address with a scheme. Its host stays, because it says who failed; what follows the
// host has ids.
func (p *pass) url(w string) bool {
	scheme, _, ok := strings.Cut(w, "://")
	if !ok || scheme == "" {
		return false
	}
	end := p.at
	for end < len(p.in) && !strings.ContainsRune(" \"'`<>“”«»", p.in[end]) {
		end++
	}
	for end > p.at && strings.ContainsRune(".,;:)]}", p.in[end-1]) {
		end-- // it belongs to the sentence
	}
	_, rest, _ := strings.Cut(string(p.in[p.at:end]), "://")
	p.at = end
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, path = rest[:i], "/…"
	}
	host = host[strings.LastIndexByte(host, '@')+1:] // without a name and a password
	p.pieces(scheme)
	p.text("://")
	if name, _, _ := strings.Cut(host, ":"); isIP(host) {
		p.put(ip)
	} else {
		p.pieces(name)
	}
	p.text(path)
	return true
}

// isIP reports whether a word is an IP address, with or without a port.
func isIP(w string) bool {
	if strings.Count(w, ".") < 3 && strings.Count(w, ":") < 2 && !strings.HasPrefix(w, "[") {
		return false
	}
	_, err := netip.ParseAddr(w)
	if err != nil {
		_, err = netip.ParseAddrPort(w)
	}
	return err == nil
}

var (
	// clock is a date, a time of day, or both.
	clock = regexp.MustCompile(`^(\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})?(T?\d{1,2}:\d{2}(:\d{2})?(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$`)
	// amount is a number, or several with units: 1.5, 10MB, 1h2m3.5s, 99%.
	amount = regexp.MustCompile(`^[-+]?(\d[\d.,:/+-]*(ns|us|µs|μs|ms|s|m|h|d|k|[kKMGT]i?B|B|x|%|st|nd|rd|th)?)+$`)
	uuids  = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	status = regexp.MustCompile(`^[1-5]\d\d$`)
)

func isTime(w string) bool { return strings.ContainsAny(w, ":-/.") && clock.MatchString(w) }

func isUUID(w string) bool { return len(w) == 36 && uuids.MatchString(w) }

// isStatus reports whether a word is the number of an HTTP status, by the words before it.
func (p *pass) isStatus(w string) bool {
	last := strings.Trim(p.before[1], ":=/")
	return status.MatchString(w) && (last == "status" || last == "http" || strings.HasPrefix(last, "http/") || last == "code" && p.before[0] == "status")
}

var calendar = strings.Fields("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec January February March April June July August September October November December Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

// isCalendar reports whether a word names a month or a day of the week.
func isCalendar(w string) bool { return slices.Contains(calendar, w) }

// numberFollows reports whether the next word begins with a digit, or is a month.
func (p *pass) numberFollows(end int) bool {
	for end < len(p.in) && strings.ContainsRune(" ,", p.in[end]) {
		end++
	}
	if end >= len(p.in) {
		return false
	}
	if unicode.IsDigit(p.in[end]) {
		return true
	}
	to := end
	for to < len(p.in) && unicode.IsLetter(p.in[to]) {
		to++
	}
	return isCalendar(string(p.in[end:to]))
}

// pieces writes a word piece by piece: its letters and digits between other characters.
func (p *pass) pieces(w string) {
	for len(w) > 0 {
		n := strings.IndexFunc(w, func(r rune) bool { return !letterOrDigit(r) })
		switch {
		case n < 0:
			p.piece(w)
			return
		case n == 0:
			for i, r := range w {
				if i > 0 {
					n = i
					break
				}
				p.plain(r)
				n = len(w)
			}
			w = w[n:]
		default:
			p.piece(w[:n])
			w = w[n:]
		}
	}
}

// shortID is the length from which letters and digits in one piece are taken as an id.
const shortID = 6

// piece writes letters and digits without anything between them. Letters alone stay, unless they
// are long and hexadecimal; letters with a number at the end keep the letters.
func (p *pass) piece(w string) {
	first, last := strings.IndexFunc(w, unicode.IsDigit), strings.LastIndexFunc(w, unicode.IsLetter)
	switch {
	case first < 0:
		p.text(w)
	case last < 0 || amount.MatchString(w):
		p.put(number)
	case len(w) >= 8 && strings.Trim(w, "0123456789abcdefABCDEF") == "", strings.HasPrefix(w, "0x"):
		p.put(id)
	case last < first:
		p.text(w[:first])
		p.put(number)
	case len(w) >= shortID:
		p.put(id)
	default:
		inNumber := false
		for _, r := range w {
			if unicode.IsDigit(r) {
				if !inNumber {
					p.put(number)
				}
			} else {
				p.text(string(r))
			}
			inNumber = unicode.IsDigit(r)
		}
	}
}
