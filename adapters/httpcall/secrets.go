package httpcall

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/atonehq/atone/saga/data"
)

// SecretsOf returns secrets that are files of a folder, each with the name of its secret, or
// variables of the environment, ATONE_SECRET_NAME. The folder may be empty. They are read at each
// call, so that they can be changed while the program runs. A line break at the end does not count.
func SecretsOf(folder string, env func(string) string) func(name string) (string, error) {
	return func(name string) (string, error) {
		if folder != "" {
			raw, err := os.ReadFile(filepath.Join(folder, filepath.Base(name)))
			switch {
			case err == nil:
				return trimmed(name, string(raw))
			case !errors.Is(err, os.ErrNotExist):
				return "", fmt.Errorf("secret %s: %w", name, err)
			}
		}
		if value := env("ATONE_SECRET_" + name); value != "" {
			return trimmed(name, value)
		}
		return "", fmt.Errorf("there is no secret %s: put it into a file of that name in the folder of secrets, or into ATONE_SECRET_%s", name, name)
	}
}

// trimmed returns a secret that can stand in a header.
func trimmed(name, value string) (string, error) {
	value = strings.TrimRight(value, "\r\n")
	if value == "" || strings.ContainsAny(value, "\r\n\x00") {
		return "", fmt.Errorf("secret %s is empty, or has more than one line", name)
	}
	return value, nil
}

var reference = regexp.MustCompile(`secret://([A-Z][A-Z0-9_]{0,63})`)

// secret returns the secret of a reference.
func (c *Caller) secret(ref string) (string, error) {
	return c.config.Secrets(strings.TrimPrefix(ref, "secret://"))
}

// secrets returns the headers of a call with its secrets in them, and the references of the
// secrets.
func (c *Caller) secrets(call data.Call) (header http.Header, hidden map[string]string, err error) {
	header, hidden = http.Header{"Accept": {"application/json"}, "User-Agent": {"atone"}}, map[string]string{}
	find := func(ref string) string {
		value, missing := c.secret(ref)
		if missing != nil {
			err = missing
			return ""
		}
		hidden[value] = ref
		return value
	}
	for name, value := range call.Header {
		header.Set(name, reference.ReplaceAllStringFunc(value, find))
	}
	if call.Sign != "" {
		find(call.Sign)
	}
	return header, hidden, err
}
