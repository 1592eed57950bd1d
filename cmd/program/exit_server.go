package program

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
)

// exitOfServer returns the code for an error of a request to a server.
func exitOfServer(err error) Exit {
	var p *client.ProblemError
	var unanswered *url.Error
	switch {
	case errors.As(err, &p) && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden || p.Status == http.StatusTooManyRequests):
		return ExitDenied
	case errors.As(err, &p) && p.Status == http.StatusServiceUnavailable, p == nil && errors.As(err, &unanswered):
		return ExitUnreachable
	}
	return ExitError
}

// adviceOfServer says what to do next about such an error.
func adviceOfServer(env *access.Env, err error) string {
	var p *client.ProblemError
	errors.As(err, &p)
	switch {
	case exitOfServer(err) == ExitUnreachable && p == nil:
		return "check --server (or ATONE_SERVER), and that the server runs"
	case exitOfServer(err) == ExitUnreachable:
		return "try again in a moment; GET /health/ready on the server says what the server waits for"
	case p == nil:
		return ""
	case p.Status == http.StatusUnauthorized:
		return "give a valid token in ATONE_TOKEN or --token; an admin makes one with `token create`"
	case p.Status == http.StatusForbidden:
		return "use a token that allows it: an admin makes one with `token create`"
	case p.Status == http.StatusTooManyRequests:
		return "wait a minute: this address sent too many invalid tokens"
	case p.Status >= http.StatusInternalServerError && env.Remote():
		return "the server's log says more"
	case p.Status >= http.StatusInternalServerError:
		return "check that --data is the right directory, that you may write there, and that the disk is not full"
	}
	return ""
}
