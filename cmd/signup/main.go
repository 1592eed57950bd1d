// Command signup is an example of your own program: a saga, and atone's command line.
//
//	signup start signup -d '{"name": "Ada", "email": "ada@example.org"}' --key ada --data DIR --wait
//	signup serve --data DIR
//	signup explore signup
//
// It needs a mail server (--smtp) and a CRM (--crm). Without them a sign-up is undone, which is
// also worth seeing; `atone demo` has both.
package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/cmd/program"
	"github.com/atonehq/atone/cmd/signup/signup"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
)

func main() {
	users, mail, crm := new(signup.SQLiteUsers), &signup.SMTPMailer{From: "hello@signup.example"}, new(signup.HTTPCRM)
	program.Main(program.App{
		Name:         "signup",
		Short:        "Sign people up: an account, a welcome mail and a contact in the CRM, or none of it",
		Sagas:        []saga.AnySaga{signup.New(users, mail, crm).Signup},
		Explorations: []*explore.Exploration{signup.Exploration()},
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&mail.Addr, "smtp", "127.0.0.1:25", "the mail server")
			f.StringVar(&crm.URL, "crm", "http://127.0.0.1:8080", "the CRM")
		},
		Setup: func(ctx context.Context, s *program.Setup) error {
			s.OnClose(users.Close)
			return users.Open(ctx, filepath.Join(s.Data, "users.db"))
		},
	})
}
