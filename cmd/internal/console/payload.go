package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// ReadPayload reads the value of -d: JSON, @FILE, or - for standard input. An empty text means no
// payload and returns nil.
func (c *Console) ReadPayload(given string) (json.RawMessage, error) {
	raw := []byte(given)
	var err error
	switch file, isFile := strings.CutPrefix(given, "@"); {
	case given == "":
		return nil, nil
	case given == "-":
		raw, err = readBounded(c.In)
	case isFile:
		raw, err = readFile(file)
	}
	if err != nil {
		return nil, UsageError{Err: fmt.Errorf("read the payload: %w", err)}
	}
	switch err := accept.Payload("the payload", raw); {
	case len(raw) == 0:
		return nil, UsageError{Err: errors.New("the payload is empty: give JSON, or leave out the flag")}
	case err != nil && !json.Valid(raw) && given == string(raw) && len(raw) <= domain.MaxAppendSize:
		return nil, UsageError{Err: fmt.Errorf("%w: %.60q: quote it for the shell: -d '{\"name\": \"value\"}'", err, raw)}
	case err != nil:
		return nil, UsageError{Err: err}
	}
	return raw, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	raw, err := readBounded(f)
	return raw, errors.Join(err, f.Close())
}

// readBounded reads at most one byte more than a payload may have, so that callers notice a payload
// that is too large.
func readBounded(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, domain.MaxAppendSize+1))
}
