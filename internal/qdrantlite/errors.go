package qdrantlite

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Errors of [Open]; test with errors.Is. The message names the file and the cause.
var (
	// ErrLocked says that another process, or another Server of this process, has the file open.
	ErrLocked = errors.New("the store is in use by another process")
	// ErrForeign says that the file is not one of this package's, or that a later version wrote it.
	ErrForeign = errors.New("the file is not a store of this program")
	// ErrCorrupt says that the file is one of this package's but damaged: it is cut short, or a
	// record does not match its checksum.
	ErrCorrupt = errors.New("the store is damaged")
	// ErrUnsupported says that the file is one of this package's and undamaged, but has a
	// collection or an index of a kind that this version does not serve.
	ErrUnsupported = errors.New("the store uses what this version does not support")
	// ErrClosed is returned by operations on a closed Server.
	ErrClosed = errors.New("the store is closed")
)

// The functions below give an error the gRPC code that Qdrant gives it, so that a client handles
// both servers alike.

// invalid is a request that can never succeed as it is.
func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

// notFound is a collection or point that does not exist.
func notFound(format string, args ...any) error {
	return status.Errorf(codes.NotFound, format, args...)
}

// unsupported is a request that uses a part of Qdrant's API that this server does not have.
func unsupported(format string, args ...any) error {
	return status.Errorf(codes.Unimplemented, "the embedded store does not support "+format, args...)
}

// only refuses a message that sets a field that is not among the served ones. Every request, and
// every message inside it that has fields which are not served, goes through here, so an option
// that this server lacks is never ignored.
func only(m proto.Message, served ...protoreflect.Name) error {
	message := m.ProtoReflect()
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); message.Has(f) && !slices.Contains(served, f.Name()) {
			return unsupported("the field %s of %s", f.Name(), message.Descriptor().Name())
		}
	}
	return nil
}

func noCollection(name string) error {
	return notFound("collection %q does not exist", name)
}

// asStatus gives an error without a gRPC code one: by its kind, or else Internal.
func asStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, ErrClosed):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, ErrCorrupt):
		return status.Error(codes.DataLoss, err.Error())
	}
	return status.Error(codes.Internal, err.Error())
}
