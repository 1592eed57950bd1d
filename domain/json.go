package domain

import (
	"bytes"
	"encoding/json"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"
)

// objectWriter appends the members of one JSON object. Unlike encoding/json it copies raw payloads
// byte for byte and uses no reflection, because every append uses it.
type objectWriter struct {
	buf  []byte
	some bool
}

func (w *objectWriter) open()  { w.buf = append(w.buf, '{'); w.some = false }
func (w *objectWriter) close() { w.buf = append(w.buf, '}'); w.some = true }

// name writes a member's name, which needs no escaping.
func (w *objectWriter) name(n string) {
	if w.some {
		w.buf = append(w.buf, ',')
	}
	w.some = true
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, n...)
	w.buf = append(w.buf, '"', ':')
}

func (w *objectWriter) str(n, v string) { w.name(n); w.buf = appendString(w.buf, v) }

func (w *objectWriter) optStr(n, v string) {
	if v != "" {
		w.str(n, v)
	}
}

func (w *objectWriter) num(n string, v int) {
	w.name(n)
	w.buf = strconv.AppendInt(w.buf, int64(v), 10)
}

func (w *objectWriter) flag(n string, v bool) {
	if v {
		w.name(n)
		w.buf = append(w.buf, "true"...)
	}
}

// raw writes a payload, or nothing if there is none.
func (w *objectWriter) raw(n string, v json.RawMessage) {
	if len(v) > 0 {
		w.name(n)
		w.buf = append(w.buf, v...)
	}
}

// time writes a time in UTC with nanoseconds (RFC 3339), or nothing for the zero time.
func (w *objectWriter) time(n string, t time.Time) {
	if !t.IsZero() {
		w.name(n)
		w.buf = append(w.buf, '"')
		w.buf = t.UTC().AppendFormat(w.buf, time.RFC3339Nano)
		w.buf = append(w.buf, '"')
	}
}

// duration writes a duration as text unless it is zero.
func (w *objectWriter) duration(n string, d Duration) {
	if d != 0 {
		w.str(n, time.Duration(d).String())
	}
}

func (w *objectWriter) raws(n string, vs []json.RawMessage) {
	w.name(n)
	w.buf = append(w.buf, '[')
	for i, v := range vs {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		if len(v) == 0 {
			v = json.RawMessage("null")
		}
		w.buf = append(w.buf, v...)
	}
	w.buf = append(w.buf, ']')
}

func (w *objectWriter) strs(n string, vs []string) {
	if len(vs) == 0 {
		return
	}
	w.name(n)
	w.buf = append(w.buf, '[')
	for i, v := range vs {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.buf = appendString(w.buf, v)
	}
	w.buf = append(w.buf, ']')
}

func (w *objectWriter) strMap(n string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	w.name(n)
	w.buf = append(w.buf, '{')
	for i, k := range keys {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.buf = appendString(w.buf, k)
		w.buf = append(w.buf, ':')
		w.buf = appendString(w.buf, m[k])
	}
	w.buf = append(w.buf, '}')
}

func (w *objectWriter) cause(f *Failure) {
	w.name("cause")
	w.open()
	w.str("kind", string(f.Kind))
	w.str("message", f.Message)
	w.optStr("step", f.Step)
	w.optStr("type", f.Type)
	w.optStr("stack", f.Stack)
	w.flag("in_doubt", f.InDoubt)
	if f.RetryAfter != 0 {
		w.str("retry_after", time.Duration(f.RetryAfter).String())
	}
	w.close()
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string (RFC 8259); invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			b = append(append(b, s[start:i]...), "\ufffd"...)
			i++
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// Payload returns the JSON of a value that consists of plain data and payloads, with <, > and & as
// they are; null where a payload is not JSON.
func Payload(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
