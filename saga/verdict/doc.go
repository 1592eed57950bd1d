// Package verdict says, of an error that a call to another system ended with, what became of the
// call's effect: nothing was done and never will be ([saga.Permanent]), nothing was done
// ([saga.NothingDone]), or nobody knows ([saga.InDoubt]).
//
// An error without a verdict is in doubt, so using this package is never needed to be safe. It
// saves the undo, the probe or the person that a doubt costs where the protocol itself proves that
// nothing was done.
//
//   - HTTP: make calls with a client that has a [Transport], and hand each answer to [Response].
//   - SQL: run one transaction with [Tx], or classify with [SQL] and [Commit].
//   - SMTP: send with [SendMail]; classify what comes before it with [SMTP].
//
// An action whose handler is one local transaction can say the same with FailsCleanly.
//
// The functions keep a verdict that an error has already, return nil for nil, and may be called
// from any goroutine.
//
// It owns what HTTP, SQL and SMTP prove of an effect. It knows nothing of runs, and no other room
// of atone imports it: it is for handlers.
//
// Files, in reading order:
//
//   - http.go: requests and answers
//   - sql.go: statements, transactions and commits
//   - smtp.go: mail
//   - verdict.go: keeping a verdict that is there
package verdict
