package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// requestIDHeader is read from a call's metadata and returned in its header. In an error,
// RequestInfo has the id too.
const requestIDHeader = "x-request-id"

// maxRequestID limits what a client can write into the log, in bytes.
const maxRequestID = 128

// requestIDOf returns the caller's id for a call if it is fit for a log, else a new one.
func (s *Server) requestIDOf(ctx context.Context) string {
	if values := metadata.ValueFromIncomingContext(ctx, requestIDHeader); len(values) == 1 && printable(values[0]) {
		return values[0]
	}
	return s.cfg.NewID()
}

func printable(id string) bool {
	other := func(r rune) bool { return r <= ' ' || r > '~' }
	return id != "" && len(id) <= maxRequestID && !strings.ContainsFunc(id, other)
}

// setHeader sets a header of a unary call's answer.
func (s *Server) setHeader(ctx context.Context, key, value string) {
	if err := grpc.SetHeader(ctx, metadata.Pairs(key, value)); err != nil {
		s.log.DebugContext(ctx, "header not sent", "header", key, "error", err)
	}
}

// unary is the interceptor of calls with one request and one response.
func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	id := s.requestIDOf(ctx)
	s.setHeader(ctx, requestIDHeader, id)
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
	return response, err
}

// stream is the interceptor of streams. It sets no deadline, since a watch has no end.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx := stream.Context()
	id := s.requestIDOf(ctx)
	if err := stream.SetHeader(metadata.Pairs(requestIDHeader, id)); err != nil {
		s.log.DebugContext(ctx, "header not sent", "header", requestIDHeader, "error", err)
	}
	done := s.metrics.start(s.label(info.FullMethod), s.cfg.Now)
	err := s.guard(func() error { return handler(srv, &checkedStream{stream, s, info.IsClientStream}) })
	err = s.finish(ctx, info.FullMethod, id, err)
	done(status.Code(err))
	return err
}

// label is the name of a method in metrics. All unknown methods share one, so that callers cannot
// fill memory with labels.
func (s *Server) label(fullMethod string) string {
	if s.known[fullMethod] {
		return fullMethod
	}
	return "/unknown/unknown"
}

// checkedStream refuses a message that cannot be read, and validates the one request of a server
// stream. The handlers of request streams validate each request themselves: a bad one must not end
// the stream.
type checkedStream struct {
	grpc.ServerStream
	server *Server
	many   bool // a stream of requests
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

// SendMsg returns context.Canceled when the client has gone: that is no failure of this server.
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

// unreceived classifies a failure to receive a request. io.EOF stays as it is.
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

// malformed refuses a request that cannot be decoded.
func malformed(reason string) *apiError {
	return &apiError{code: codes.InvalidArgument, reason: "MALFORMED_REQUEST", message: "the request cannot be read: " + reason}
}

// guard runs a call and returns a panic as an error, so that one bad request does not end the
// others.
func (s *Server) guard(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return call()
}

// finish logs the outcome of a call and returns the error that the client gets.
func (s *Server) finish(ctx context.Context, method, id string, err error) error {
	if err == nil {
		s.log.DebugContext(ctx, "call", "method", method, "request_id", id)
		return nil
	}
	e := classify(err)
	if st, ok := status.FromError(err); ok && !ours(method) {
		// Health and reflection are services of the library; their text is safe to pass on.
		e = &apiError{code: st.Code(), reason: "PROTOCOL", message: st.Message(), cause: err}
	}
	level := slog.LevelDebug
	switch e.code {
	case codes.Internal, codes.Unknown, codes.DataLoss: // faults of this server
		level = slog.LevelError
	case codes.Unavailable:
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

// itemStatus logs the error of one item of a stream like that of a call, and returns its status.
func (s *Server) itemStatus(ctx context.Context, method string, err error) *status.Status {
	return status.Convert(s.finish(ctx, method, s.cfg.NewID(), err))
}

// unknownMethod answers calls of unknown services and methods.
func unknownMethod(_ any, stream grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(stream)
	return unbuilt(name)
}
