package eventstoredb

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// facts returns the facts of a scenario by their names. The recorder made their tables; the tests
// make the same happen again.
func facts(t *testing.T, prefix string) map[string]json.RawMessage {
	t.Helper()
	all := map[string]json.RawMessage{}
	for _, s := range transcripts(t, prefix) {
		for _, c := range s.Calls {
			if c.Fact != "" {
				all[c.Fact] = c.Value
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// codeNames are the names that the recordings use.
var codeNames = map[string]codes.Code{"ABORTED": codes.Aborted, "DEADLINE_EXCEEDED": codes.DeadlineExceeded, "NOT_FOUND": codes.NotFound,
	"UNAVAILABLE": codes.Unavailable, "UNKNOWN": codes.Unknown, "RESOURCE_EXHAUSTED": codes.ResourceExhausted}

// appendsAnswered lets a fake answer the attempts of an append one after the other as they were
// recorded, those that were written without an answer included, and holds the attempts to being one
// at a time.
func appendsAnswered(t *testing.T, f *fakeServer, answers []string) {
	t.Helper()
	n, underWay := 0, 0
	var mu sync.Mutex
	f.hook(func(f *fakeServer) {
		f.onAppend = func(call api.Streams_AppendServer) error {
			mu.Lock()
			defer mu.Unlock()
			if underWay++; underWay > 1 {
				t.Error("the identical append is under way twice")
			}
			defer func() { underWay-- }()
			if n++; n > len(answers) {
				return nil
			}
			words := strings.SplitN(strings.TrimSpace(answers[n-1]), " ", 2)
			if words[0] == "ok" || words[0] == "OK" {
				return nil
			}
			code, known := codeNames[words[0]]
			if !known {
				t.Errorf("what is %q?", answers[n-1])
			}
			if code == codes.NotFound {
				call.SetTrailer(metadata.Pairs("exception", nodes.ExceptionNotLeader))
			}
			message := words[1]
			if code == codes.Unknown {
				message = nodes.HandlerThrew
			}
			if code == codes.ResourceExhausted {
				message = "stream terminated by RST_STREAM with error code: ENHANCE_YOUR_CALM"
			}
			return status.Error(code, message)
		}
	})
}

// TestRacesOfIdenticalAppends replays D5: eight callers append the same at once.
func TestRacesOfIdenticalAppends(t *testing.T) {
	t.Parallel()
	var rows []string
	require.NoError(t, json.Unmarshal(facts(t, "D5")["rows"], &rows))
	played := 0
	for _, row := range rows {
		name, answers, ok := strings.Cut(row, ":")
		if !ok || !strings.Contains(name, "identical") {
			continue
		}
		played++
		f, ctx := newFakeServer(t), contextFor(t)
		log := open(t, f.connection())
		expected := domain.AnyRevision
		if strings.HasPrefix(name, "none") {
			expected = domain.NoStream
		}
		appendsAnswered(t, f, strings.Split(answers, "|"))
		e := event(`{}`)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if at, err := log.Append(ctx, "s", expected, e); err != nil || at.Revision != 0 {
					t.Errorf("%s: %v %v", name, at, err)
				}
			})
		}
		all.Wait()
		require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 1, name)
	}
	require.Greater(t, played, 5)
}

// TestAppendsWhoseTimeIsOver replays D6: after its deadline an append was written, or not.
func TestAppendsWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	var rows []string
	require.NoError(t, json.Unmarshal(facts(t, "D6")["rows"], &rows))
	for _, row := range rows {
		f, ctx := newFakeServer(t), contextFor(t)
		log := open(t, f.connection())
		e, first := event(`{}`), true
		f.hook(func(f *fakeServer) {
			f.onAppend = func(api.Streams_AppendServer) error {
				if !first || !strings.Contains(row, "DEADLINE_EXCEEDED") {
					return nil
				}
				first = false
				if strings.Contains(row, "written: true") {
					if _, err := f.log.Append(ctx, "s", domain.NoStream, e); err != nil {
						return err
					}
				}
				return status.Error(codes.DeadlineExceeded, "Deadline exceeded")
			}
		})
		at, err := log.Append(ctx, "s", domain.NoStream, e)
		require.NoError(t, err, row)
		require.Zero(t, at.Revision, row)
		require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 1, row)
	}
}

// TestLosersReadWhatTheyWereTold replays the figures of E1 and J2: after a conflict, reads lag for
// so long.
func TestLosersReadWhatTheyWereTold(t *testing.T) {
	t.Parallel()
	type figures struct {
		Behind struct{ P50, P99, Max float64 } `json:"lagMsOfThoseBehind"`
	}
	var all []figures
	require.NoError(t, json.Unmarshal(facts(t, "E1")["conflictLag"], &all))
	for name, raw := range facts(t, "J2") {
		if strings.HasPrefix(name, "conflictLag") {
			var one figures
			require.NoError(t, json.Unmarshal(raw, &one))
			all = append(all, one)
		}
	}
	require.Greater(t, len(all), 3)
	for _, one := range all {
		for _, ms := range []float64{one.Behind.P50, one.Behind.P99, one.Behind.Max} {
			t.Run(fmt.Sprintf("%v ms", ms), func(t *testing.T) {
				t.Parallel()
				f, ctx := newFakeServer(t), contextFor(t)
				log := open(t, f.connection())
				for i := range 3 {
					_, err := f.log.Append(ctx, "s", domain.Expected(i-1), event(`{}`))
					require.NoError(t, err)
				}
				_, err := log.Append(ctx, "s", 0, event(`{}`))
				require.ErrorIs(t, err, domain.ErrConflict)
				shown := time.Now().Add(time.Duration(ms * float64(time.Millisecond)))
				lagging(f, func(string) int {
					if time.Now().Before(shown) {
						return 1
					}
					return 3
				})
				require.Equal(t, []uint64{2, 1, 0}, revisions(collect(t, log.ReadStreamBackward(ctx, "s", domain.End))))
			})
		}
	}
}

// TestAnswersToPipelinedBatches replays F4: the order in which the answers to batches of one call
// came.
func TestAnswersToPipelinedBatches(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`^#(\d+) (rev=(\d+)|\w+)$`)
	for name, raw := range facts(t, "F4") {
		if strings.HasPrefix(name, "identical") {
			continue // the adapter sends no batch twice at once
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fact struct{ Answers []string }
			require.NoError(t, json.Unmarshal(raw, &fact))
			n := len(fact.Answers)
			ctx := contextFor(t)
			var held []*api.BatchAppendReq
			arrived := make(chan struct{}, n)
			_, log := batching(t, func(call api.Streams_BatchAppendServer, m *api.BatchAppendReq) (bool, error) {
				held = append(held, m)
				arrived <- struct{}{}
				if len(held) < n {
					return true, nil
				}
				for _, answer := range fact.Answers {
					parts := number.FindStringSubmatch(answer)
					require.NotNil(t, parts, answer)
					i, err := strconv.Atoi(parts[1])
					require.NoError(t, err)
					if parts[3] == "" {
						err = call.Send(refused(held[i], codes.AlreadyExists, parts[2], &shared.WrongExpectedVersion{
							CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: 1}}))
					} else {
						revision, parsed := strconv.ParseUint(parts[3], 10, 64)
						require.NoError(t, parsed)
						err = call.Send(&api.BatchAppendResp{CorrelationId: held[i].GetCorrelationId(), Result: &api.BatchAppendResp_Success_{Success: &api.BatchAppendResp_Success{
							CurrentRevisionOption: &api.BatchAppendResp_Success_CurrentRevision{CurrentRevision: revision},
							PositionOption:        &api.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: 1 + revision}}}}})
					}
					if err != nil {
						return true, err
					}
				}
				return true, nil
			}, func(c *Config) { c.AppendConnections = 1 })
			got := make([]string, n)
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() {
					at, err := log.Append(ctx, "s", domain.AnyRevision, event(`{}`))
					got[i] = fmt.Sprintf("#%d rev=%d", i, at.Revision)
					if err != nil {
						got[i] = fmt.Sprintf("#%d WrongExpectedVersion", i)
						if !strings.Contains(err.Error(), "expected revision") {
							t.Error(err)
						}
					}
				})
				<-arrived
			}
			all.Wait()
			require.ElementsMatch(t, fact.Answers, got)
		})
	}
}

// TestTimelinesOfLostLeaders replays J3 and J5: what an append was answered from the kill on, until
// it was taken.
func TestTimelinesOfLostLeaders(t *testing.T) {
	t.Parallel()
	played := 0
	for _, scenario := range []string{"J3", "J5"} {
		for name, raw := range facts(t, scenario) {
			var timelines map[string]json.RawMessage
			if json.Unmarshal(raw, &timelines) != nil {
				continue
			}
			for who, raw := range timelines {
				var line []struct {
					S string
					N int
				}
				if !strings.HasPrefix(who, "append") || json.Unmarshal(raw, &line) != nil {
					continue
				}
				var answers []string
				for _, step := range line {
					if step.S == "OK" {
						continue // the append under test is one that met the others
					}
					for range min(step.N, 4) {
						answers = append(answers, step.S)
					}
				}
				played++
				t.Run(fmt.Sprint(name, ": ", who), func(t *testing.T) {
					t.Parallel()
					f, ctx := newFakeServer(t), contextFor(t)
					log := open(t, f.connection())
					appendsAnswered(t, f, answers)
					at, err := log.Append(ctx, "s", domain.NoStream, event(`{}`))
					require.NoError(t, err)
					require.Zero(t, at.Revision)
					require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 1)
				})
			}
		}
	}
	require.Greater(t, played, 5)
}

// TestAPoisonedConnectionIsLeft replays K2: after batch calls that ended with not-leader, other
// calls on the connection failed with an unexplained error.
func TestAPoisonedConnectionIsLeft(t *testing.T) {
	t.Parallel()
	var counts map[string]int
	require.NoError(t, json.Unmarshal(facts(t, "K2")["answers"], &counts))
	var answers []string
	for what := range counts {
		call, answer, _ := strings.Cut(what, ": ")
		if call == "append" {
			answers = append(answers, answer, answer)
		}
	}
	require.Greater(t, len(answers), 4)
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	appendsAnswered(t, f, answers)
	_, err := log.Append(ctx, "s", domain.NoStream, event(`{}`))
	require.NoError(t, err)
	require.Greater(t, f.accepted.Load(), int64(3), "each time on another connection")
}
