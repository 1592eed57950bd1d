package format

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/atonehq/atone/domain/visible"
)

// Command is a request that a person can give in a shell: as a command line of the program,
// and to the API with curl.
type Command struct{ CLI, Curl string }

// StartCommand starts a run as another one was started: of a saga, or with version 0 of a single
// action. The key may be empty. program is how the command line is called.
func StartCommand(program, name string, version int, key string, input json.RawMessage) Command {
	cli, path := []string{program, "start", visible.Word(name)}, "/sagas/"+url.PathEscape(name)+"/runs"
	q := url.Values{}
	if version == 0 {
		cli[1], path = "invoke", "/actions/"+url.PathEscape(name)+"/invoke"
	} else {
		cli = append(cli, "--version", strconv.Itoa(version))
		q.Set("version", strconv.Itoa(version))
	}
	if key != "" {
		cli = append(cli, visible.Word("--key="+key))
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return request(cli, input, path, key, input)
}

// SignalCommand sends a signal to a run.
func SignalCommand(program, run, name string, payload json.RawMessage) Command {
	body := json.RawMessage(`{"name":` + string(quoted(name)))
	if len(payload) > 0 {
		body = append(append(body, `,"payload":`...), payload...)
	}
	return request([]string{program, "signal", run, visible.Word(name)}, payload, "/runs/"+run+"/signal", "", append(body, '}'))
}

func quoted(s string) json.RawMessage {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // not UTF-8: what it has of that is replaced
		b, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\ufffd"))
	}
	return b
}

// maxCommand bounds the body of a command, in bytes: shells take no words of any length.
const maxCommand = 32 << 10

// request writes both forms, the command with its input and the request with its body; neither
// where a word could not be copied from a page as it is, or is too long for a shell. A key goes to
// the API in the header that makes requests safe to repeat.
func request(cli []string, input json.RawMessage, path, key string, body json.RawMessage) Command {
	for _, word := range append(cli, key) {
		if visible.Line(word) != word {
			return Command{}
		}
	}
	if len(body) > maxCommand {
		return Command{}
	}
	curl := []string{"curl", "-X", "POST", `"$ATONE_SERVER"` + visible.Word(path), "-H", `"Authorization: Bearer $ATONE_TOKEN"`}
	if key != "" {
		curl = append(curl, "-H", visible.Word("Idempotency-Key: "+key))
	}
	if len(input) > 0 {
		cli = append(cli, "-d", wordOf(input))
	}
	if len(body) > 0 {
		curl = append(curl, "-H", "'Content-Type: application/json'", "--data-raw", wordOf(body))
	}
	return Command{CLI: strings.Join(cli, " "), Curl: strings.Join(curl, " ")}
}

func wordOf(payload json.RawMessage) string {
	return visible.Word(visible.Text(visible.AsWritten(payload)))
}

// Headline is the first line of a failure's text, shortened. more means that there is more to read.
func Headline(text string) (line string, more bool) {
	line, _, more = strings.Cut(strings.TrimSpace(text), "\n")
	short := Clip(strings.TrimSpace(line), 120)
	return short, more || short != line
}
