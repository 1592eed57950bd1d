package look

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// redraw is how often a watched table is redrawn without a change, because ages grow.
const redraw = 5 * time.Second

// watchRuns shows a list of runs and its changes until ctx ends, which is no error. A terminal
// shows the table; programs get a line of JSON for each change.
func watchRuns(ctx context.Context, env *access.Env, c *client.Client, text string, f runs.Filter) error {
	lines := env.Output == console.FormatJSON || env.Output == console.FormatNDJSON
	if _, _, terminal := tty.Size(env.Out); !terminal && !lines {
		return console.UsageError{Err: errors.New("--watch needs a terminal: elsewhere give -o ndjson, which writes a line of JSON for each change")}
	}
	following, stop := context.WithCancel(ctx)
	news := make(chan client.RunsChange)
	failed := make(chan error, 1)
	go func() {
		var err error
		for change, e := range c.FollowRuns(following, text, f) {
			if err = e; err != nil {
				break
			}
			select {
			case news <- change:
			case <-following.Done():
			}
		}
		failed <- err
		close(news)
	}()
	defer func() {
		stop()
		for range news { // until the stream is closed
		}
	}()
	w := watched{env: env, limit: f.Limit}
	lost := make(chan struct{}, 1)
	if !lines {
		env.OnLost(func() {
			select {
			case lost <- struct{}{}:
			default: // it is to be drawn already
			}
		})
		defer env.OnLost(nil)
	}
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case change, ok := <-news:
			if !ok {
				if err := <-failed; ctx.Err() == nil {
					return err
				}
				return nil
			}
			if lines {
				if err := tellChange(env, &change); err != nil {
					return err
				}
				continue
			}
			w.apply(&change)
		case <-lost:
		case <-tick.C:
			if lines {
				continue
			}
		}
		if err := w.draw(); err != nil {
			return err
		}
	}
}

// tellChange writes a change for programs: {"list": …}, {"run": …} or {"gone": ID}.
func tellChange(env *access.Env, change *client.RunsChange) error {
	var line any
	switch {
	case change.List != nil:
		line = map[string]any{"list": change.List.Items}
	case change.Run != nil:
		line = map[string]any{"run": change.Run}
	default:
		line = map[string]any{"gone": change.Gone}
	}
	return console.PrintLines(env.Console, []any{line})
}

// watched is the list as it stands, newest first.
type watched struct {
	env   *access.Env
	limit int
	items []wire.RunItem
}

func (w *watched) apply(change *client.RunsChange) {
	at := func(id domain.RunID) int {
		return slices.IndexFunc(w.items, func(r wire.RunItem) bool { return r.ID == id })
	}
	switch {
	case change.List != nil:
		w.items = change.List.Items
	case change.Run != nil:
		if i := at(change.Run.ID); i >= 0 {
			w.items[i] = *change.Run
		} else {
			w.items = slices.Insert(w.items, 0, *change.Run)
			slices.SortStableFunc(w.items, func(a, b wire.RunItem) int { return b.Started.Compare(a.Started) })
			w.items = w.items[:min(len(w.items), w.limit)]
		}
	default:
		if i := at(change.Gone); i >= 0 {
			w.items = slices.Delete(w.items, i, i+1)
		}
	}
}

// draw redraws the table from the upper left corner, in one write, with as many rows as fit.
func (w *watched) draw() error {
	_, height, _ := tty.Size(w.env.Out)
	fit := max(1, height-3) // the head, a line above, and one for what is hidden
	var sheet bytes.Buffer
	shown := *w.env.Console
	shown.Out, shown.Err = onScreen{&sheet, w.env.Out}, onScreen{&sheet, w.env.Out}
	head := fmt.Sprintf("%s  %d runs, ctrl-C ends", time.Now().In(w.env.Location()).Format("15:04:05 MST"), len(w.items))
	if lost := w.env.Lost(); lost != "" {
		width, _, _ := tty.Size(w.env.Out)
		head = shown.Colours().Bad(tty.Cut(lost+"; the runs as they were then, ctrl-C ends", width))
	}
	fmt.Fprintf(&sheet, "\x1b[H\x1b[J%s\n", head)
	env := &access.Env{Console: &shown, Program: w.env.Program}
	// up: a watched table is that of runs
	if err := runListing(env).Page(wire.Page[wire.RunItem]{Items: w.items[:min(fit, len(w.items))]}); err != nil {
		return err
	}
	_, err := w.env.Out.Write(sheet.Bytes())
	return err
}

// onScreen is a buffer with the size and the colours of a terminal.
type onScreen struct {
	*bytes.Buffer
	screen any
}

// Fd returns the terminal's file descriptor.
func (o onScreen) Fd() uintptr {
	if f, ok := o.screen.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}
