package definition

import (
	"encoding/json"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/atonehq/atone/domain"
)

// PlanDiff shows the lines in which two plans' indented JSON differ, as a unified diff.
func PlanDiff(a, b *domain.Plan) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: indented(a), FromFile: "log " + a.Hash()[:12], B: indented(b), ToFile: "code " + b.Hash()[:12], Context: 2})
	if err != nil {
		return err.Error()
	}
	return text
}

func indented(p *domain.Plan) []string {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return []string{err.Error()}
	}
	return difflib.SplitLines(string(text))
}
