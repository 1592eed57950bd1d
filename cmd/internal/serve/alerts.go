package serve

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/webhook"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/saga"
)

// alerting sends alerts to the program's log, and to a webhook if one is given.
type alerting struct {
	url string
}

func (a *alerting) addFlags(f *pflag.FlagSet) {
	f.StringVar(&a.url, "alert-webhook", "", "post alerts (stuck, failed and slow runs) as JSON to this address")
}

func (a *alerting) prepare(_ context.Context, _ host.Log, s *host.Setup) error {
	s.Config.Alerts = append(s.Config.Alerts, saga.LogAlerts{Logger: s.Config.Logger})
	if a.url == "" {
		return nil
	}
	sink, err := webhook.New(webhook.Config{URL: a.url})
	if err != nil {
		return console.UsageError{Err: err}
	}
	s.Config.Alerts = append(s.Config.Alerts, sink)
	return nil
}

func (*alerting) run(context.Context, *host.Node) error { return nil }
