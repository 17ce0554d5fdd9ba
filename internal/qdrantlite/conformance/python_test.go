package conformance_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"

	"throughline/internal/qdrantlite"
)

// TestPythonClient serves the embedded server on a port and lets Qdrant's official Python client
// use it.
func TestPythonClient(t *testing.T) {
	python := os.Getenv("QDRANT_PYTHON")
	if python == "" {
		t.Skip("set QDRANT_PYTHON to a Python that has the package qdrant-client (python3 -m venv v && v/bin/pip install 'qdrant-client==1.17.*'; QDRANT_PYTHON=$PWD/v/bin/python)")
	}
	s, err := qdrantlite.Open(qdrantlite.Options{Path: filepath.Join(t.TempDir(), "store")})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(qdrantlite.MaxRequestSize))
	s.Register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("serve: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "python_client.py", host, port).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
