package story

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/visible"
)

// Format is how a story is written.
type Format string

// The formats of a story.
const (
	FormatText   Format = "text"   // a timeline for people
	FormatJSON   Format = "json"   // one JSON object
	FormatNDJSON Format = "ndjson" // one JSON object for each row
	FormatCSV    Format = "csv"    // RFC 4180, with a header
)

// Write writes the story in a format. Times in text are in the location; nil is UTC.
func (s *Story) Write(w io.Writer, f Format, loc *time.Location) error {
	var err error
	switch f {
	case FormatText:
		err = s.writeText(w, loc)
	case FormatJSON:
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(s)
	case FormatNDJSON:
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		for i := 0; i < len(s.Lines) && err == nil; i++ {
			err = enc.Encode(&s.Lines[i])
		}
	case FormatCSV:
		err = s.writeCSV(w)
	default:
		return fmt.Errorf("a story has no format %q: use text, json, ndjson or csv", f)
	}
	if err != nil {
		return fmt.Errorf("write the story of run %s: %w", s.Run, err)
	}
	return nil
}

func (s *Story) writeText(w io.Writer, loc *time.Location) error {
	head := fmt.Sprintf("%s v%d  run %s  %s", visible.Line(s.Saga), s.Version, s.Run, s.Standing.Shown(s.State))
	if !s.Ended.IsZero() {
		head += " after " + Short(s.Ended.Sub(s.Started))
	}
	head += "  times in " + s.zone(loc)
	if _, err := fmt.Fprintln(w, head); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range s.Lines {
		if _, err := fmt.Fprintln(tw, s.Lines[i].Text(loc)); err != nil {
			return err
		}
	}
	return tw.Flush()
}

// zone names the zone of the lines' times: more than one where the clock was changed between them.
func (s *Story) zone(loc *time.Location) string {
	var zones []string
	for i := range s.Lines {
		if zone := s.Lines[i].At.In(cmp.Or(loc, time.UTC)).Format("MST"); !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	return strings.Join(zones, " and ")
}

// In returns the line with the instants of its error and note in the location.
func (r *Line) In(loc *time.Location) Line {
	line := *r
	write := func(at time.Time) string { return at.In(loc).Format("2006-01-02 15:04:05 MST") }
	line.Error, line.Note = visible.Instants(r.Error, write), visible.Instants(r.Note, write)
	return line
}

// Text returns the row as one line of a timeline: time, offset, step, what happened, how long it
// took, and details, separated by tabs. Times are in the location; nil is UTC. Hidden characters
// are written out, so that a payload can't control the terminal.
func (r *Line) Text(loc *time.Location) string {
	if loc == nil {
		loc = time.UTC
	}
	step := r.Step
	if r.Direction != "" && r.Direction != domain.Do {
		step = string(r.Direction) + " " + step
	}
	what := r.What
	if r.Attempt > 0 {
		what += " #" + strconv.Itoa(r.Attempt)
	}
	took := ""
	switch {
	case r.Took > 0:
		took = Short(r.Took)
	case r.Waited > 0:
		took = "after " + Short(r.Waited)
	}
	var details []string
	add := func(label, s string) {
		if s != "" {
			details = append(details, label+s)
		}
	}
	if r.Action != "" && !strings.HasSuffix(r.Step, r.Action) {
		add("", r.Action)
	}
	local := r.In(loc)
	add("error: ", local.Error)
	add("", local.Note)
	add("by ", r.Actor)
	add("in ", cut(r.Input))
	add("out ", cut(r.Output))
	cells := []string{r.At.In(loc).Format("2006-01-02 15:04:05.000"), "+" + Short(r.Offset), step, what, took, strings.Join(details, "; ")}
	for i := range cells {
		cells[i] = visible.Line(cells[i])
	}
	return strings.Join(cells, "\t")
}

// longPayload is the length above which a timeline cuts a payload.
const longPayload = 200

func cut(payload json.RawMessage) string {
	s := visible.AsWritten(payload)
	if len(s) > longPayload {
		return strings.ToValidUTF8(s[:longPayload], "") + "…"
	}
	return s
}

var csvHeader = []string{"revision", "at", "offset_ms", "what", "step", "direction", "attempt", "action", "actor", "took_ms", "waited_ms", "error", "note", "input", "output"}

func (s *Story) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	for _, r := range s.Lines {
		attempt := ""
		if r.Attempt > 0 {
			attempt = strconv.Itoa(r.Attempt)
		}
		err := out.Write([]string{strconv.FormatUint(r.Revision, 10), r.At.UTC().Format(time.RFC3339Nano), millis(r.Offset), cell(r.What), cell(r.Step),
			string(r.Direction), attempt, cell(r.Action), cell(r.Actor), millis(r.Took), millis(r.Waited), cell(r.Error), cell(r.Note), cell(string(r.Input)), cell(string(r.Output))})
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func millis(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64)
}

// cell prevents a spreadsheet from reading a text as a formula, and writes hidden characters out.
func cell(s string) string {
	s = visible.Text(s)
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
