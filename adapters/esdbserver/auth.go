package esdbserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"google.golang.org/grpc/metadata"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// Role is what a user may do. A stream's own $acl can only take rights away.
type Role string

const (
	// RoleNone may do nothing but ask for health, features and gossip.
	RoleNone Role = "none"
	// RoleReader may read and subscribe to $all, category streams and every stream that is not a
	// system stream ($…).
	RoleReader Role = "reader"
	// RoleApp may also append events to streams that are neither reserved nor system streams, and
	// consume persistent subscriptions. It does not see the reserved streams: runs, with
	// everybody's inputs and outputs, are left out of $all, computed streams and groups, too.
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

// User is somebody who may log in.
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

// authenticator recognises callers by their Basic credentials.
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

// authenticate puts the caller into the context. Wrong credentials are an error; a caller without
// credentials is anonymous. If the server has no users it ignores credentials, because clients send
// default ones unasked.
func (a *authenticator) authenticate(ctx context.Context) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	header := md.Get("authorization")
	c := caller{role: a.anonymous}
	// A header without a user name means an anonymous caller, as with the original.
	if len(header) > 0 && len(a.users) > 0 && isBasic(header[0]) {
		var ok bool
		if c, ok = a.check(header[0]); !ok {
			return nil, wire.Unauthenticated()
		}
	}
	return context.WithValue(ctx, callerKey{}, c), nil
}

func isBasic(header string) bool {
	scheme, _, _ := strings.Cut(header, " ")
	return strings.EqualFold(scheme, "basic")
}

// check verifies the value of an Authorization header.
func (a *authenticator) check(header string) (caller, bool) {
	_, credentials, _ := strings.Cut(header, " ")
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
	// Compared even for an unknown name, so that the time taken does not reveal which names exist.
	if subtle.ConstantTimeCompare(given[:], known.password[:]) != 1 || !found {
		return caller{}, false
	}
	return caller{name: name, role: known.role}, true
}

// authorizer says who may do what with which stream.
type authorizer struct {
	db       *streamdb.DB
	reserved func(stream string) string
}

// shapeOf returns a function that returns the shape by which a stream's name is reserved, "" if it
// is not.
func shapeOf(reserved []string) func(stream string) string {
	if reserved == nil {
		return domain.ReservedShape
	}
	return func(stream string) string {
		for _, beginning := range reserved {
			if strings.HasPrefix(stream, beginning) {
				return "a name that begins with " + beginning
			}
		}
		return ""
	}
}

// require returns access-denied unless the caller may do this with the stream.
func (a *authorizer) require(ctx context.Context, kind access, stream string) error {
	if shape := a.reservedFor(ctx, kind, stream); shape != "" {
		return wire.ReservedName(stream, shape)
	}
	ok, err := a.allowed(ctx, kind, stream)
	if err == nil && !ok {
		err = wire.AccessDenied()
	}
	return err
}

// hides reports whether the stream is one of the coordinator's that the caller may not read: runs
// of all apps are there, and an app is only one of them.
func (a *authorizer) hides(c caller, stream string) bool {
	if c.role != RoleApp {
		return false
	}
	for streamdb.IsMetastream(stream) {
		stream = streamdb.OriginalOf(stream)
	}
	return a.reserved(stream) != ""
}

// hidesEvent is hides for an event of a read over many streams, and for the event that a link
// points to.
func (a *authorizer) hidesEvent(c caller, e *domain.Recorded) bool {
	if c.role != RoleApp {
		return false
	}
	if e.Type == streamdb.TypeLink {
		if _, target, ok := streamdb.ParseLink(e.Data); ok && a.hides(c, target) {
			return true
		}
	}
	return a.hides(c, e.Stream)
}

// authenticated returns access-denied to those who may do nothing at all.
func (a *authorizer) authenticated(ctx context.Context) error {
	if callerOf(ctx).role == RoleNone {
		return wire.AccessDenied()
	}
	return nil
}

// reservedFor returns the shape of the stream's name if it reserves the stream for the coordinator
// and so keeps the caller from this kind of access; else "".
func (a *authorizer) reservedFor(ctx context.Context, kind access, stream string) string {
	if kind != write && kind != remove || callerOf(ctx).role == RoleCoordinator {
		return ""
	}
	for streamdb.IsMetastream(stream) {
		stream = streamdb.OriginalOf(stream)
	}
	return a.reserved(stream)
}

func (a *authorizer) allowed(ctx context.Context, kind access, stream string) (bool, error) {
	c := callerOf(ctx)
	if !c.role.may(kind, stream) || (kind == read || kind == consumeGroup) && a.hides(c, stream) {
		return false, nil
	}
	if c.role.isAdmin() || kind == manageGroups {
		return true, nil
	}
	return a.inACL(ctx, c, kind, stream)
}

// may reports whether the role alone allows the access.
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

// inACL reports whether the stream's own $acl allows the access.
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
