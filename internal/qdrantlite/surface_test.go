package qdrantlite

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// uncalled are the served methods that the store's product code does not call.
var uncalled = map[string]string{
	"/qdrant.Qdrant/HealthCheck": "go-client asks for the version when it connects, unless told not to",
	"/qdrant.Collections/Delete": "tests of the store remove collections, as an operator of a Qdrant may",
}

// TestSurface compares the gRPC methods that this server serves with those that the store calls.
func TestSurface(t *testing.T) {
	called := calledMethods(t)
	served := servedMethods(t)
	for _, method := range served {
		why, excepted := uncalled[method]
		switch {
		case !called[method] && !excepted:
			t.Errorf("%s is served, and the store does not call it", method)
		case called[method] && excepted:
			t.Errorf("%s is called by the store: it is no exception (%s)", method, why)
		}
	}
	for _, method := range slices.Sorted(maps.Keys(called)) {
		if !slices.Contains(served, method) {
			t.Errorf("%s is called by the store and not served", method)
		}
	}
	for method := range uncalled {
		if !slices.Contains(served, method) {
			t.Errorf("%s is an exception and not served", method)
		}
	}
}

// servedMethods sends every method of every registered service an empty message. The generated base
// of a service answers those that are not implemented.
func servedMethods(t *testing.T) (methods []string) {
	t.Helper()
	s := open(t, "")
	registered := grpc.NewServer()
	s.Register(registered)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- registered.Serve(listener) }()
	defer func() {
		registered.Stop()
		must(t, <-served)
	}()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	for service, info := range registered.GetServiceInfo() {
		for _, m := range info.Methods {
			method := "/" + service + "/" + m.Name
			err := conn.Invoke(t.Context(), method, &emptypb.Empty{}, &emptypb.Empty{})
			if status.Code(err) != codes.Unimplemented {
				methods = append(methods, method)
			}
		}
	}
	slices.Sort(methods)
	return methods
}

// calledMethods finds the methods of go-client's client that the store's product code calls, by its
// source, and calls each of them to learn its gRPC method. A call counts when it is made on a value
// named "client", which is what the store names it; a call on another name is missed, and the test
// then takes its method for one that is served in vain.
func calledMethods(t *testing.T) map[string]bool {
	t.Helper()
	dir := "../store"
	if _, err := os.Stat(dir); err != nil {
		dir = "../points"
	}
	files, err := filepath.Glob(dir + "/*.go")
	must(t, err)
	names := make(map[string]bool)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		must(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && isClient(call.X) {
				names[call.Sel.Name] = true
			}
			return true
		})
	}
	delete(names, "Close")
	if len(names) == 0 {
		t.Fatalf("no calls of the client in %s", dir)
	}

	methods := make(map[string]bool)
	var last string
	record := func(_ context.Context, method string, _, _ any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
		last = method
		return status.Error(codes.Unavailable, "recorded only")
	}
	c, err := qdrant.NewClient(&qdrant.Config{Host: Target, PoolSize: 1, SkipCompatibilityCheck: true, GrpcOptions: []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithChainUnaryInterceptor(record)}})
	must(t, err)
	defer c.Close()
	for name := range names {
		call := reflect.ValueOf(c).MethodByName(name)
		if !call.IsValid() {
			t.Fatalf("%s calls client.%s, which go-client's client does not have", dir, name)
		}
		last = ""
		args := []reflect.Value{reflect.ValueOf(t.Context())}
		for i := 1; i < call.Type().NumIn(); i++ {
			args = append(args, zero(call.Type().In(i)))
		}
		call.Call(args)
		if last == "" {
			t.Fatalf("client.%s makes no gRPC call", name)
		}
		methods[last] = true
	}
	return methods
}

func isClient(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "client"
	case *ast.SelectorExpr:
		return x.Sel.Name == "client"
	}
	return false
}

// zero makes an argument: an empty message, or the zero value.
func zero(t reflect.Type) reflect.Value {
	if t.Kind() == reflect.Pointer {
		return reflect.New(t.Elem())
	}
	return reflect.Zero(t)
}
