package look

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
)

func newEventsCommand(env *access.Env) *cobra.Command {
	var (
		p      console.Paging
		period console.Period
		types  []string
		stream string
		q      client.DomainEventsQuery
	)
	cmd := &cobra.Command{
		Use:   "events",
		Short: "List domain events",
		Long: `List the domain events that apps and actions emitted, newest first; all given conditions must hold. A type or stream that
ends with * stands for all that begin so. Secret fields are redacted. Of an event that the log does not have any more, the list
says so.`,
		Example: fmt.Sprintf(`  %[1]s events
  %[1]s events --type 'order.*' --since 2h
  %[1]s events --stream order-4711 --oldest-first -o json
  %[1]s events --correlation 4711 --all -o ndjson`, env.Program.Name),
		Args: console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.Check(); err != nil {
				return err
			}
			for _, t := range types {
				begins, all := strings.CutSuffix(t, "*")
				switch {
				case !all:
					q.Types = append(q.Types, t)
				case len(types) > 1:
					return console.UsageError{Err: fmt.Errorf("--type %s stands for many types: give no other --type beside it", t)}
				default:
					q.TypeBegins = begins
				}
			}
			if begins, all := strings.CutSuffix(stream, "*"); all {
				q.Stream = begins
			} else {
				q.StreamName = stream
			}
			q.From, q.To, q.Ascending = period.Since.Time, period.Until.Time, p.Ascending
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				return console.Pages(&p, eventListing(env), func(cursor string, limit int) (wire.Page[wire.Event], error) {
					at, err := placeOf(cursor)
					if err != nil {
						return wire.Page[wire.Event]{}, err
					}
					if q.Before, q.After = at, 0; p.Ascending {
						q.Before, q.After = 0, at
					}
					q.Limit = limit
					return c.DomainEvents(ctx, q)
				})
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&types, "type", nil, "only events of this type, or of types that begin so: 'order.*'; repeatable")
	f.StringVar(&stream, "stream", "", "only events of this stream, or of streams that begin so: 'order-*'")
	f.StringVar(&q.Correlation, "correlation", "", "only events with this correlation id")
	period.AddFlags(f, "emitted")
	p.AddFlags(cmd)
	env.Formats(cmd, console.Lists...)
	return cmd
}

// placeOf reads a cursor of a list of events: a log position, 0 for none.
func placeOf(cursor string) (domain.Position, error) {
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(cursor, 10, 63)
	if err != nil || n == 0 {
		return 0, console.UsageError{Err: fmt.Errorf("--cursor %q is not from a list of events", cursor)}
	}
	return domain.Position(n), nil
}

// eventListing says how domain events are listed.
func eventListing(env *access.Env) *console.Listing[wire.Event] {
	type event = wire.Event
	return &console.Listing[event]{Console: env.Console, None: "no such events", Columns: []console.Column[event]{
		{Name: "AT", Time: eventTime},
		{Name: "TYPE", Text: func(e event) string { return e.Type }},
		{Name: "STREAM", Rank: 2, Text: func(e event) string { return e.Stream }},
		{Name: "REVISION", Wide: true, Text: func(e event) string { return strconv.FormatUint(e.Revision, 10) }},
		{Name: "POSITION", CSVOnly: true, Text: func(e event) string { return strconv.FormatUint(uint64(e.Position), 10) }},
		{Name: "ID", Wide: true, Text: func(e event) string { return e.ID.String() }},
		{Name: "CORRELATION", Rank: 3, Text: func(e event) string { return e.Correlation }},
		{Name: "BY", Rank: 1, Text: func(e event) string { return e.Actor }},
		{Name: "PAYLOAD", Long: true, Text: eventPayload},
	}}
}

func eventTime(e wire.Event) time.Time {
	if e.At.IsZero() {
		return e.Created
	}
	return e.At
}

// eventPayload is the event's data, or why there is none.
func eventPayload(e wire.Event) string {
	switch {
	case e.Missing != "":
		return "(" + e.Missing + ")"
	case len(e.Binary) > 0:
		return fmt.Sprintf("(%d bytes that are not JSON)", len(e.Binary))
	}
	return string(e.Data)
}
