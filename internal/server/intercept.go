package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// requestIDHeader is read from a call's metadata and returned in its header. In errors the id is in RequestInfo.
const requestIDHeader = "x-request-id"

// maxRequestID bounds what a client may make us log.
const maxRequestID = 128

// requestIDOf takes the caller's id for a call if it is fit for a log, else makes one.
func (s *Server) requestIDOf(ctx context.Context) string {
	if values := metadata.ValueFromIncomingContext(ctx, requestIDHeader); len(values) == 1 && printable(values[0]) {
		return values[0]
	}
	return s.cfg.NewID()
}

func printable(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, r := range id {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}

func randomID() string { return uuid.NewString() }

// unary is what every call with one request and one response goes through.
func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	id := s.requestIDOf(ctx)
	if err := grpc.SetHeader(ctx, metadata.Pairs(requestIDHeader, id)); err != nil {
		s.log.DebugContext(ctx, "no header could be sent", "error", err)
	}
	done := s.metrics.start(s.label(info.FullMethod), s.cfg.Now)
	err = s.guard(func() error {
		if _, has := ctx.Deadline(); !has && s.cfg.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, s.cfg.Timeout)
			defer cancel()
		}
		if err := readable(request); err != nil {
			return err
		}
		if err := s.validate(request); err != nil {
			return err
		}
		response, err = handler(ctx, request)
		return err
	})
	err = s.finish(ctx, info.FullMethod, id, err)
	done(status.Code(err))
	if err != nil {
		return nil, err
	}
	return response, nil
}

// stream is what every stream goes through. It has no deadline of ours: watching has no end.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx := stream.Context()
	id := s.requestIDOf(ctx)
	if err := stream.SetHeader(metadata.Pairs(requestIDHeader, id)); err != nil {
		s.log.DebugContext(ctx, "no header could be sent", "error", err)
	}
	done := s.metrics.start(s.label(info.FullMethod), s.cfg.Now)
	err := s.guard(func() error { return handler(srv, &checkedStream{stream, s, info.IsClientStream}) })
	err = s.finish(ctx, info.FullMethod, id, err)
	done(status.Code(err))
	return err
}

// label is the name of a method in metrics. What callers make up shares one, or they could fill memory with labels.
func (s *Server) label(fullMethod string) string {
	if s.known[fullMethod] {
		return fullMethod
	}
	return "/unknown/unknown"
}

// checkedStream turns a message that cannot be read into our error, and validates the one request of a server stream.
// Streams of requests validate each on their own, since a bad one must not end the stream.
type checkedStream struct {
	grpc.ServerStream
	server *Server
	many   bool
}

func (c *checkedStream) RecvMsg(m any) error {
	if err := c.ServerStream.RecvMsg(m); err != nil {
		return unreceived(err)
	}
	if err := readable(m); err != nil {
		return err
	}
	if c.many {
		return nil
	}
	return c.server.validate(m)
}

// SendMsg tells a client that went away from a failure of ours.
func (c *checkedStream) SendMsg(m any) error {
	if err := c.ServerStream.SendMsg(m); err != nil {
		if ended := c.Context().Err(); ended != nil {
			return fmt.Errorf("send: %w", ended)
		}
		if status.Code(err) == codes.Unavailable {
			return fmt.Errorf("send: %v: %w", err, context.Canceled)
		}
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// unreceived gives the details of our errors to a failure to receive a request. io.EOF stays, as do the ends of a call.
func unreceived(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	st := status.Convert(err)
	switch st.Code() {
	case codes.Canceled:
		return fmt.Errorf("receive: %w", context.Canceled)
	case codes.DeadlineExceeded:
		return fmt.Errorf("receive: %w", context.DeadlineExceeded)
	case codes.ResourceExhausted:
		return &apiError{code: codes.ResourceExhausted, reason: "MESSAGE_TOO_LARGE", message: "the request is larger than this server accepts", cause: err}
	}
	return malformed(st.Message())
}

// malformed refuses a request that is not what it should be even before its fields are looked at.
func malformed(reason string) *apiError {
	return &apiError{code: codes.InvalidArgument, reason: "MALFORMED_REQUEST", message: "the request cannot be read: " + reason}
}

// guard runs one call and makes an error of a panic, so that one bad request does not take the others down.
func (s *Server) guard(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
	}()
	return call()
}

type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// finish turns the outcome of a call into what the client gets, and logs it.
func (s *Server) finish(ctx context.Context, method, id string, err error) error {
	if err == nil {
		s.log.DebugContext(ctx, "call", "method", method, "request_id", id)
		return nil
	}
	e := classify(err)
	if st, ok := status.FromError(err); ok && !ours(method) {
		// The library's own services: health and reflection. Their text is theirs to give.
		e = &apiError{code: st.Code(), reason: "PROTOCOL", message: st.Message(), cause: err}
	}
	level := slog.LevelDebug
	switch {
	case fault(e.code):
		level = slog.LevelError
	case e.code == codes.Unavailable:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("method", method), slog.String("request_id", id), slog.String("code", e.code.String()),
		slog.String("reason", e.reason), slog.String("error", err.Error()),
	}
	var detailed slog.LogValuer // e.g. store.BackendError: what the store said
	if errors.As(err, &detailed) {
		attrs = append(attrs, slog.Any("detail", detailed))
	}
	s.log.LogAttrs(ctx, level, "call failed", attrs...)
	return e.toStatus(id).Err()
}

// ours reports whether a method is implemented in this package.
func ours(method string) bool {
	service, _ := splitMethod(method)
	return slices.Contains(Services, service)
}

// itemStatus is the status of one item of a stream, logged like a call.
func (s *Server) itemStatus(ctx context.Context, method string, err error) *status.Status {
	return status.Convert(s.finish(ctx, method, s.cfg.NewID(), err))
}

// unknownMethod answers calls of services and methods that there are not.
func unknownMethod(_ any, stream grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(stream)
	return unbuilt(name)
}
