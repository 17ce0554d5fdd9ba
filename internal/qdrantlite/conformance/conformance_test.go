package conformance_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"throughline/internal/qdrantlite"
	"throughline/internal/qdrantlite/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(t *testing.T, config *qdrant.Config) *qdrant.Client {
	t.Helper()
	config.PoolSize, config.SkipCompatibilityCheck = 1, true
	c, err := qdrant.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
	})
	return c
}

// openServer opens a server that is closed when the test ends.
func openServer(t *testing.T, path string) *qdrantlite.Server {
	t.Helper()
	s, err := qdrantlite.Open(qdrantlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// TestEmbedded runs the suite against the embedded server, on a file and in memory.
func TestEmbedded(t *testing.T) {
	for name, path := range map[string]string{"file": filepath.Join(t.TempDir(), "store"), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			s := openServer(t, path)
			conformance.Run(t, func(t *testing.T) *qdrant.Client {
				return dial(t, &qdrant.Config{Host: qdrantlite.Target, GrpcOptions: s.DialOptions()})
			})
		})
	}
}

// TestServed runs the suite against the embedded server through a connection.
func TestServed(t *testing.T) {
	s := openServer(t, "")
	server := grpc.NewServer(grpc.MaxRecvMsgSize(qdrantlite.MaxRequestSize))
	s.Register(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.GracefulStop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	conformance.Run(t, func(t *testing.T) *qdrant.Client {
		return dial(t, &qdrant.Config{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port})
	})
}

// TestQdrant runs the suite against a real Qdrant.
func TestQdrant(t *testing.T) {
	addr := os.Getenv("QDRANT_ADDR")
	if addr == "" {
		t.Skip("set QDRANT_ADDR to the gRPC address of a Qdrant 1.17 (for example localhost:6334) to run the suite against it")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	conformance.Run(t, func(t *testing.T) *qdrant.Client {
		return dial(t, &qdrant.Config{Host: host, Port: number, APIKey: os.Getenv("QDRANT_API_KEY")})
	})
}
