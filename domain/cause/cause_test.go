package cause_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
)

func of(message string) string { return cause.Of(&domain.Failure{Message: message}) }

func TestWhatDiffersFromRunToRunIsMasked(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"":                               "",
		"   \n\t ":                       "",
		"card gone":                      "card gone",
		"card_gone":                      "card_gone",
		"order 42 not found":             "order # not found",
		"order ord-4711: gone":           "order ord-#: gone",
		"order ORD_2026_99 gone.":        "order ORD_#_# gone.",
		"balance -12.50 EUR":             "balance -# EUR",
		"took 1m30s, limit 350ms":        "took #, limit #",
		"10MB of 1.5GiB (99%)":           "# of # (#%)",
		"items 1, 2, 3 and 4":            "items # and #",
		"sha256 of v2 differs":           "sha# of v# differs",
		"x509: unknown authority":        "x#: unknown authority",
		"٤٢ items":                       "# items",
		"customer cus_9Xk2LmQ1 gone":     "customer cus_<id> gone",
		"key 01HQ3ZK8V7N5E2R4T6Y8W0XABC": "key <id>",
		"run 6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e04 lost":   "run <id> lost",
		"RUN 6F2C5A0E-5C0A-5D55-9A60-0A70E0A70E04":        "RUN <id>",
		"commit deadbeef1 at 0xc000123abc":                "commit <id> at <id>",
		"facade decade":                                   "facade decade",
		"mail to ada.lovelace+x@mail.example.com bounced": "mail to <email> bounced",
		"dial tcp 10.0.0.7:5432: connect: refused":        "dial tcp <ip>: connect: refused",
		"dial tcp [fe80::1]:5432: refused":                "dial tcp [<ip>]:#: refused",
		"no route to 2001:db8::8a2e:370:7334":             "no route to <ip>",
		"due 2026-11-28T18:04:15.123Z":                    "due <time>",
		"due 2026-11-28 18:04:15":                         "due <time>",
		"due 28.11.2026, 18:04":                           "due <time>",
		"due Sat, 28 Nov 2026 18:04:15":                   "due <time>",
		"due Jan 2 or March 14":                           "due <time> or <time>",
		"May I ask the Sun":                               "May I ask the Sun",
		"GET https://api.example.com/v1/cards/42?x=1: no": "GET https://api.example.com/…: no",
		"GET http://ada:secret@10.0.0.1:80/x refused":     "GET http://<ip>/… refused",
		"see http://shop7.example.com.":                   "see http://shop#.example.com.",
		"HTTP 503":                                        "HTTP 503",
		"unexpected status 404":                           "unexpected status 404",
		"unexpected status code: 429":                     "unexpected status code: 429",
		"status 1404":                                     "status #",
		"promo code 123":                                  "promo code #",
		`user "ada" not found`:                            `user "…" not found`,
		`user 'ada' not found`:                            `user "…" not found`,
		"column `a` of “b” and «c»":                       `column "…" of "…" and "…"`,
		`key "a \" b" taken`:                              `key "…" taken`,
		`bad "he said 'x' to 'y'" here`:                   `bad "…" here`,
		`bad 'he said "x"' here`:                          `bad "…" here`,
		`can't undo; it's gone`:                           `can't undo; it's gone`,
		`rock 'n roll`:                                    `rock 'n roll`,
		`the customers' cards 'a'`:                        `the customers' cards "…"`,
		`decode "{\"a\":1, cut off`:                       `decode "…"`,
		`5" pipe`:                                         `#" pipe`,
		"<script>alert(1)</script>":                       "<script>alert(#)</script>",
		"a\u202egnp.exe\u202c b\u0000c\u200d":             "agnp.exe b c",
		"line one\r\n\tline two":                          "line one line two",
		"bad \xff\xfe bytes":                              "bad bytes",
	} {
		assert.Equal(t, want, of(message), "%q", message)
	}
}

func TestOneCauseIsOneTextAndTwoAreTwo(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{`charge card "4242": gateway answered 12 after 350ms`, `charge card "1": gateway answered 9 after 1.2s`},
		{"read tcp 10.0.0.1:40112->10.0.0.2:443: i/o timeout", "read tcp 10.0.0.1:55012->10.0.0.9:443: i/o timeout"},
		{"missing: 1, 2, 3", "missing: 7"},
		{`no such item "` + strings.Repeat("x", 20_000), `no such item "y`},
	} {
		require.Equal(t, of(same[0]), of(same[1]))
	}
	for _, differ := range [][]string{
		{"card gone", "card blocked"}, {"HTTP 404", "HTTP 503"},
		{"Post https://a.example.com/x: no", "Post https://b.example.com/x: no"},
	} {
		require.NotEqual(t, of(differ[0]), of(differ[1]))
	}
}

func TestAGroupIsOfOneSagaStepDirectionTypeAndCause(t *testing.T) {
	t.Parallel()
	gone := domain.Failure{Message: "order 7 gone", Type: "*shop.Gone"}
	first := cause.GroupOf("order", "ship/3/label", domain.Do, &gone)
	require.Equal(t, cause.Group{Saga: "order", Step: "ship/*/label", Direction: domain.Do, Type: "*shop.Gone", Cause: "order # gone"}, first)
	again := cause.GroupOf("order", "ship/12/label", domain.Do, &domain.Failure{Message: "order 8 gone", Type: "*shop.Gone"})
	require.Equal(t, first.ID(), again.ID())
	require.True(t, cause.IsID(first.ID()), first.ID())

	ids := map[string]bool{first.ID(): true}
	for _, g := range []cause.Group{
		cause.GroupOf("orde", "rship/3/label", domain.Do, &gone), cause.GroupOf("order", "ship/3/print", domain.Do, &gone),
		cause.GroupOf("order", "ship/3/label", domain.Undo, &gone), cause.GroupOf("order", "ship/3/label", domain.Do, &domain.Failure{Message: gone.Message}),
		cause.GroupOf("order", "ship/3/label", domain.Do, &domain.Failure{Message: "order 7 lost", Type: gone.Type}),
	} {
		require.False(t, ids[g.ID()], "%+v", g)
		ids[g.ID()] = true
	}
	for _, bad := range []string{"", "x", strings.Repeat("g", 16), strings.Repeat("A", 16), strings.Repeat("a", 17)} {
		require.False(t, cause.IsID(bad), bad)
	}
}

// TestAGroupKeepsItsID holds the ids of released groups: snoozes in people's logs name them.
func TestAGroupKeepsItsID(t *testing.T) {
	t.Parallel()
	g := cause.GroupOf("order", "ship/3/label", domain.Undo, &domain.Failure{Message: `card "4242" of 7 gone`, Type: "*shop.Gone"})
	require.Equal(t, 1, cause.Version, "with another version, write the new id here")
	require.Equal(t, "607c4165de7b20db", g.ID())
}

func FuzzCause(f *testing.F) {
	for _, s := range []string{"", "order 42", `"`, `'''`, "‘“«", "http://", "://x", "a@b", "1:2:3", "0x", strings.Repeat("'a ", 500),
		strings.Repeat(`"`, 999), "Jan Jan Jan 1", "\u202e\x00\xff", "HTTP 404", "status code: 500", "%%%1%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		got := of(message)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, utf8.RuneCountInString(got), 240)
		require.Equal(t, got, of(message))
		require.Equal(t, strings.Join(strings.Fields(got), " "), got, "blanks")
		for _, r := range got {
			require.True(t, unicode.IsPrint(r), "%q", got)
		}
		if !strings.Contains(strings.ToLower(message), "http") && !strings.Contains(strings.ToLower(message), "status") {
			require.Equal(t, -1, strings.IndexFunc(got, unicode.IsDigit), "%q of %q", got, message)
		}
	})
}
