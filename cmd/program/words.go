package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
)

// request matches the beginning of errors from the API.
var request = regexp.MustCompile(`(GET|POST|DELETE) /\S*: `)

// words returns an error's text without the API request and its status, which the person did not
// type. With --verbose it keeps them.
func words(env *access.Env, err error) string {
	var p *client.ProblemError
	var failed *url.Error
	text := err.Error()
	switch {
	case env.Verbose:
		return text
	case errors.As(err, &failed):
		return unansweredWords(env, err, failed)
	case !errors.As(err, &p):
		return text
	}
	if p.Detail == auth.ErrNoCredentials.Error() { // which says how a header is written
		return "the server wants a token, and none is given"
	}
	text = strings.ReplaceAll(request.ReplaceAllString(text, ""), fmt.Sprintf(" (HTTP %d)", p.Status), "")
	if run := env.TypedOnly(); run != "" && !strings.Contains(env.AsTyped(text), run) {
		text = run + ": " + text
	}
	return text
}

// unansweredWords says why a request to a server has no answer, and whether it may have been done.
func unansweredWords(env *access.Env, err error, failed *url.Error) string {
	server := "the server"
	if u, bad := url.Parse(failed.URL); bad == nil {
		server = u.Scheme + "://" + u.Host
	}
	var broken *net.OpError
	var silent *client.SilentError
	var text string
	switch {
	case errors.Is(err, context.Canceled):
		text = "interrupted"
	case errors.As(err, &silent):
		text = fmt.Sprintf("%s has not answered for %v", server, silent.For)
	case errors.As(err, &broken) && broken.Op == "dial":
		text = fmt.Sprintf("no server answers at %s: %v", server, broken.Err)
	default:
		text = fmt.Sprintf("the connection to %s broke: %v", server, failed.Err)
	}
	if errors.Is(err, client.ErrMayBeDone) {
		return text + ": " + env.DoubtOf().What
	}
	return text
}
