package qdrantlite

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors of [Open]; test with errors.Is. The message says which file and what to do.
var (
	// ErrLocked says that another process, or another Server of this one, has the file open.
	ErrLocked = errors.New("the store is in use by another process")
	// ErrForeign says that the file is not one of this package's, or was written by a later version of it.
	ErrForeign = errors.New("the file is not a store of this program")
	// ErrCorrupt says that the file is one of this package's but damaged: cut short, or with records that fail their checksum.
	ErrCorrupt = errors.New("the store is damaged")
	// ErrClosed is returned by operations on a closed Server.
	ErrClosed = errors.New("the store is closed")
)

// The constructors below give an error the gRPC code that a real Qdrant gives it, so that a caller cannot tell the two apart
// by their codes.

// invalid is a request that can never succeed as it is.
func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "Wrong input: "+format, args...)
}

// notFound is a collection, alias or point that does not exist.
func notFound(format string, args ...any) error {
	return status.Errorf(codes.NotFound, "Not found: "+format, args...)
}

// unsupported names a part of Qdrant's API that this server does not have.
func unsupported(format string, args ...any) error {
	return status.Errorf(codes.Unimplemented, "the embedded store does not support "+format, args...)
}

func noCollection(name string) error {
	return notFound("Collection `%s` doesn't exist!", name)
}

// asStatus turns any error into one with a code: what has none is internal.
func asStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, ErrClosed) {
		return status.Error(codes.Unavailable, err.Error())
	}
	if errors.Is(err, ErrCorrupt) {
		return status.Error(codes.DataLoss, err.Error())
	}
	return status.Error(codes.Internal, err.Error())
}
