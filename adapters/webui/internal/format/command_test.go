package format

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain/visible"
)

// spoken runs a command line in a real shell, in which the commands are programs that print their
// words, and returns these.
func spoken(t require.TestingT, bin, line string) []string {
	cmd := exec.Command("sh", "-c", line)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "ATONE_SERVER=http://host:1", "ATONE_TOKEN=secret"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", line, out)
	return strings.Split(strings.TrimSuffix(string(out), "\x01"), "\x01")
}

// programs makes the commands that print their words, each with \x01 behind it.
func programs(t *testing.T) (bin string) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("NOT TESTED: there is no sh here")
	}
	bin = t.TempDir()
	for _, name := range []string{"atone", "curl"} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nprintf '%s\\001' \"$@\"\n"), 0o755))
	}
	return bin
}

func TestCommandsSayToAShellWhatWasSaid(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	hostile := []string{"plain", "", "it's", `$(touch hacked) && rm -rf "$HOME"`, "`id`;|&<>", "-rf", "--key", "a\\'b\\", "~", "*", "!x", "#x", "ü €", `"<b>&amp;</b>"`}
	for _, text := range hostile {
		payload, err := json.Marshal(map[string]string{"note": text})
		require.NoError(t, err)
		c := StartCommand("atone", "order", 3, text, payload)
		said := spoken(t, bin, c.CLI)
		require.Equal(t, []string{"start", "order", "--version", "3"}, said[:4])
		if text != "" {
			require.Equal(t, "--key="+text, said[4])
		}
		require.JSONEq(t, string(payload), said[len(said)-1])
		said = spoken(t, bin, c.Curl)
		require.Equal(t, []string{"-X", "POST", "http://host:1/sagas/order/runs?version=3", "-H", "Authorization: Bearer secret"}, said[:5])
		require.JSONEq(t, string(payload), said[len(said)-1])

		name := "to " + text
		c = SignalCommand("atone", "0198c0de-0000-7000-8000-000000000001", name, payload)
		said = spoken(t, bin, c.CLI)
		require.Equal(t, []string{"signal", "0198c0de-0000-7000-8000-000000000001", name, "-d"}, said[:4])
		require.JSONEq(t, string(payload), said[4])
		said = spoken(t, bin, c.Curl)
		body, err := json.Marshal(map[string]any{"name": name, "payload": json.RawMessage(payload)})
		require.NoError(t, err)
		require.JSONEq(t, string(body), said[len(said)-1])
	}
	require.Equal(t, "shop invoke charge -d '-1'", strings.ReplaceAll(StartCommand("shop", "charge", 0, "", json.RawMessage("-1")).CLI, "-d -1", "-d '-1'"))
	require.Empty(t, StartCommand("shop", "order", 1, "a\u202eb", nil), "it can't be copied from a page")
	require.Empty(t, StartCommand("shop", "order", 1, "", json.RawMessage(`"`+strings.Repeat("x", 1<<20)+`"`)))
}

func TestAnyWordIsQuotedForAShell(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	rapid.Check(t, func(rt *rapid.T) {
		word := strings.Map(func(r rune) rune {
			if r < 2 {
				return ' '
			}
			return r
		}, rapid.String().Draw(rt, "word"))
		require.Equal(rt, []string{word}, spoken(rt, bin, "atone "+visible.Word(word)))
	})
}

func TestPayloadsAreShownAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"a \u0026 b \u003c\u003E"`: `"a & b <>"`, `"\\u0026"`: `"\\u0026"`, `"\\\u0026"`: `"\\&"`, `"\u00fc\n\""`: `"\u00fc\n\""`, `"\u0026\u0026"`: `"&&"`, `"\u00`: `"\u00`,
	} {
		require.Equal(t, want, visible.AsWritten(json.RawMessage(in)))
	}
	rapid.Check(t, func(t *rapid.T) {
		payload, err := json.Marshal(rapid.String().Draw(t, "text"))
		require.NoError(t, err)
		require.JSONEq(t, string(payload), visible.AsWritten(payload))
	})
	require.Contains(t, string(Payload(json.RawMessage(`{"a":"x \u0026 \u003cb\u003e"}`))), "x &amp; &lt;b&gt;")
}

func TestAHeadlineIsTheFirstLine(t *testing.T) {
	t.Parallel()
	line, more := Headline("card_gone: it was closed\n")
	require.Equal(t, "card_gone: it was closed", line)
	require.False(t, more)
	line, more = Headline("boom\ngoroutine 1 [running]:")
	require.Equal(t, "boom", line)
	require.True(t, more)
	line, more = Headline(strings.Repeat("x", 500))
	require.Len(t, []rune(line), 120)
	require.True(t, more)
}
