package verify

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/atonehq/atone/domain"
)

// Head is the end of a run's chain at one time.
type Head struct {
	Run      domain.RunID
	Revision uint64
	Hash     domain.ChainHash
}

// Anchor is a signed set of heads. Keep it where people who can write to the log cannot write: it
// later shows whether the history up to these heads is unchanged, even if somebody recomputed all
// hashes.
type Anchor struct {
	// Made is when the anchor was made.
	Made  time.Time
	Heads []Head
}

// The file of an anchor has a line for the header, one for each head, and one for the signature:
// Ed25519 (RFC 8032) over anchorContext and the SHA-256 of all bytes before the signature's line.
type (
	anchorHeader struct {
		Format string    `json:"format"`
		Made   time.Time `json:"made"`
		Heads  int       `json:"heads"`
	}
	anchorHead struct {
		Run      domain.RunID `json:"run"`
		Revision uint64       `json:"revision"`
		Hash     string       `json:"hash"`
	}
	anchorSignature struct {
		Signature []byte `json:"signature"`
	}
)

const (
	anchorFormat  = "atone-anchor-v1"
	anchorContext = "atone anchor v1\x00"
)

// ErrBadAnchor means that a file is not an anchor, or was not signed with the given key.
var ErrBadAnchor = errors.New("not an anchor that was signed with this key")

// Write writes the anchor, signed with the key.
func (a *Anchor) Write(w io.Writer, key ed25519.PrivateKey) error {
	if len(key) != ed25519.PrivateKeySize {
		return fmt.Errorf("write anchor: the key has %d bytes: an Ed25519 private key has %d", len(key), ed25519.PrivateKeySize)
	}
	digest := sha256.New()
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(io.MultiWriter(out, digest))
	err := enc.Encode(anchorHeader{Format: anchorFormat, Made: a.Made.UTC(), Heads: len(a.Heads)})
	for i := 0; i < len(a.Heads) && err == nil; i++ {
		h := a.Heads[i]
		err = enc.Encode(anchorHead{Run: h.Run, Revision: h.Revision, Hash: h.Hash.String()})
	}
	if err == nil {
		err = json.NewEncoder(out).Encode(anchorSignature{Signature: ed25519.Sign(key, digest.Sum([]byte(anchorContext)))})
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("write anchor: %w", err)
	}
	return nil
}

// ReadAnchor reads an anchor. It fails with [ErrBadAnchor] unless the anchor was signed with the
// private half of the key.
func ReadAnchor(r io.Reader, key ed25519.PublicKey) (*Anchor, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("read anchor: the key has %d bytes: an Ed25519 public key has %d", len(key), ed25519.PublicKeySize)
	}
	in := bufio.NewReader(r)
	digest := sha256.New()
	line := func(into any) error {
		b, err := in.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("read anchor: %w: %w", ErrBadAnchor, err)
		}
		if _, signs := into.(*anchorSignature); !signs {
			_, _ = digest.Write(b) // a hash never fails
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			return fmt.Errorf("read anchor: %w: %w", ErrBadAnchor, err)
		}
		return nil
	}
	var head anchorHeader
	if err := line(&head); err != nil {
		return nil, err
	}
	if head.Format != anchorFormat {
		return nil, fmt.Errorf("read anchor: its format is %q, not %q: %w", head.Format, anchorFormat, ErrBadAnchor)
	}
	a := &Anchor{Made: head.Made}
	for range head.Heads {
		var h anchorHead
		if err := line(&h); err != nil {
			return nil, err
		}
		hash, err := domain.ParseChainHash(h.Hash)
		if err != nil {
			return nil, fmt.Errorf("read anchor: %w: %w", ErrBadAnchor, err)
		}
		a.Heads = append(a.Heads, Head{Run: h.Run, Revision: h.Revision, Hash: hash})
	}
	var s anchorSignature
	if err := line(&s); err != nil {
		return nil, err
	}
	if !ed25519.Verify(key, digest.Sum([]byte(anchorContext)), s.Signature) {
		return nil, fmt.Errorf("read anchor: the signature does not match the key: %w", ErrBadAnchor)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("read anchor: there is more after the signature: %w", ErrBadAnchor)
	}
	return a, nil
}

// MarshalAnchorKey writes a key for anchors as text: base64 of the raw key, URL-safe and unpadded.
func MarshalAnchorKey[K ed25519.PublicKey | ed25519.PrivateKey](key K) string {
	return base64.RawURLEncoding.EncodeToString(key)
}

// ParseAnchorKey reads what [MarshalAnchorKey] wrote. A private key gives both halves, a public key
// only the public half.
func ParseAnchorKey(s string) (public ed25519.PublicKey, private ed25519.PrivateKey, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read a key for anchors: %w", err)
	case len(b) == ed25519.PublicKeySize:
		return b, nil, nil
	case len(b) == ed25519.PrivateKeySize:
		private = b
		return private.Public().(ed25519.PublicKey), private, nil //nolint:forcetypeassert // so crypto/ed25519 says
	}
	return nil, nil, fmt.Errorf("read a key for anchors: %d bytes are not an Ed25519 key", len(b))
}
