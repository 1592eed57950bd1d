// Package atone_test holds the repository's own pages to the truth.
package atone_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/saga"
)

// What the README's program leaves to its reader.

type User struct{ ID, Email string }

// table is a users table in memory: the key of each row's maker, by the row's id.
type table struct {
	mu   sync.Mutex
	made map[string]string
}

// Insert fails as a database does where the id is taken, with an error that says nothing.
func (t *table) Insert(_ context.Context, key string, u User) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if by, taken := t.made[u.ID]; taken && by != key {
		return fmt.Errorf("duplicate key value %q violates unique constraint", u.ID)
	}
	t.made[u.ID] = key
	return nil
}

func (t *table) Delete(_ context.Context, key string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.made, func(_, by string) bool { return by == key })
	return nil
}

func (t *table) ids() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.made))
}

var (
	users       = &table{made: map[string]string{}}
	sendWelcome = &saga.Action[User, saga.None]{
		Name: "send-welcome",
		Do:   func(context.Context, User) (saga.None, error) { return saga.None{}, nil },
		Undo: func(context.Context, saga.Did[User, saga.None]) error { return nil },
	}
	updateCRM = &saga.Action[User, saga.None]{
		Name: "update-crm",
		Do: func(_ context.Context, u User) (saga.None, error) {
			if u.ID == "13" {
				return saga.None{}, saga.Permanent(fmt.Errorf("%s is on the do-not-contact list", u.Email))
			}
			return saga.None{}, nil
		},
		Undo: func(context.Context, saga.Did[User, saga.None]) error { return nil },
	}
)

// README {

var createUser = &saga.Action[User, User]{
	Name: "create-user",
	// Do may be called again, after a crash, a timeout or an error: an insert that finds its own key is done.
	Do: func(ctx context.Context, u User) (User, error) {
		return u, users.Insert(ctx, saga.AttemptOf(ctx).Key, u)
	},
	// An error does not say that nothing was done, so Undo is called after one too. It takes back what Do's key
	// did: a row with the input's ID may be somebody else's.
	Undo: func(ctx context.Context, did saga.Did[User, User]) error { return users.Delete(ctx, did.Key) },
}

var signup = saga.Define("signup", 1, func(f *saga.Flow, form saga.Ref[User]) saga.Ref[User] {
	user := saga.Do(f, createUser, form.In)
	saga.Parallel(f,
		func(f *saga.Flow) { saga.Do(f, sendWelcome, user.In) },
		func(f *saga.Flow) { saga.Do(f, updateCRM, user.In) },
	)
	return user
})

// } README

func TestTheReadmesProgramRunsAsWritten(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	// README {
	log, _ := pebblelog.Open("data", pebblelog.Config{}) // one directory, no server
	c, _ := saga.New(saga.Config{Log: log})
	_ = c.Register(signup)
	go c.Run(ctx) // also continues the runs that a crash interrupted
	run, _ := saga.Start(ctx, c, signup, User{ID: "42", Email: "ada@example.org"}, saga.Key("signup-42"))
	user, err := run.Wait(ctx) // or *saga.CompensatedError, *saga.StuckError, *saga.CancelledError
	// } README
	require.NoError(t, err)
	require.Equal(t, "42", user.ID)
	require.Equal(t, []string{"42"}, users.ids())

	run, err = saga.Start(ctx, c, signup, User{ID: "13", Email: "eve@example.org"})
	require.NoError(t, err)
	_, err = run.Wait(ctx)
	var undone *saga.CompensatedError
	require.ErrorAs(t, err, &undone)
	require.Equal(t, []string{"42"}, users.ids(), "the second user is gone again")

	run, err = saga.Start(ctx, c, signup, User{ID: "42", Email: "mallory@example.org"})
	require.NoError(t, err)
	_, err = run.Wait(ctx)
	require.ErrorAs(t, err, &undone)
	require.Contains(t, undone.Cause.Message, "duplicate key")
	require.True(t, undone.Cause.InDoubt, "the error does not say that nothing was done")
	require.Equal(t, []string{"42"}, users.ids(), "the row is the first run's, and its undo of nothing leaves it alone")
	stop() // the coordinator ends by itself; nothing of it is under way
	require.NoError(t, log.Close())
}

// TestTheReadmeShowsThatProgram compares the README's Go with the lines of this file between the marks.
func TestTheReadmeShowsThatProgram(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	var program []string
	for _, m := range regexp.MustCompile(`(?ms)^(\t*)// README \{\n(.*?)^\t*// \} README$`).FindAllStringSubmatch(string(source), -1) {
		part := m[2]
		if m[1] != "" {
			part = strings.ReplaceAll("\n"+part, "\n"+m[1], "\n")
		}
		program = append(program, strings.TrimSpace(part))
	}
	require.Len(t, program, 2)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	shown := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindStringSubmatch(string(readme))
	require.NotNil(t, shown)
	require.Equal(t, strings.Join(program, "\n\n"), shown[1], "the README's program and this file's have come apart")
}

// TestNoLinkIsDead follows the links of all pages to files of the repository and to headings in them.
func TestNoLinkIsDead(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pages := []string{"README.md", "CHANGELOG.md"}
	require.NoError(t, filepath.WalkDir("docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			pages = append(pages, path)
		}
		return err
	}))
	links := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			file, heading, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			_, err := os.Stat(target)
			require.NoError(t, err, "%s links to %s", page, m[1])
			if heading != "" {
				require.Contains(t, anchors(t, target), heading, "%s links to %s", page, m[1])
			}
		}
	}
	require.Greater(t, links, 20)
}

// anchors returns the headings of a page as GitHub names them in links.
func anchors(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
