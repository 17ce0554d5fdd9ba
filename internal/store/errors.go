package store

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"throughline/embed"
	"throughline/internal/qdrantlite"
)

// Errors that callers tell apart with errors.Is.
var (
	ErrStop         = errors.New("stop scanning") // returned by a callback: ends the scan
	ErrNotFound     = errors.New("not found")
	ErrInvalid      = errors.New("invalid input")
	ErrReadOnly     = errors.New("the store is open for reading only")
	ErrClosed       = errors.New("the store is closed")
	ErrLeaseHeld    = errors.New("another writer holds the lease")
	ErrLeaseLost    = errors.New("the writer's lease is lost")
	ErrLocked       = qdrantlite.ErrLocked // another process has the embedded store's file open
	ErrUnavailable  = errors.New("the storage server does not answer")
	ErrOverloaded   = errors.New("the storage server refuses more requests for now")
	ErrUnauthorized = errors.New("the storage server refuses the credentials")
)

// errNoCollection is a collection that does not exist. It is not ErrNotFound, because callers ask
// for articles and the like.
var errNoCollection = errors.New("the collection does not exist")

// NotFoundError says what is not stored. It is ErrNotFound.
type NotFoundError struct {
	Kind string // article, story, topic, store
	ID   string
}

func (e *NotFoundError) Error() string        { return fmt.Sprintf("%s %q not found", e.Kind, e.ID) }
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// InvalidError says which field of which input is invalid and why. It is ErrInvalid.
type InvalidError struct {
	ID     string // of the article, story or topic; empty when the input has no id
	Field  string // e.g. sections[3].text
	Reason string
}

func (e *InvalidError) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("%q: %s: %s", e.ID, e.Field, e.Reason)
}
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// SpaceMismatchError says that a prefix holds vectors of another embedding space: they cannot be
// compared.
type SpaceMismatchError struct {
	Prefix string
	// Stored has no Model when the store's description is gone and only a collection's name is
	// left.
	Stored, Asked                       embed.Space
	StoredChunker, AskedChunker         string
	StoredFingerprint, AskedFingerprint string // as they appear in collection names
}

func (e *SpaceMismatchError) Error() string {
	return fmt.Sprintf("the store %q holds vectors of %s, not of %s: use that model, or another prefix or data directory for this one",
		e.Prefix, describeSpace(e.Stored, e.StoredChunker, e.StoredFingerprint), describeSpace(e.Asked, e.AskedChunker, e.AskedFingerprint))
}

func describeSpace(s embed.Space, chunker, fingerprint string) string {
	if s.Model == "" {
		return fmt.Sprintf("the embedding space %s (section splitter %s)", fingerprint, chunker)
	}
	text := fmt.Sprintf("%s with %d dimensions", s.Model, s.Dimensions)
	if s.DocumentPrefix != "" || s.QueryPrefix != "" {
		text += fmt.Sprintf(", prefixes %q and %q", s.DocumentPrefix, s.QueryPrefix)
	}
	return fmt.Sprintf("%s (section splitter %s)", text, chunker)
}

// DimensionError says that a collection's vectors have another length than the embedding space's.
type DimensionError struct {
	Collection    string
	Vector        string
	Stored, Asked int // Stored is 0 when the collection has no such vector
}

func (e *DimensionError) Error() string {
	if e.Stored == 0 {
		return fmt.Sprintf("the collection %q has no vector %q of %d dimensions: it was not made by this program; use another prefix",
			e.Collection, e.Vector, e.Asked)
	}
	return fmt.Sprintf("the collection %q has %q vectors of %d dimensions, not %d: use the model it was made with, or another prefix",
		e.Collection, e.Vector, e.Stored, e.Asked)
}

// LeaseHeldError says who writes to the prefix. It is ErrLeaseHeld.
type LeaseHeldError struct {
	Prefix, Owner string
	Expires       time.Time // unless the owner renews it
}

func (e *LeaseHeldError) Error() string {
	return fmt.Sprintf("%s writes to the store %q (its lease ends %s unless renewed): stop it, or open the store for reading only",
		e.Owner, e.Prefix, e.Expires.UTC().Format(time.RFC3339))
}
func (e *LeaseHeldError) Is(target error) bool { return target == ErrLeaseHeld }

// LeaseLostError says that this store may not write any more. It is ErrLeaseLost.
type LeaseLostError struct {
	Prefix string
	Owner  string // who took the lease; empty when it could only not be renewed in time
}

func (e *LeaseLostError) Error() string {
	if e.Owner == "" {
		return fmt.Sprintf("the lease on the store %q could not be renewed in time", e.Prefix)
	}
	return fmt.Sprintf("%s took the lease on the store %q", e.Owner, e.Prefix)
}
func (e *LeaseLostError) Is(target error) bool { return target == ErrLeaseLost }

// BackendError is a request that the server did not carry out. Its text names only the operation
// and the kind of failure; the server's own message is in Detail, for logs.
type BackendError struct {
	Op         string // e.g. "upsert"
	Collection string
	Code       codes.Code
	Detail     string
	kind       error // one of the sentinels, context errors included; may be nil
}

func (e *BackendError) Error() string {
	what := e.Op
	if e.Collection != "" {
		what += " " + e.Collection
	}
	if e.kind != nil {
		return fmt.Sprintf("%s: %v", what, e.kind)
	}
	return fmt.Sprintf("%s: the storage server failed (%v)", what, e.Code)
}

// Unwrap makes errors.Is see ErrUnavailable, ErrOverloaded, ErrUnauthorized, context.Canceled and
// context.DeadlineExceeded.
func (e *BackendError) Unwrap() error { return e.kind }

// LogValue adds the server's own message.
func (e *BackendError) LogValue() slog.Value {
	return slog.GroupValue(slog.String("op", e.Op), slog.String("collection", e.Collection),
		slog.String("code", e.Code.String()), slog.String("detail", e.Detail))
}
