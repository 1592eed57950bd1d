package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// TestARunIsNamedByItsKeyOrTheEndOfItsId wherever its id does: to look, to wait and to steer.
func TestARunIsNamedByItsKeyOrTheEndOfItsId(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	var res wire.Result
	w.do("POST", "/sagas/signup/runs?wait=10s", form{Email: "ann"}, "Idempotency-Key", "a/b c").is(200).into(&res)
	w.do("GET", fmt.Sprintf("/runs?at_least=%d", w.position()), nil).is(200)
	id := res.Run.String()
	for _, name := range []string{id, "signup:a%2Fb%20c", id[len(id)-6:], id[len(id)-12:], strings.ToUpper(id[len(id)-8:])} {
		for _, rest := range []string{"", "/why", "/result", "/events", "/audit", "/undo-preview", "/outlook"} {
			a := w.do("GET", "/runs/"+name+rest, nil).is(200)
			if rest == "" {
				var run wire.Run
				a.into(&run)
				require.Equal(t, res.Run, run.ID, name)
			}
		}
		w.do("POST", "/runs/"+name+"/cancel", map[string]string{"reason": "late"}).is(409)
	}
	w.do("GET", "/runs/signup:none", nil).is(404)
	w.do("GET", "/runs/ffffff", nil).is(404)
	for _, bad := range []string{"12345", "signup:", "nonsense", "%00", "..%2F..%2Fhealth"} {
		w.do("GET", "/runs/"+bad, nil).is(422)
	}
}

// TestWhoMayNotReadLearnsOfNoRunByTheEndOfItsId though it exists.
func TestWhoMayNotReadLearnsOfNoRunByTheEndOfItsId(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	var res wire.Result
	w.do("POST", "/sagas/signup/runs?wait=10s", form{Email: "ann"}).is(200).into(&res)
	w.do("GET", fmt.Sprintf("/runs?at_least=%d", w.position()), nil).is(200)
	end := res.Run.String()[28:]
	w.do("GET", "/runs/"+end, nil).is(200)
	w.as(w.token("other", []auth.Scope{auth.Read}, "another")).do("GET", "/runs/"+end, nil).is(404)
	w.as(w.token("starter", []auth.Scope{auth.Start})).do("GET", "/runs/"+end+"/result", nil).is(404)
	w.as("").do("GET", "/runs/"+end, nil).is(401)
}
