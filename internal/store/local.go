package store

import (
	"fmt"
	"log/slog"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"throughline/internal/qdrantlite"
)

// Embedded connects to an embedded server in this process. Closing the Conn does not close the server.
func Embedded(srv *qdrantlite.Server) (*Conn, error) { return embedded(srv, nil) }

// embedded also puts interceptors around every request.
func embedded(srv *qdrantlite.Server, log *slog.Logger, extra ...grpc.UnaryClientInterceptor) (*Conn, error) {
	conn, err := newConn(qdrant.Config{
		Host: qdrantlite.Target,
		// The server closes connections that ping too often, and there is no network to watch.
		KeepAliveTime: -1,
		GrpcOptions:   srv.DialOptions(),
	}, "", 0, orDiscard(log), extra...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the embedded store: %w", err)
	}
	conn.ownProcess = true
	return conn, nil
}

// Local opens an embedded server on a file and connects to it; an empty path keeps everything in memory. Closing the Conn
// closes the server. logger may be nil. A file that another process has open gives qdrantlite.ErrLocked.
func Local(path string, logger *slog.Logger) (*Conn, error) {
	srv, err := qdrantlite.Open(qdrantlite.Options{Path: path, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("opening the store's file %q: %w", path, err)
	}
	conn, err := embedded(srv, logger)
	if err != nil {
		srv.Close()
		return nil, err
	}
	conn.closers = append(conn.closers, srv.Close)
	return conn, nil
}
