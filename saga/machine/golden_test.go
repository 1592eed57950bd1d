package machine_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine/machinetest"
)

// The words of the scenarios.
var (
	seq, do, ruled, golden = machinetest.Seq, machinetest.Do, machinetest.Ruled, machinetest.Retries
	newStage, play         = machinetest.NewStage, machinetest.Play
)

var rewrite = flag.Bool("rewrite", false, "write the golden transcripts instead of comparing with them")

// TestGoldenTranscripts plays typical runs and compares what is decided, event by event, with the
// files in testdata/golden; -rewrite writes them. A scenario is a plan and a list of things that
// happen, in the words of [stage.happens].
func TestGoldenTranscripts(t *testing.T) {
	t.Parallel()
	a, b, c := do("a"), do("b"), do("c")
	probed := do("a")
	probed.Action.Probe = true
	handled := do("b")
	handled.Action.OnFailure = &domain.ActionSpec{Name: "tell", Effect: domain.EffectNone, Retry: golden(2)}
	post := do("post")
	post.Action.Effect, post.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	post.Rule = domain.RuleForward
	postBack, probedPost := do("post"), do("post")
	for _, n := range []*domain.Node{postBack, probedPost} {
		n.Action.Effect, n.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	}
	probedPost.Action.Probe, probedPost.Action.Retry = true, golden(2)
	item := seq(do("label"))
	item.Result = "label"
	each := &domain.Node{Kind: domain.KindEach, Name: "ship", Children: []*domain.Node{item}, Concurrency: 2, Tolerate: 1}
	await := &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &domain.AwaitSpec{Signal: "go", Timeout: domain.Duration(time.Hour), Default: json.RawMessage(`"nobody"`)}}
	for name, s := range map[string]struct {
		root *domain.Node
		ops  string
	}{
		"happy signup":                          {seq(do("create-user"), do("send-welcome"), do("update-crm")), "ok create-user; ok send-welcome; ok update-crm"},
		"retry":                                 {seq(a, b), "fail a; tick; fail a; tick; ok a; ok b"},
		"permanent failure with undo":           {seq(a, handled), "ok a; permanent b; ok on-failure of b; undone a"},
		"parallel failure":                      {seq(a, &domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(b), seq(c)}}), "ok a; permanent b; doubt c; undone c; undone a"},
		"each with tolerate":                    {seq(each), "items ship 3; permanent ship/0/label; ok ship/1/label; ok ship/2/label"},
		"each over the tolerated":               {seq(each), "items ship 3; permanent ship/0/label; permanent ship/1/label; ok ship/2/label; undone ship/2/label"},
		"in doubt and probed":                   {seq(probed, b), "timeout a; probe a applied; ok b"},
		"in doubt and not applied":              {seq(probed, b), "timeout a; probe a not_applied; tick; ok a; ok b"},
		"late success before the next attempt":  {seq(a), "timeout a; late a 1"},
		"late success after the undo":           {seq(a), "timeout a; cancel; undone a; late a 1; undone a"},
		"late success while the undo runs":      {seq(a), "timeout a; cancel; late a 1; undone a; undone a"},
		"lost and undone in doubt":              {seq(a), "lost a; cancel; undone a"},
		"nothing done":                          {seq(a, b), "nothing a; tick; nothing a; tick; nothing a"},
		"unsaid and undone in doubt":            {seq(a, b), "ok a; fail b; tick; fail b; tick; fail b; undone b; undone a"},
		"unsaid and probed at the last":         {seq(probed, b), "fail a; tick; fail a; tick; fail a; probe a applied; ok b"},
		"refused after a doubt and probed":      {seq(probed, b), "doubt a; probe a unknown; tick; permanent a; probe a not_applied"},
		"unsaid and probed as the run turns":    {seq(&domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(probed), seq(b)}}), "fail a; permanent b; probe a not_applied"},
		"done but not recordable":               {seq(c, probed, b), "ok c; done a; undone a; undone c"},
		"probe retried":                         {seq(probed, b), "timeout a; probefail a; tick; probefail a; tick; probefail a; tick; ok a; ok b"},
		"probe finds what is not recordable":    {seq(probed, b), "timeout a; probedone a; undone a"},
		"irreversible and in doubt":             {seq(a, postBack), "ok a; fail post; cancel; tick; fail post; tick; fail post; skip post; undone a"},
		"late undo stuck after the end":         {seq(a), "timeout a; cancel; undone a; late a 1; undofail a; tick; undofail a; tick; undofail a; cancel; retry a; undone a"},
		"late success of what stays":            {seq(seq(probedPost), b), "timeout post; probe post not_applied; cancel; late post 1; skip post"},
		"late failure after the undo":           {seq(a), "timeout a; cancel; undone a; latefail a 1; undone a"},
		"undo stuck and retried":                {seq(a, b), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; retry a; undone a"},
		"undo stuck and skipped":                {seq(a, b), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; skip a"},
		"undo stuck and abandoned":              {seq(a, b), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; abandon"},
		"past the pivot, stuck and retried":     {seq(a, &domain.Node{Kind: domain.KindPivot, Name: "pivot"}, b), "ok a; permanent b; cancel; retry b; ok b"},
		"irreversible holds a cancel back":      {seq(a, post), "ok a; cancel; permanent post; undone a"},
		"irreversible makes a cancel moot":      {seq(a, post), "ok a; cancel; ok post"},
		"cancel":                                {seq(a, b), "ok a; cancel; ok b; undone b; undone a"},
		"pause and resume":                      {seq(a, b), "pause; ok a; resume; ok b"},
		"child completed and undone":            {seq(&domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}, b), "child child completed; permanent b; child child compensated"},
		"child failed":                          {seq(a, &domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}), "ok a; child child compensated; undone a"},
		"plan rounds":                           {seq(&domain.Node{Kind: domain.KindPlan, Name: "agent", Action: do("planner").Action, MaxRounds: 5}), "ok agent/1/plan; plan agent x y; ok agent/1/x; ok agent/1/y; ok agent/2/plan; plan agent"},
		"plan undone":                           {seq(&domain.Node{Kind: domain.KindPlan, Name: "agent", Action: do("planner").Action}), "ok agent/1/plan; plan agent x y; ok agent/1/x; permanent agent/1/y; undone agent/1/x; undone agent/1/plan"},
		"await met":                             {seq(await, a), "signal go 1; ok a"},
		"await met by a signal that came first": {seq(a, await), "signal go 1; ok a"},
		"await runs out to its default":         {seq(await, a), "tick; ok a"},
		"switch":                                {seq(&domain.Node{Kind: domain.KindSwitch, Name: "which", Children: []*domain.Node{seq(a), seq(b)}, Cases: []string{"one", "two"}}), "choose which 1; ok b"},
		"sleep":                                 {seq(&domain.Node{Kind: domain.KindSleep, Name: "rest"}, a), "sleep rest; tick; ok a"},
		"ignored failure":                       {seq(ruled("a", domain.RuleIgnore), b), "permanent a; ok b"},
		"ask":                                   {seq(ruled("a", domain.RuleAsk), b), "permanent a; substitute a; ok b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t, s.root)
			for op := range strings.SplitSeq(s.ops, "; ") {
				g.Happens(op)
			}
			path := filepath.Join("testdata", "golden", strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "_")+".txt")
			got := g.Transcript() + "= " + string(g.S.Status()) + "\n"
			if *rewrite {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				return
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "make it with: go test ./saga/machine -run Golden -rewrite")
			require.Equal(t, string(want), got)
		})
	}
}
