package esdbserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
)

// Role is what a user may do. A stream's own $acl can only take from it.
type Role string

const (
	// RoleNone may do nothing but ask for health, features and gossip.
	RoleNone Role = "none"
	// RoleReader may read and subscribe to $all, category streams and every stream that is
	// no system stream ($…).
	RoleReader Role = "reader"
	// RoleApp may, beyond that, append events to streams that are neither reserved nor
	// system streams, and consume persistent subscriptions.
	RoleApp Role = "app"
	// RoleAdmin may do everything except touch the reserved streams of the coordinator.
	RoleAdmin Role = "admin"
	// RoleCoordinator may do everything. It is for coordinators that keep their runs on this
	// server over the network.
	RoleCoordinator Role = "coordinator"
)

func (r Role) known() bool {
	return slices.Contains([]Role{RoleNone, RoleReader, RoleApp, RoleAdmin, RoleCoordinator}, r)
}

func (r Role) isAdmin() bool { return r == RoleAdmin || r == RoleCoordinator }

// User is one who may log in.
type User struct {
	Name, Password string
	Role           Role
}

// caller is who makes a request.
type caller struct {
	name string
	role Role
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		return caller{role: RoleNone}
	}
	return c
}

// access kinds, as in a stream's $acl.
type access int

const (
	read access = iota
	write
	remove
	manageGroups
	consumeGroup
)

// authenticator tells callers by their Basic credentials.
type authenticator struct {
	users     map[string]account
	anonymous Role
}

type account struct {
	password [sha256.Size]byte
	role     Role
}

func newAuthenticator(users []User, anonymous Role) *authenticator {
	a := &authenticator{users: map[string]account{}, anonymous: anonymous}
	for _, u := range users {
		a.users[u.Name] = account{sha256.Sum256([]byte(u.Password)), u.Role}
	}
	return a
}

// authenticate puts the caller into the context. Wrong credentials are an error; none at
// all make the caller anonymous. Without any users, credentials are not looked at: clients
// send the default ones unasked.
func (a *authenticator) authenticate(ctx context.Context) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	header := md.Get("authorization")
	c := caller{role: a.anonymous}
	if len(header) > 0 && len(a.users) > 0 {
		var ok bool
		if c, ok = a.check(header[0]); !ok {
			return nil, unauthenticated()
		}
	}
	return context.WithValue(ctx, callerKey{}, c), nil
}

// check verifies the value of an Authorization header.
func (a *authenticator) check(header string) (caller, bool) {
	scheme, credentials, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "basic") {
		return caller{}, false
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(credentials))
	if err != nil {
		return caller{}, false
	}
	name, password, ok := strings.Cut(string(plain), ":")
	if !ok {
		return caller{}, false
	}
	known, found := a.users[name]
	given := sha256.Sum256([]byte(password))
	// Compared even for an unknown name, so that names cannot be told apart by time.
	if subtle.ConstantTimeCompare(given[:], known.password[:]) != 1 || !found {
		return caller{}, false
	}
	return caller{name: name, role: known.role}, true
}

// authorizer says who may do what with which stream.
type authorizer struct {
	db       *streamdb.DB
	reserved []string
}

// require returns access-denied unless the caller may do this with the stream.
func (a *authorizer) require(ctx context.Context, kind access, stream string) error {
	ok, err := a.allowed(ctx, kind, stream)
	if err == nil && !ok {
		err = accessDenied()
	}
	return err
}

func (a *authorizer) allowed(ctx context.Context, kind access, stream string) (bool, error) {
	c := callerOf(ctx)
	if (kind == write || kind == remove) && a.isReserved(stream) && c.role != RoleCoordinator {
		return false, nil
	}
	if !c.role.may(kind, stream) {
		return false, nil
	}
	if c.role.isAdmin() || stream == allStream || kind == manageGroups {
		return true, nil
	}
	return a.inACL(ctx, c, kind, stream)
}

func (a *authorizer) isReserved(stream string) bool {
	for streamdb.IsMetastream(stream) {
		stream = streamdb.OriginalOf(stream)
	}
	return slices.ContainsFunc(a.reserved, func(prefix string) bool { return strings.HasPrefix(stream, prefix) })
}

// may is what the role alone allows.
func (r Role) may(kind access, stream string) bool {
	if r.isAdmin() {
		return true
	}
	if r == RoleNone {
		return false
	}
	system := streamdb.IsSystem(stream)
	switch kind {
	case read:
		return !system || stream == allStream || streamdb.IsVirtual(stream)
	case write:
		return r == RoleApp && !system
	case consumeGroup:
		return r == RoleApp && (!system || stream == allStream || streamdb.IsVirtual(stream))
	}
	return false
}

// inACL asks the stream's own $acl.
func (a *authorizer) inACL(ctx context.Context, c caller, kind access, stream string) (bool, error) {
	meta, err := a.db.Metadata(ctx, stream)
	if err != nil || meta.ACL == nil {
		return err == nil, err
	}
	list := meta.ACL.Read
	if kind == write {
		list = meta.ACL.Write
	}
	return list == nil || slices.Contains(list, "$all") || slices.Contains(list, c.name), nil
}
