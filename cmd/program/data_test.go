package program

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// echo is a program with one action.
func echo() App {
	return App{Name: "echo", Actions: []saga.AnyAction{&saga.Action[string, string]{Name: "say", Effect: saga.NoEffect,
		Do: func(_ context.Context, s string) (string, error) { return s, nil }}}}
}

func TestFilesOfSagasAreChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	require.NoError(t, os.WriteFile(good, []byte("saga: greet\nversion: 1\nsteps:\n  - action: say\n    input: hello\n"), 0o600))
	require.NoError(t, os.WriteFile(bad, []byte("saga: greet\nversion: 1\nsteps:\n  - action: sya\n    input: hello\n  - action: say\n    input: 1\n"), 0o600))
	run := func(args ...string) (Exit, string, string) {
		var out, errs bytes.Buffer
		code := Run(t.Context(), echo(), args, Streams{In: bytes.NewReader(nil), Out: &out, Err: &errs})
		return code, out.String(), errs.String()
	}
	code, out, _ := run("sagas", "check", good)
	require.Equal(t, ExitOK, code)
	require.Contains(t, out, "greet v1 is good: plan ")
	code, out, _ = run("sagas", "check", good, "--json")
	require.Equal(t, ExitOK, code)
	require.Contains(t, out, `"saga": "greet"`)
	code, _, errs := run("sagas", "check", bad)
	require.Equal(t, Exit(1), code)
	require.Contains(t, errs, bad+`:4:13: step sya: no action is called "sya"; did you mean "say"?`)
	require.Contains(t, errs, bad+":7:12: step say: input: it is an integer, not a text")
	code, _, errs = run("serve", "--sagas", dir, "--data", filepath.Join(dir, "data"))
	require.NotEqual(t, ExitOK, code)
	require.Contains(t, errs, "no action is called")
	require.NoDirExists(t, filepath.Join(dir, "data"), "nothing is opened")
	code, _, _ = run("sagas", "check", filepath.Join(dir, "none.yaml"))
	require.NotEqual(t, ExitOK, code)
}

func TestServeRunsTheSagasOfAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "greet.yaml"), []byte("saga: greet\nversion: 1\ninput: {type: string}\nkey: ${ input }\nsteps:\n  - action: say\n    input: hello ${ input }\nreturn: ${ steps.say }\n"), 0o600))
	url, _, _ := serving(t, echo(), t.TempDir(), "--sagas", dir)
	var out bytes.Buffer
	code := Run(t.Context(), echo(), []string{"start", "greet", "-d", `"Ada"`, "--wait", "-q", "--server", url}, Streams{In: bytes.NewReader(nil), Out: &out, Err: io.Discard})
	require.Equal(t, ExitOK, code)
	require.Equal(t, "\"hello Ada\"\n", out.String())
	out.Reset()
	code = Run(t.Context(), echo(), []string{"start", "greet", "-d", `"Ada"`, "--server", url}, Streams{In: bytes.NewReader(nil), Out: &out, Err: io.Discard})
	require.Equal(t, ExitOK, code)
	require.Equal(t, domain.RunIDForKey("greet", "Ada").String(), strings.TrimSpace(out.String()), "the file's key counts, not the one that the command makes up")
}

// TestServeCallsWhatFilesSay: a program without code of its own reaches a REST endpoint, and takes
// back what was done there.
func TestServeCallsWhatFilesSay(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		if r.URL.Path == "/parcels" {
			w.WriteHeader(http.StatusConflict)
			return
		}
		_, _ = io.WriteString(w, `{"id":7}`)
	}))
	t.Cleanup(shop.Close)
	dir, secrets := t.TempDir(), t.TempDir()
	write := func(name, text string) { require.NoError(t, os.WriteFile(name, []byte(text), 0o600)) }
	write(filepath.Join(dir, "charge.yaml"), "action: charge\noutput: {type: object, required: [id], properties: {id: {type: integer}}}\ncall: {method: POST, url: "+
		shop.URL+"/charges, headers: {Authorization: 'Bearer secret://SHOP'}, body: '${ input }'}\nundo: {method: DELETE, url: '"+shop.URL+"/charges/${ output.id }'}\n")
	write(filepath.Join(dir, "send.yaml"), "action: send\neffect: none\ncall: {method: POST, url: "+shop.URL+"/parcels, statuses: {409: refused}}\n")
	write(filepath.Join(dir, "order.yaml"), "saga: order\nversion: 1\nsteps:\n  - action: charge\n    input: {amount: 5}\n  - action: send\nreturn: ${ steps.charge.id }\n")
	app := App{Name: "bare"}
	var errs bytes.Buffer
	code := Run(t.Context(), app, []string{"serve", "--sagas", dir, "--data", filepath.Join(dir, "data")}, Streams{In: bytes.NewReader(nil), Out: io.Discard, Err: &errs})
	require.NotEqual(t, ExitOK, code)
	require.Contains(t, errs.String(), "there is no secret SHOP: put it into a file of that name in the folder of secrets, or into ATONE_SECRET_SHOP")
	write(filepath.Join(secrets, "SHOP"), "s3cret\n")
	url, _, _ := serving(t, app, t.TempDir(), "--sagas", dir, "--secrets", secrets, "--allow-private", "127.0.0.0/8,::1/128")
	errs.Reset()
	code = Run(t.Context(), app, []string{"start", "order", "--wait", "--server", url}, Streams{In: bytes.NewReader(nil), Out: io.Discard, Err: &errs})
	require.Equal(t, ExitCompensated, code, errs.String())
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"POST /charges Bearer s3cret", "POST /parcels ", "DELETE /charges/7 "}, asked)
}
