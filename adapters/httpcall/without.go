package httpcall

import (
	"errors"
	"fmt"
	"net/url"

	"code.dny.dev/ssrf"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data"
)

// without is an error of a call without the query of its address, which may hold what nobody else
// should read.
func without(call data.Call, err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	where := *call.URL
	where.RawQuery = ""
	err = fmt.Errorf("%s %s: %w", call.Method, &where, err)
	if errors.Is(err, ssrf.ErrProhibitedIP) {
		return saga.Permanent(fmt.Errorf("%w (the address is not public: who runs this program may allow it)", err))
	}
	return err
}
