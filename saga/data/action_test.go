package data_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/data"
)

// noCalls takes every call for one that could be made.
type noCalls struct{}

func (noCalls) Check(data.Call) error { return nil }

func (noCalls) Call(context.Context, data.Call) (data.Reply, error) { return data.Reply{}, nil }

func TestActionsThatAreWrongAreRefused(t *testing.T) {
	t.Parallel()
	fits := validator(t, "action.schema.json")
	// What the schema can't see.
	inside := []string{"${ inptu }", "{ids: 1}", "a:b@", "'A B'", "Host: c", "secret://../x", "${ input }'}}", "a b", "body: 1", "?b="}
	const head = "action: a\neffect: none\n"
	for text, says := range map[string]string{
		head: "call is missing",
		"action: a\ncall: {method: GET, url: 'https://x.y/'}\n":                                                                                         "it has no undo: give it one, or say effect: none or effect: irreversible",
		"action: 'a b'\neffect: none\ncall: {method: GET, url: 'https://x.y/'}\n":                                                                       "bad name",
		"action: a\neffect: some\ncall: {method: GET, url: 'https://x.y/'}\n":                                                                           "use none or irreversible",
		head + "call: {url: 'https://x.y/'}\n":                                                                                                          "method is missing or unknown: use one of GET",
		head + "call: {method: GET}\n":                                                                                                                  "url is missing",
		head + "call: {method: GET, url: 'ftp://x.y/'}\n":                                                                                               "url must begin with https:// or http://",
		head + "call: {method: GET, url: 'https://${ input }/a'}\n":                                                                                     "and a host, which stand there as they are",
		head + "call: {method: GET, url: '${ input }'}\n":                                                                                               "url must begin with https:// or http://",
		head + "call: {method: GET, url: 'https://x.y/a?b=${ input }'}\n":                                                                               "what comes after ? stands in query",
		head + "call: {method: GET, url: 'https://a:b@x.y/a'}\n":                                                                                        "a password does not belong in an address",
		head + "call: {method: GET, url: 'https://x.y/a', body: 1}\n":                                                                                   "a GET has no body",
		head + "call: {method: POST, url: 'https://x.y/a', body: 1, form: {a: b}}\n":                                                                    "it has a body and a form",
		head + "call: {method: GET, url: 'https://x.y/a', headers: {A: '${ input }'}}\n":                                                                "can't have values of a run",
		head + "call: {method: GET, url: 'https://x.y/a', headers: {'A B': c}}\n":                                                                       `"A B" can't be the name of a header`,
		head + "call: {method: GET, url: 'https://x.y/a', headers: {Host: c}}\n":                                                                        "Host is set by the call itself",
		head + "call: {method: GET, url: 'https://x.y/a', headers: {A: 'secret://../x'}}\n":                                                             "has no name of capital letters",
		head + "call: {method: GET, url: 'https://x.y/a', statuses: {99: done}}\n":                                                                      `"99" is no status`,
		head + "call: {method: GET, url: 'https://x.y/a', statuses: {404: applied}}\n":                                                                  `"applied" is not known here: use done, refused, nothingDone, inDoubt`,
		head + "call: {method: GET, url: 'https://x.y/a'}\nprobe: {method: POST, url: 'https://x.y/a'}\n":                                               "a POST may change something",
		head + "call: {method: GET, url: 'https://x.y/a', retrun: 1}\n":                                                                                 `"retrun" is not known here; did you mean "return"?`,
		head + "call: {method: GET, url: 'https://x.y/${ inptu }'}\n":                                                                                   "inptu",
		head + "output: {type: object, required: [id], properties: {id: {type: string}}}\ncall: {method: GET, url: 'https://x.y/', return: {ids: 1}}\n": "ids",
		"action: a\ncall: {method: POST, url: 'https://x.y/'}\nundo: {method: DELETE, url: 'https://x.y/${ output.id }'}\n":                             "",
	} {
		_, err := data.Parse(data.Uses{Calls: noCalls{}}, data.File{Name: "a.yaml", Text: []byte(text)})
		if says == "" {
			require.NoError(t, err, text)
			require.NoError(t, fits(text), text)
			continue
		}
		if !slices.ContainsFunc(inside, func(s string) bool { return strings.Contains(text, s) }) {
			require.Error(t, fits(text), text)
		}
		require.ErrorContains(t, err, says, text)
		require.ErrorContains(t, err, "a.yaml:", text)
	}
	examples, err := filepath.Glob("../../adapters/httpcall/examples/*-*.yaml")
	require.NoError(t, err)
	require.Len(t, examples, 3)
	for _, name := range examples {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, fits(string(text)), name)
	}
	good := []byte(head + "call: {method: GET, url: 'https://x.y/'}\n")
	_, err = data.Parse(data.Uses{}, data.File{Name: "a.yaml", Text: good})
	require.ErrorContains(t, err, "this program makes no calls")
	_, err = data.Parse(data.Uses{Calls: noCalls{}}, data.File{Name: "a.yaml", Text: good}, data.File{Name: "b.yaml", Text: good})
	require.ErrorContains(t, err, "b.yaml:1:1: action a is one of the program or of another file already")
}
