package killtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// lines is a file of JSON values, one a line, that several processes may append to. A kill may
// leave a line unfinished, where a write crosses a page. A line therefore begins with a line end,
// too: what follows an unfinished line is whole, and what the unfinished line was to say did not
// happen yet.
type lines[T any] struct {
	mu   sync.Mutex
	file *os.File
	read int64 // up to here more has read
}

func openLines[T any](name string) (*lines[T], error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &lines[T]{file: f}, nil
}

// add appends a value.
func (l *lines[T]) add(value T) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.file.Write(append(append([]byte{'\n'}, b...), '\n'))
	return err
}

// more calls f with each value that more has not read yet.
func (l *lines[T]) more(f func(T)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := bufio.NewReader(io.NewSectionReader(l.file, l.read, 1<<62))
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what has no end yet is read later
		}
		if err != nil {
			return err
		}
		l.read += int64(len(line))
		if line = bytes.TrimSpace(line); len(line) == 0 || line[len(line)-1] != '}' {
			continue // a kill cut it short
		}
		var value T
		if err := json.Unmarshal(line, &value); err != nil {
			return fmt.Errorf("%s: the line %q: %w", l.file.Name(), line, err)
		}
		f(value)
	}
}

// all returns every value of a file.
func all[T any](name string) (values []T, err error) {
	l, err := openLines[T](name)
	if err != nil {
		return nil, err
	}
	defer l.file.Close()
	err = l.more(func(value T) { values = append(values, value) })
	return values, err
}
