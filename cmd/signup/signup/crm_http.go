package signup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/verdict"
)

// HTTPCRM is a CRM behind an HTTP interface: PUT and DELETE /contacts/ID.
type HTTPCRM struct {
	// URL is the CRM's address, without a slash at the end.
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
	// The client's errors say whether the request can have arrived. verdict.Response says what an
	// answer means.
	res, err := verdict.Client(h.Client).Do(req)
	if err != nil {
		var long *url.Error // its text repeats the URL, which is no use in an audit
		if errors.As(err, &long) {
			err = long.Err
		}
		return fmt.Errorf("crm: no answer: %w", err)
	}
	defer res.Body.Close()
	if method == http.MethodDelete && res.StatusCode == http.StatusNotFound {
		return nil
	}
	err = verdict.Response(res)
	if err == nil {
		return nil
	}
	// A 422 that is in doubt answers a copy of the request: the first one may have been stored.
	var answer *verdict.StatusError
	_, refused := saga.EffectOf(err)
	if refused && errors.As(err, &answer) && answer.Status == http.StatusUnprocessableEntity {
		return fmt.Errorf("crm: %s: %w", answer.Body, ErrRejected)
	}
	return fmt.Errorf("crm: %w", err)
}
