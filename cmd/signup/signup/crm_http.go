package signup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// HTTPCRM is a CRM behind an HTTP interface: PUT and DELETE /contacts/ID.
type HTTPCRM struct {
	// URL is where the CRM is, without a slash at the end.
	URL string
	// Client makes the calls; nil means [http.DefaultClient].
	Client *http.Client
}

// Put implements [CRM].
func (h *HTTPCRM) Put(ctx context.Context, key string, c Contact) error {
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("put contact: %w", err)
	}
	return h.call(ctx, http.MethodPut, key, c.ID, body)
}

// Delete implements [CRM].
func (h *HTTPCRM) Delete(ctx context.Context, key, id string) error {
	return h.call(ctx, http.MethodDelete, key, id, nil)
}

func (h *HTTPCRM) call(ctx context.Context, method, key, id string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, h.URL+"/contacts/"+url.PathEscape(id), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("crm: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	client := h.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		var long *url.Error // its text repeats the URL, which tells an audit nothing
		if errors.As(err, &long) {
			err = long.Err
		}
		return fmt.Errorf("crm: no answer: %w", err)
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("crm: %w", err)
	}
	switch {
	case res.StatusCode < 300, method == http.MethodDelete && res.StatusCode == http.StatusNotFound:
		return nil
	case res.StatusCode == http.StatusUnprocessableEntity:
		return fmt.Errorf("crm: %s: %w", strings.TrimSpace(string(said)), ErrRejected)
	}
	return fmt.Errorf("crm: %s: %s", res.Status, strings.TrimSpace(string(said)))
}
