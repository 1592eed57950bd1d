package once

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Field is the field of a form that has its id, which is made when the form is drawn.
const Field = "once"

const (
	// maxKept is how many forms are remembered; the oldest are forgotten.
	maxKept = 2_000
	// maxID bounds an id, in bytes.
	maxID = 100
	// maxAnswer is how long an answer may be, in bytes, that is kept though the form was refused.
	maxAnswer = 32 << 10
	// patience is how long a form may take that nobody waits for any more.
	patience = 2 * time.Minute
)

// Book has the forms that were sent. Its zero value is empty. It is safe for concurrent use.
type Book struct {
	mu    sync.Mutex
	forms map[string]*form
	order []string // of forms, the oldest first
}

// form is a form that was sent. Its other fields may be read once done is closed.
type form struct {
	fields [sha256.Size]byte
	done   chan struct{}
	answer *answer // nil if there is none
}

// Serve answers a form that the person has sent with the answer of do, which must not change what
// it is given. A form that is sent again while the first is carried out waits for that; where the
// first was answered, its answer is given again. A form that was refused, and is filled in
// otherwise, is carried out. do goes on where the browser leaves, so that its answer is known.
func (b *Book) Serve(person string, w http.ResponseWriter, r *http.Request, do func(http.ResponseWriter, *http.Request)) {
	id := r.PostFormValue(Field)
	if id == "" || len(id) > maxID {
		do(w, r)
		return
	}
	id = person + "\x00" + r.URL.Path + "\x00" + id
	fields := sha256.Sum256([]byte(without(r.PostForm).Encode()))
	for {
		f, first := b.take(id, fields)
		if first {
			b.carryOut(f, r, do)
			f.answer.send(w)
			if f.answer.body.Len() > maxAnswer && !f.answer.done() {
				b.forget(id, f)
			}
			return
		}
		select {
		case <-f.done:
		case <-r.Context().Done():
			return
		}
		if a := f.answer; a != nil && (a.done() || a.told() && f.fields == fields) {
			a.again().send(w)
			return
		}
		b.forget(id, f)
	}
}

// without returns the fields but the id.
func without(fields url.Values) url.Values {
	out := make(url.Values, len(fields))
	for name, values := range fields {
		if name != Field {
			out[name] = values
		}
	}
	return out
}

// take returns the form with the id; first means that it was not sent before.
func (b *Book) take(id string, fields [sha256.Size]byte) (f *form, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f = b.forms[id]; f != nil {
		return f, false
	}
	if b.forms == nil {
		b.forms = make(map[string]*form)
	}
	f = &form{fields: fields, done: make(chan struct{})}
	b.forms[id], b.order = f, append(b.order, id)
	for len(b.order) > maxKept {
		delete(b.forms, b.order[0])
		b.order = b.order[1:]
	}
	return f, true
}

// forget forgets a form, so that it can be carried out.
func (b *Book) forget(id string, f *form) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.forms[id] == f {
		delete(b.forms, id)
	}
}

// carryOut carries the form out and keeps the answer. A panic leaves none, and goes on.
func (b *Book) carryOut(f *form, r *http.Request, do func(http.ResponseWriter, *http.Request)) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	a := &answer{head: make(http.Header)}
	do(a, r.WithContext(ctx))
	f.answer = a
}
