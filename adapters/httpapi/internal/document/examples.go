package document

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// example has the bodies of an operation as JSON; empty means no body.
type example struct{ request, response string }

const (
	exampleRun    = `"0198c0de-0000-7000-8000-000000000001"`
	exampleReason = `{"reason": "the card service is back"}`
	exampleResult = `{"run": ` + exampleRun + `, "state": "completed", "position": 4711}`
)

// examples has the examples of each operation, by its id.
var examples = map[string]example{
	"start-run":     {`{"item": "lamp", "card": "4242"}`, exampleResult},
	"invoke-action": {`{"item": "lamp", "card": "4242"}`, exampleResult},
	"get-result":    {"", exampleResult},
	"list-runs": {"", `{"items": [{"no": 7, "run": ` + exampleRun + `, "saga": "order", "version": 1, "plan": "5f0c", "state": "stuck", "states": ["stuck"],
		"started": "2026-01-31T08:00:00Z", "updated": "2026-01-31T08:00:02Z", "revision": 9, "key": "order-42", "attempts": 4,
		"waiting": "stuck: undo of charge-card failed: card_gone; retry, skip or resolve"}], "position": 4711}`},
	"list-audit": {"", `{"items": [{"position": 4711, "run": ` + exampleRun + `, "revision": 9, "at": "2026-01-31T08:00:02Z", "saga": "order",
		"what": "attempt.failed", "step": "charge-card", "direction": "undo", "attempt": 3, "action": "charge-card", "error": "card_gone"}], "position": 4711}`},
	"undo-preview": {"", `{"steps": [{"wave": 1, "do": "undo", "step": "charge-card", "action": "charge-card", "output": {"id": "ch_42"}}], "ends": "cancelled", "revision": 9}`},
	"outlook": {"", `{"run": ` + exampleRun + `, "revision": 9, "state": "stuck", "states": 6, "acts": [{"act": "skip", "step": "charge-card", "direction": "undo",
		"text": "skip the undo of charge-card", "ends": [{"state": "compensated", "left": ["charge-card"],
		"text": "compensated, with the effect of charge-card left", "if": "all goes well"}]}]}`},
	"start-again": {`{"input": {"item": "lamp", "card": "4343"}, "key": "order-42-b"}`, exampleResult},
	"record-exploration": {`{"version": 1, "plan": "5f0c", "build": {"revision": "0123abcd"}, "schedules": [1, 74, 3311], "of": [74, 3311]}`,
		`{"saga": "order", "version": 1, "plan": "5f0c", "build": {"revision": "0123abcd"}, "schedules": [1, 74, 3311], "of": [74, 3311], "by": "kim", "at": "2026-01-31T08:00:00Z"}`},
	"hold-action": {`{"reason": "CRM is down"}`,
		`{"action": "update-crm", "reason": "CRM is down", "by": "kim", "since": "2026-01-31T08:00:00Z", "waiting": 0}`},
	"release-action": {`{"reason": "CRM is back"}`,
		`{"action": "update-crm", "reason": "CRM is down", "by": "kim", "since": "2026-01-31T08:00:00Z", "waiting": 0}`},
	"cancel-run":  {`{"reason": "the customer rang"}`, ""},
	"pause-run":   {`{"reason": "the warehouse is closed"}`, ""},
	"resume-run":  {exampleReason, ""},
	"retry-run":   {`{"step": "charge-card", "reason": "the card service is back"}`, ""},
	"resolve-run": {`{"step": "charge-card", "how": "skip", "reason": "refunded by hand"}`, ""},
	"abandon-run": {`{"reason": "the warehouse burnt down; ticket 17"}`, ""},
	"signal-run":  {`{"name": "approved", "id": "approval-4711"}`, ""},
	"bulk": {`{"act": "retry", "filter": {"action": "charge-card", "older_than": "1h"}, "reason": "the card service is back", "dry_run": true}`,
		`{"dry_run": true, "matched": 1, "done": 0, "failed": 0, "results": [{"run": ` + exampleRun + `, "saga": "order", "version": 1, "state": "stuck", "done": false}]}`},
	"act-on-incidents": {`{"act": "note", "targets": [` + exampleRun + `], "text": "the card service has an outage; ticket 17"}`, ""},
	"emit-event": {`{"stream": "orders", "type": "order-placed", "payload": {"order": 42}, "id": "order-42"}`,
		`{"stream": "orders", "id": "3f8a7c1e-52a3-5e7b-9d54-0d7b3a4f6a10", "revision": 0, "position": 4712}`},
	"act-on-rejected-events": {`{"act": "retry", "type": "order-placed", "reason": "version 2 reads the old addresses, too"}`, ""},
	"create-token":           {`{"name": "shop", "scopes": ["start"], "sagas": ["order"]}`, ""},
	"login":                  {`{"token": "atone_0123456789ab_secret"}`, ""},
	"live":                   {"", `{"status": "ok"}`},
	"ready":                  {"", `{"status": "ok"}`},
}

// Illustrated lists the operations that have examples.
func Illustrated() []string { return slices.Sorted(maps.Keys(examples)) }

// illustrate adds the examples of an operation.
func illustrate(op *huma.Operation) {
	e := examples[op.OperationID]
	if e.request != "" && op.RequestBody != nil {
		for _, m := range op.RequestBody.Content {
			m.Example = json.RawMessage(e.request)
		}
	}
	for _, status := range []string{"200", "201"} {
		if r := op.Responses[status]; r != nil && e.response != "" {
			if m := r.Content["application/json"]; m != nil {
				m.Example = json.RawMessage(e.response)
			}
		}
	}
}
