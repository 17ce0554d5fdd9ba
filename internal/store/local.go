package store

import (
	"fmt"
	"log/slog"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"throughline/internal/qdrantlite"
)

// Embedded connects to an embedded server in this process. Closing the Conn does not close the
// server. logger may be nil. Interceptors see every attempt of every request.
func Embedded(srv *qdrantlite.Server, logger *slog.Logger, interceptors ...grpc.UnaryClientInterceptor) (*Conn, error) {
	conn, err := newConn(qdrant.Config{
		Host: qdrantlite.Target, GrpcOptions: srv.DialOptions(),
	}, "", 0, orDiscard(logger), interceptors...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the embedded store: %w", err)
	}
	conn.ownProcess = true
	return conn, nil
}

// Local opens an embedded server on a file and connects to it; an empty path keeps everything in
// memory. Closing the Conn closes the server. logger may be nil. When another process has the file
// open, the error is ErrLocked. Interceptors see every attempt of every request.
func Local(path string, logger *slog.Logger, interceptors ...grpc.UnaryClientInterceptor) (*Conn, error) {
	srv, err := qdrantlite.Open(qdrantlite.Options{Path: path, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("opening the store's file %q: %w", path, err)
	}
	conn, err := Embedded(srv, logger, interceptors...)
	if err != nil {
		srv.Close()
		return nil, err
	}
	conn.closers = append(conn.closers, srv.Close)
	return conn, nil
}
