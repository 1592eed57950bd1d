// Package verdict classifies the errors of calls to other systems by the call's effect: nothing was
// done and a retry would not help ([saga.Permanent]), nothing was done ([saga.NothingDone]), or
// nobody knows ([saga.InDoubt]).
//
// An error without a verdict is in doubt, so handlers are safe without this package. It avoids
// needless undos, probes and stuck runs if the protocol proves that nothing was done.
//
//   - HTTP: make calls with a client that has a [Transport], and pass each answer to [Response].
//   - SQL: run one transaction with [Tx], or classify with [SQL] and [Commit].
//   - SMTP: send with [SendMail]; classify what comes before it with [SMTP].
//
// An action whose handler is one local transaction can say the same with FailsCleanly.
//
// The functions keep a verdict that an error already has, return nil for nil, and are safe to call
// concurrently.
//
// It owns what HTTP, SQL and SMTP prove about an effect. It knows nothing of runs. It is for
// handlers; no other package of atone imports it.
//
// Files, in reading order:
//
//   - http.go: requests and answers
//   - sending.go: how often a request was sent
//   - sql.go: statements, transactions and commits
//   - smtp.go: mail
//   - verdict.go: keeping an existing verdict
package verdict
