package httpcall_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	webhook "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/atonehq/atone/adapters/httpcall"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data"
)

const token = "s3cr3t-token-of-the-bank"

// bank is another company's server: it charges cards, once a key.
type bank struct {
	*httptest.Server
	mu      sync.Mutex
	charges map[string]string // idempotency key → path
	seen    []*http.Request
	bodies  []string
	answer  func(w http.ResponseWriter, r *http.Request) bool // true if it has answered
}

func newBank(t *testing.T) *bank {
	t.Helper()
	b := &bank{charges: map[string]string{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen, b.bodies = append(b.seen, r), append(b.bodies, string(body))
	if b.answer != nil && b.answer(w, r) {
		return
	}
	key := r.Header.Get("Idempotency-Key")
	of := strings.TrimPrefix(r.URL.Path, "/by-key/")
	switch r.Method {
	case http.MethodPost:
		b.charges[key] = r.URL.EscapedPath()
		fmt.Fprintf(w, `{"id":"ch-%d","amount":%d}`, len(b.charges), 7)
	case http.MethodDelete:
		if b.charges[of] == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		delete(b.charges, of)
	default:
		if b.charges[of] == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, `{"id":"found"}`)
	}
}

func (b *bank) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.charges)
}

const charge = `action: charge-card
description: Charges a card at the bank
input: {type: object, required: [customer, amount], properties: {customer: {type: string}, amount: {type: integer}, note: {type: string}, card: {type: string, x-secret: true}}}
output: {type: object, required: [id], properties: {id: {type: string}}}
retry: {maxAttempts: 3, initial: 1ms}
undoRetry: {maxAttempts: 3, initial: 1ms}
timeout: TIMEOUT
call:
  method: POST
  url: BANK/customers/${ input.customer }/charges
  query: {note: "${ input.?note }"}
  headers: {Authorization: Bearer secret://BANK_TOKEN}
  body: {amount: "${ input.amount }", reference: "${ key }"}
  return: {id: "${ answer.body.id }"}
undo: {method: DELETE, url: "BANK/by-key/${ key }", statuses: {404: done}}
probe: {method: GET, url: "BANK/by-key/${ key }", statuses: {404: notApplied}, return: {id: "${ answer.body.id }"}}
`

const shop = `saga: shop
version: 1
input: {type: object, required: [customer, amount], properties: {customer: {type: string}, amount: {type: integer}, bad: {type: boolean}}}
steps:
  - action: charge-card
    input: {customer: "${ input.customer }", amount: "${ input.amount }"}
  - if: ${ has(input.bad) && input.bad }
    then: [{reject: the shop is closed}]
return: {charge: "${ steps.charge_card.id }"}
`

func secrets(name string) (string, error) {
	if name == "BANK_TOKEN" {
		return token, nil
	}
	return "", errors.New("there is no secret " + name)
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func files(b *bank, timeout string) []data.File {
	text := strings.NewReplacer("BANK", b.URL, "TIMEOUT", timeout).Replace(charge)
	text = strings.ReplaceAll(text, b.URL+"_TOKEN", "BANK_TOKEN")
	return []data.File{{Name: "charge.yaml", Text: []byte(text)}, {Name: "shop.yaml", Text: []byte(shop)}}
}

// running runs files on a log in memory. The saga is that of the files, if there is one.
func running(t *testing.T, c httpcall.Config, files ...data.File) (*saga.Coordinator, *data.Saga) {
	t.Helper()
	set, err := data.Parse(data.Uses{Calls: httpcall.New(c)}, files...)
	require.NoError(t, err)
	co, err := saga.New(saga.Config{Log: memlog.New(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, co.RegisterActions(set.Actions...))
	var first *data.Saga
	for _, s := range set.Sagas {
		require.NoError(t, co.Register(s))
		first = s
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- co.Run(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	<-co.Ready()
	return co, first
}

// open runs the shop.
func open(t *testing.T, b *bank, c httpcall.Config, timeout string) (*saga.Coordinator, *data.Saga) {
	t.Helper()
	if c.Secrets == nil {
		c.Secrets = secrets
	}
	return running(t, c, files(b, timeout)...)
}

func TestAnActionOfAFileIsAnHTTPCall(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	c, s := open(t, b, httpcall.Config{AllowPrivate: loopback}, "1m")
	run, err := saga.Start(t.Context(), c, s, json.RawMessage(`{"customer":"a/../b c?","amount":7}`))
	require.NoError(t, err)
	out, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"charge":"ch-1"}`, string(out))
	r := b.seen[0]
	assert.Equal(t, "/customers/a%2F..%2Fb%20c%3F/charges", r.URL.EscapedPath(), "a value fills one segment")
	assert.Empty(t, r.URL.RawQuery, "a note that is not there is left out")
	assert.Equal(t, "Bearer "+token, r.Header.Get("Authorization"))
	assert.NotEmpty(t, r.Header.Get("Idempotency-Key"))
	assert.JSONEq(t, fmt.Sprintf(`{"amount":7,"reference":%q}`, r.Header.Get("Idempotency-Key")), b.bodies[0])

	_, err = c.StartByName(t.Context(), "shop", 0, json.RawMessage(`{"customer":"a"}`))
	require.ErrorIs(t, err, saga.ErrBadInput)
	run, err = saga.Start(t.Context(), c, s, json.RawMessage(`{"customer":"kim","amount":7,"bad":true}`))
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	var undone *saga.CompensatedError
	require.ErrorAs(t, err, &undone)
	require.Equal(t, 1, b.left(), "the second charge is taken back, under its key")
}

// TestAnswersMeanWhatTheyCanMean: what the bank answers, and what becomes of the run and of the
// charge.
func TestAnswersMeanWhatTheyCanMean(t *testing.T) {
	t.Parallel()
	first := func(n *int, f func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || *n > 0 {
				return false
			}
			*n++
			f(w)
			return true
		}
	}
	always := func(f func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			f(w, r)
			return true
		}
	}
	var torn, busy, moved, closed int
	for name, c := range map[string]struct {
		answer func(*bank) func(http.ResponseWriter, *http.Request) bool
		says   string // of the failure; empty for a success
		left   int
	}{
		"refused": {func(*bank) func(http.ResponseWriter, *http.Request) bool {
			return always(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "card gone "+token, http.StatusPaymentRequired)
			})
		}, "402 Payment Required: card gone secret://BANK_TOKEN", 0},
		"busy, then done": {func(*bank) func(http.ResponseWriter, *http.Request) bool {
			return first(&busy, func(w http.ResponseWriter) {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
			})
		}, "", 1},
		"moved, then done": {func(*bank) func(http.ResponseWriter, *http.Request) bool {
			return first(&moved, func(w http.ResponseWriter) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(http.StatusTemporaryRedirect)
			})
		}, "", 1},
		"closed, then done": {func(*bank) func(http.ResponseWriter, *http.Request) bool {
			return first(&closed, func(http.ResponseWriter) { panic(http.ErrAbortHandler) })
		}, "", 1},
		"done, but the answer is torn": {func(b *bank) func(http.ResponseWriter, *http.Request) bool {
			return first(&torn, func(w http.ResponseWriter) {
				b.charges[b.seen[0].Header.Get("Idempotency-Key")] = "x"
				w.Header().Set("Content-Length", "100")
				fmt.Fprint(w, `{"id":`)
			})
		}, "", 1},
		"done, with an answer that fits nothing": {func(b *bank) func(http.ResponseWriter, *http.Request) bool {
			return always(func(w http.ResponseWriter, r *http.Request) {
				b.charges[r.Header.Get("Idempotency-Key")] = "x"
				fmt.Fprint(w, `{"id":5}`)
			})
		}, "", 1}, // the probe finds it
		"done, with an answer without end": {func(b *bank) func(http.ResponseWriter, *http.Request) bool {
			return always(func(w http.ResponseWriter, r *http.Request) {
				b.charges[r.Header.Get("Idempotency-Key")] = "x"
				chunk := bytes.Repeat([]byte("a"), 1<<16)
				for range 1 << 14 { // a gigabyte, if somebody reads it
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			})
		}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBank(t)
			b.Config.ErrorLog = nil
			b.answer = c.answer(b)
			co, s := open(t, b, httpcall.Config{AllowPrivate: loopback}, "1m")
			run, err := saga.Start(t.Context(), co, s, json.RawMessage(`{"customer":"kim","amount":7}`))
			require.NoError(t, err)
			_, err = run.Wait(t.Context())
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
				require.NotContains(t, err.Error(), token, "secrets are not told")
			}
			require.Equal(t, c.left, b.left())
			for _, r := range b.seen {
				require.NotEqual(t, "/elsewhere", r.URL.Path, "redirects are not followed")
			}
		})
	}
}

// TestABankThatHangsLeavesDoubt: the attempt times out, and the probe finds what was done.
func TestABankThatHangsLeavesDoubt(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	hung := make(chan struct{})
	t.Cleanup(func() { close(hung) })
	times := 0
	b.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if times++; times > 1 {
			return false
		}
		b.charges[r.Header.Get("Idempotency-Key")] = "x"
		b.mu.Unlock()
		defer b.mu.Lock()
		select {
		case <-hung:
		case <-r.Context().Done():
		}
		return true
	}
	c, s := open(t, b, httpcall.Config{AllowPrivate: loopback}, "3s")
	run, err := saga.Start(t.Context(), c, s, json.RawMessage(`{"customer":"kim","amount":7}`))
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, b.left())
}

func TestPrivateAddressesAreRefusedWhenTheyAreDialled(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	_, port, err := net.SplitHostPort(b.Listener.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"} {
		named := &bank{Server: &httptest.Server{URL: "http://" + host + ":" + port}}
		c, s := open(t, named, httpcall.Config{}, "1m")
		run, err := saga.Start(t.Context(), c, s, json.RawMessage(`{"customer":"kim","amount":7}`))
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.ErrorContains(t, err, "not public", host)
		var undone *saga.CompensatedError
		require.ErrorAs(t, err, &undone, "nothing was done: %s", host)
	}
	require.Empty(t, b.seen)
}

func TestASecretThatIsMissingIsSaidAtTheStart(t *testing.T) {
	t.Parallel()
	b, dir := newBank(t), t.TempDir()
	of := httpcall.SecretsOf(dir, func(name string) string { return map[string]string{"ATONE_SECRET_OTHER": "x"}[name] })
	parse := func() error {
		_, err := data.Parse(data.Uses{Calls: httpcall.New(httpcall.Config{Secrets: of})}, files(b, "1m")...)
		return err
	}
	require.ErrorContains(t, parse(), "charge.yaml:9:3: call: there is no secret BANK_TOKEN: put it into a file of that name in the folder of secrets, or into ATONE_SECRET_BANK_TOKEN")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "BANK_TOKEN"), []byte("a\nb\n"), 0o600))
	require.ErrorContains(t, parse(), "has more than one line")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "BANK_TOKEN"), []byte(token+"\n"), 0o600))
	require.NoError(t, parse())
	value, err := of("BANK_TOKEN")
	require.NoError(t, err)
	require.Equal(t, token, value)
	value, err = of("OTHER")
	require.NoError(t, err)
	require.Equal(t, "x", value)
}

// TestACallIsSigned checks it with the library of those who receive such calls.
func TestACallIsSigned(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	hook, err := webhook.NewWebhook(secret)
	require.NoError(t, err)
	b := newBank(t)
	text := fmt.Sprintf("action: tell\neffect: irreversible\ncall: {method: POST, url: %q, sign: 'secret://HOOK', form: {a: '${ input }', gone: null}}\n", b.URL+"/told")
	secrets := func(string) (string, error) { return secret, nil }
	co, _ := running(t, httpcall.Config{AllowPrivate: loopback, Secrets: secrets}, data.File{Name: "tell.yaml", Text: []byte(text)})
	id, err := co.InvokeByName(t.Context(), "tell", json.RawMessage(`"x & y"`))
	require.NoError(t, err)
	_, err = co.Wait(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "a=x+%26+y", b.bodies[0])
	require.NoError(t, hook.Verify([]byte(b.bodies[0]), b.seen[0].Header))
	require.Error(t, hook.Verify([]byte("a=z"), b.seen[0].Header))

}

// town is the three companies of the examples: a bank, a CRM and a chat.
type town struct {
	mu       sync.Mutex
	charges  map[string]string
	notes    map[string]string
	messages []string
	crm      int // what the CRM answers to a note, if it is not 0
}

func (w *town) ServeHTTP(res http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/charges"):
		w.charges[r.Header.Get("Idempotency-Key")] = string(body)
		fmt.Fprint(res, `{"id":"ch-1"}`)
	case strings.HasPrefix(path, "/v1/charges/by-key/"):
		delete(w.charges, strings.TrimPrefix(path, "/v1/charges/by-key/"))
	case strings.Contains(path, "/notes/") && r.Method == http.MethodPut:
		if w.crm != 0 {
			res.WriteHeader(w.crm)
			return
		}
		w.notes[path] = string(body)
	case strings.Contains(path, "/notes/"):
		delete(w.notes, path)
	case strings.HasSuffix(path, "/messages"):
		w.messages = append(w.messages, string(body))
	default:
		res.WriteHeader(http.StatusNotFound)
	}
}

// TestTheExamplesCallTheirCompanies runs the examples' files, with the addresses of fakes.
func TestTheExamplesCallTheirCompanies(t *testing.T) {
	t.Parallel()
	w := &town{charges: map[string]string{}, notes: map[string]string{}}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	names, err := filepath.Glob("examples/*.yaml")
	require.NoError(t, err)
	require.Len(t, names, 4)
	var all []data.File
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, host := range []string{"pay", "crm", "chat"} {
			text = bytes.ReplaceAll(text, []byte("https://"+host+".example.com"), []byte(server.URL))
		}
		all = append(all, data.File{Name: name, Text: text})
	}
	secret := func(string) (string, error) { return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", nil }
	c, s := running(t, httpcall.Config{AllowPrivate: loopback, Secrets: secret}, all...)

	run, err := saga.Start(t.Context(), c, s, json.RawMessage(`{"customer":"kim","hours":2}`))
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`{"text":"kim has 2 hours of support"}`}, w.messages)
	require.Len(t, w.notes, 1)
	require.Len(t, w.charges, 1)

	w.mu.Lock()
	w.crm = http.StatusForbidden
	w.mu.Unlock()
	run, err = saga.Start(t.Context(), c, s, json.RawMessage(`{"customer":"ada","hours":1}`))
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	var undone *saga.CompensatedError
	require.ErrorAs(t, err, &undone)
	require.Len(t, w.charges, 1, "Ada's charge is taken back")
	require.Len(t, w.messages, 1)
}
