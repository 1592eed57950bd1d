package saga_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/verdict"
)

// parcel is the input of the runs over the bad network.
type parcel struct {
	N    int
	Fail bool
}

// badnetWorld is the handlers that call a supplier, as somebody in a hurry writes them.
type badnetWorld struct {
	web, mail string // the addresses of the proxies
	plain     *http.Client
	telling   *http.Client // tells what can have reached the server, see [verdict.Client]
	number    atomic.Int64

	mu      sync.Mutex
	denials map[int]string // requests that are said to have done nothing, by number
	said    map[domain.FailureEffect]int
}

func newBadnetWorld(web, mail string) *badnetWorld {
	// Some connections are kept alive, and most are new: each has its own fault.
	transport := &http.Transport{MaxIdleConnsPerHost: 2}
	return &badnetWorld{web: web, mail: mail, plain: &http.Client{Transport: transport}, telling: verdict.Client(&http.Client{Transport: transport}),
		denials: map[int]string{}, said: map[domain.FailureEffect]int{}}
}

// call makes a request about an effect, and returns what its error says.
func (w *badnetWorld) call(ctx context.Context, client *http.Client, method, effect string) error {
	number := int(w.number.Add(1))
	body := strings.NewReader(strings.Repeat("a parcel. ", 1+number%300))
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.web+"/effects", body)
	if err != nil {
		return err
	}
	req.Header.Set("Effect", effect)
	req.Header.Set("Idempotency-Key", saga.AttemptOf(ctx).Key)
	req.Header.Set("Number", strconv.Itoa(number))
	res, err := client.Do(req)
	if err == nil {
		defer res.Body.Close()
		switch {
		case client == w.telling:
			err = verdict.Response(res)
		case res.StatusCode >= 300:
			err = errors.New(res.Status)
		}
		if err == nil {
			_, err = io.ReadAll(res.Body) // a hurried author's plain error, though it is done
		}
	}
	if method == http.MethodPut {
		w.heard(number, effect, err)
	}
	return err
}

// heard notes what the error of a request says, to compare it with what happened to the request.
func (w *badnetWorld) heard(number int, effect string, err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	said, _ := saga.EffectOf(err)
	w.said[said]++
	if said == domain.EffectNotDone {
		w.denials[number] = fmt.Sprintf("%s: %v", effect, err)
	}
}

// stores makes an action that puts an effect at the supplier.
func (w *badnetWorld) stores(name string, client *http.Client) *saga.Action[parcel, parcel] {
	return &saga.Action[parcel, parcel]{Name: name, Timeout: 300 * time.Millisecond, UndoTimeout: 300 * time.Millisecond,
		Retry:     saga.Retry{MaxAttempts: 2, Initial: 5 * time.Millisecond, Max: 50 * time.Millisecond},
		UndoRetry: saga.Retry{MaxAttempts: 3, Initial: 5 * time.Millisecond, Max: 50 * time.Millisecond},
		Do: func(ctx context.Context, in parcel) (parcel, error) {
			if err := w.call(ctx, client, http.MethodPut, saga.AttemptOf(ctx).Key); err != nil {
				return in, err
			}
			return in, nil
		},
		Undo: func(ctx context.Context, did saga.Did[parcel, parcel]) error {
			return w.call(ctx, client, http.MethodDelete, did.Key)
		}}
}

// asks gives an action a probe.
func (w *badnetWorld) asks(a *saga.Action[parcel, parcel]) *saga.Action[parcel, parcel] {
	a.Probe = func(ctx context.Context, in parcel) (saga.Probed[parcel], error) {
		err := w.call(ctx, w.telling, http.MethodGet, saga.AttemptOf(ctx).Key)
		var answer *verdict.StatusError
		if errors.As(err, &answer) && answer.Status == http.StatusNotFound {
			return saga.NotApplied[parcel](), nil
		}
		return saga.Applied(in), err
	}
	return a
}

// mails makes an action that sends a letter.
func (w *badnetWorld) mails(name string) *saga.Action[parcel, parcel] {
	return &saga.Action[parcel, parcel]{Name: name, Effect: saga.Irreversible, Timeout: 300 * time.Millisecond,
		Retry: saga.Retry{MaxAttempts: 4, Initial: 5 * time.Millisecond, Max: 50 * time.Millisecond},
		Do: func(ctx context.Context, in parcel) (parcel, error) {
			return in, w.send(ctx, saga.AttemptOf(ctx).Key)
		}}
}

func (w *badnetWorld) send(ctx context.Context, key string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.mail)
	if err != nil {
		return verdict.SMTP(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	client, err := smtp.NewClient(conn, "mail.example.org")
	if err != nil {
		return verdict.SMTP(err)
	}
	letter := fmt.Sprintf("Message-ID: <%s@example.org>\nSubject: your parcel\n\n%s\n", key, strings.Repeat("It is on its way. ", 60))
	if err := verdict.SendMail(client, "shop@example.org", []string{"ada@example.org"}, []byte(letter)); err != nil {
		return err
	}
	return client.Quit() // in doubt for nothing, and the letter goes out once more
}

// sagas returns the definitions: with an undo, a probe, and an irreversible step at the pivot or
// past it.
func (w *badnetWorld) sagas() []*saga.Saga[parcel, parcel] {
	reserve, charge, ship := w.stores("reserve", w.plain), w.asks(w.stores("charge", w.telling)), w.asks(w.stores("ship", w.plain))
	book, letter := w.stores("book", w.telling), w.mails("letter")
	check := &saga.Action[parcel, parcel]{Name: "check", Effect: saga.NoEffect, Do: func(_ context.Context, in parcel) (parcel, error) {
		if in.Fail {
			return in, saga.Permanent(errRefused)
		}
		return in, nil
	}}
	define := func(name string, build func(f *saga.Flow, in saga.Ref[parcel])) *saga.Saga[parcel, parcel] {
		return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[parcel]) saga.Ref[parcel] {
			build(f, in)
			return saga.Return(f, func(v saga.Scope) parcel { return in.In(v) })
		})
	}
	return []*saga.Saga[parcel, parcel]{
		define("order", func(f *saga.Flow, in saga.Ref[parcel]) {
			saga.Do(f, reserve, in.In)
			saga.Do(f, charge, in.In)
			saga.Do(f, check, in.In)
			saga.Pivot(f)
			saga.Do(f, letter, in.In)
			saga.Do(f, ship, in.In)
		}),
		define("trip", func(f *saga.Flow, in saga.Ref[parcel]) {
			saga.Parallel(f,
				func(f *saga.Flow) { saga.Do(f, book, in.In) },
				func(f *saga.Flow) { saga.Do(f, charge, in.In); saga.Do(f, check, in.In) })
			saga.Do(f, letter, in.In, saga.OnFail(saga.Backward), saga.AcceptDoubt("the post can't be asked"))
		}),
	}
}
