package diagram

import "strings"

// classOf gives each phase of a step its class.
var classOf = map[string]string{
	"ready": "active", "running": "active", "backoff": "active", "probe due": "active", "probing": "active", "active": "active",
	"waiting": "waiting",
	"done":    "done",
	"failed":  "failed", "ignored": "failed",
	"stuck": "stuck", "undo stuck": "stuck", "undo failed": "stuck",
	"undo due": "undoing", "undoing": "undoing", "undo backoff": "undoing",
	"undone": "undone", "untouched": "undone", "skipped": "undone",
	"left": "left",
}

// classStyles gives each class its colours, in Mermaid's words.
var classStyles = [...][2]string{
	{"active", "fill:#dbeafe,stroke:#2563eb,color:#1e3a8a"},
	{"waiting", "fill:#f3e8ff,stroke:#9333ea,color:#581c87"},
	{"done", "fill:#dcfce7,stroke:#16a34a,color:#14532d"},
	{"failed", "fill:#ffedd5,stroke:#ea580c,color:#7c2d12"},
	{"stuck", "fill:#fee2e2,stroke:#dc2626,color:#7f1d1d,stroke-width:3px"},
	{"undoing", "fill:#fef9c3,stroke:#ca8a04,color:#713f12"},
	{"undone", "fill:#f3f4f6,stroke:#6b7280,color:#374151,stroke-dasharray:4"},
	{"left", "fill:#fee2e2,stroke:#6b7280,color:#7f1d1d,stroke-dasharray:4"},
}

// classLines returns the statements that colour the nodes of each class.
func classLines(nodes map[string][]string) (lines []string) {
	for _, c := range classStyles {
		if ids := nodes[c[0]]; len(ids) > 0 {
			lines = append(lines, "classDef "+c[0]+" "+c[1], "class "+strings.Join(ids, ",")+" "+c[0])
		}
	}
	return lines
}
